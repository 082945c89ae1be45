//! An event: a flag that one can wait for.

use super::super::wire::{Op, Refusal, Reply};
use super::body::{Body, Caller, Gate};

#[derive(Default)]
pub(super) struct Event(Gate<State>);

#[derive(Default)]
struct State {
    set: bool,
    /// How often it has been set: who waits is not passed over when it is cleared again at once.
    times: u64,
}

impl Body for Event {
    fn answer(&self, op: &Op<'_>, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        match op {
            Op::SetFlag(set) => {
                self.0.change(|state| {
                    state.times += u64::from(*set);
                    state.set = *set;
                });
                caller.reply(&Reply::Nothing)
            }
            Op::IsSet => {
                let set = self.0.lock().set;
                caller.reply(&Reply::Flag(set))
            }
            Op::Wait(limit) => {
                let before = self.0.lock().times;
                self.0.wait(caller.conn, *limit, |state| (state.set || state.times != before).then_some(()))?;
                caller.reply(&Reply::Count(0))
            }
            _ => Err(Refusal::WrongKind),
        }
    }
}
