//! A value.

use std::sync::Mutex;

use super::super::wire::{Blob, Op, Refusal, Reply};
use super::body::{Body, Caller, lock};

pub(super) struct Value(Mutex<Vec<u8>>);

impl Value {
    pub(super) fn new(value: Blob<'_>) -> Self {
        Self(Mutex::new(value.0.to_vec()))
    }
}

impl Body for Value {
    fn answer(&self, op: &Op<'_>, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        let mut value = lock(&self.0);
        match op {
            Op::Get => caller.reply(&Reply::Bytes(Blob(&value))),
            Op::Set(new) => {
                new.0.clone_into(&mut value);
                caller.reply(&Reply::Nothing)
            }
            Op::Exchange { old, new } => exchange(&mut value, *old, *new, caller),
            _ => Err(Refusal::WrongKind),
        }
    }
}

/// Makes `value` the `new` one if it is the `old`, or else answers what it is.
pub(super) fn exchange(
    value: &mut Vec<u8>,
    old: Blob<'_>,
    new: Blob<'_>,
    caller: &mut Caller<'_>,
) -> Result<(), Refusal> {
    if value.as_slice() != old.0 {
        return caller.reply(&Reply::Maybe(Some(Blob(value))));
    }
    new.0.clone_into(value);
    caller.reply(&Reply::Maybe(None))
}
