//! A queue.

use std::collections::VecDeque;

use super::super::wire::{Blob, Op, Refusal, Reply};
use super::body::{Body, Caller, Gate};

pub(super) struct Queue {
    /// 0: without a limit.
    capacity: u64,
    gate: Gate<State>,
}

#[derive(Default)]
struct State {
    items: VecDeque<Vec<u8>>,
    closed: bool,
}

impl Queue {
    pub(super) fn new(capacity: u64) -> Self {
        Self { capacity, gate: Gate::default() }
    }
}

impl Body for Queue {
    fn answer(&self, op: &Op<'_>, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        match op {
            Op::Put(item, limit) => {
                self.gate.wait(caller.conn, *limit, |state| {
                    let has_room = self.capacity == 0 || (state.items.len() as u64) < self.capacity;
                    if has_room && !state.closed {
                        state.items.push_back(item.0.to_vec());
                    }
                    match state.closed {
                        true => Some(Err(Refusal::Closed)),
                        false => has_room.then_some(Ok(())),
                    }
                })??;
                caller.reply(&Reply::Nothing)
            }
            Op::Take(limit) => {
                let item = self.gate.wait(caller.conn, *limit, |state| match state.items.pop_front() {
                    Some(item) => Some(Ok(item)),
                    None => state.closed.then_some(Err(Refusal::Closed)),
                })??;
                caller.reply(&Reply::Bytes(Blob(&item)))?;
                caller.taken = Some(item);
                Ok(())
            }
            Op::Close => {
                self.gate.change(|state| state.closed = true);
                caller.reply(&Reply::Nothing)
            }
            Op::Len => {
                let len = self.gate.lock().items.len() as u64;
                caller.reply(&Reply::Count(len))
            }
            _ => Err(Refusal::WrongKind),
        }
    }

    fn take_back(&self, bytes: Vec<u8>) {
        self.gate.change(|state| state.items.push_front(bytes));
    }
}
