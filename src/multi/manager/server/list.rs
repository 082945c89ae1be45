//! A list.

use std::sync::Mutex;

use super::super::wire::{Blob, Items, Op, Refusal, Reply};
use super::body::{Body, Caller, lock};
use super::values::exchange;

pub(super) struct List(Mutex<Vec<Vec<u8>>>);

impl List {
    pub(super) fn new(items: Items<'_>) -> Self {
        Self(Mutex::new(items.iter().map(<[u8]>::to_vec).collect()))
    }
}

impl Body for List {
    fn answer(&self, op: &Op<'_>, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        let mut items = lock(&self.0);
        let len = items.len() as u64;
        let outside = Refusal::OutOfRange { len };
        match op {
            Op::At(index) => {
                caller.reply(&Reply::Maybe(place(*index).and_then(|at| items.get(at)).map(|item| Blob(item))))
            }
            Op::SetAt(index, new) => {
                new.0.clone_into(place(*index).and_then(|at| items.get_mut(at)).ok_or(outside)?);
                caller.reply(&Reply::Nothing)
            }
            Op::ExchangeAt { index, old, new } => {
                exchange(place(*index).and_then(|at| items.get_mut(at)).ok_or(outside)?, *old, *new, caller)
            }
            Op::InsertAt(index, new) => {
                let at = place(*index).filter(|at| *at <= items.len()).ok_or(outside)?;
                items.insert(at, new.0.to_vec());
                caller.reply(&Reply::Nothing)
            }
            Op::RemoveAt(index) => {
                let at = place(*index).filter(|at| *at < items.len()).ok_or(outside)?;
                caller.reply(&Reply::Bytes(Blob(&items.remove(at))))
            }
            Op::Extend(new) => {
                items.extend(new.iter().map(<[u8]>::to_vec));
                caller.reply(&Reply::Nothing)
            }
            Op::Pop => {
                let last = items.pop();
                caller.reply(&Reply::Maybe(last.as_deref().map(Blob)))
            }
            Op::All => caller.reply(&Reply::Many(items.iter().map(|item| Blob(item)).collect())),
            Op::Len => caller.reply(&Reply::Count(len)),
            Op::Clear => {
                items.clear();
                caller.reply(&Reply::Nothing)
            }
            _ => Err(Refusal::WrongKind),
        }
    }
}

fn place(index: u64) -> Option<usize> {
    usize::try_from(index).ok()
}
