//! A dict. Two keys are one if their bytes are.

use std::collections::HashMap;
use std::sync::Mutex;

use super::super::wire::{Blob, Op, Refusal, Reply};
use super::body::{Body, Caller, lock};

#[derive(Default)]
pub(super) struct Dict(Mutex<HashMap<Vec<u8>, Vec<u8>>>);

impl Body for Dict {
    fn answer(&self, op: &Op<'_>, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        let mut dict = lock(&self.0);
        match op {
            Op::Find(key) => caller.reply(&Reply::Maybe(dict.get(key.0).map(|value| Blob(value)))),
            Op::Insert(key, value) => {
                // A key that is there already is not allocated again, and its value's memory is used for the answer and the new one.
                let Some(place) = dict.get_mut(key.0) else {
                    dict.insert(key.0.to_vec(), value.0.to_vec());
                    return caller.reply(&Reply::Maybe(None));
                };
                caller.reply(&Reply::Maybe(Some(Blob(place))))?;
                value.0.clone_into(place);
                Ok(())
            }
            Op::Remove(key) => {
                let old = dict.remove(key.0);
                caller.reply(&Reply::Maybe(old.as_deref().map(Blob)))
            }
            Op::Contains(key) => caller.reply(&Reply::Flag(dict.contains_key(key.0))),
            Op::CompareExchange { key, old, new } => {
                let equal = dict.get(key.0).map(Vec::as_slice) == old.map(|old| old.0);
                match new {
                    Some(new) if equal => drop(dict.insert(key.0.to_vec(), new.0.to_vec())),
                    None if equal => drop(dict.remove(key.0)),
                    _ => {}
                }
                caller.reply(&Reply::Flag(equal))
            }
            Op::Keys => caller.reply(&Reply::Many(dict.keys().map(|key| Blob(key)).collect())),
            Op::Pairs => {
                caller.reply(&Reply::Pairs(dict.iter().map(|(key, value)| (Blob(key), Blob(value))).collect()))
            }
            Op::Len => caller.reply(&Reply::Count(dict.len() as u64)),
            Op::Clear => {
                dict.clear();
                caller.reply(&Reply::Nothing)
            }
            _ => Err(Refusal::WrongKind),
        }
    }
}
