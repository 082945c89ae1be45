//! An object of a user's type.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use super::super::service::{Called, Registration};
use super::super::wire::{Blob, Op, Refusal, Reply};
use super::body::{Body, Caller, lock};

/// Nothing after a panic: what that left is not to be trusted.
pub(super) struct ServiceObject(Mutex<Option<Called>>);

impl ServiceObject {
    /// Makes one.
    pub(super) fn new(registration: &Registration, init: Blob<'_>) -> Result<Self, Refusal> {
        let created = catch_unwind(|| (registration.create)(init.0));
        let object =
            created.map_err(|panic| Refusal::Failed(said(&*panic)))?.map_err(|error| Refusal::of(error, "create"))?;
        Ok(Self(Mutex::new(Some(object))))
    }
}

impl Body for ServiceObject {
    fn answer(&self, op: &Op<'_>, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        let Op::Call { method, args } = op else { return Err(Refusal::WrongKind) };
        let mut place = lock(&self.0);
        let Some(object) = place.as_mut() else {
            return Err(Refusal::Failed("it has panicked at an earlier call".to_owned()));
        };
        match catch_unwind(AssertUnwindSafe(|| object(method, args.0))) {
            Ok(Ok(result)) => caller.reply(&Reply::Bytes(Blob(&result))),
            Ok(Err(error)) => Err(Refusal::of(error, method)),
            Err(panic) => {
                *place = None;
                Err(Refusal::Failed(said(&*panic)))
            }
        }
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("it panicked: {}", text.unwrap_or("it has not said why"))
}
