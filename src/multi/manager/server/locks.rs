//! A lock: of one holder, whose death frees it.

use super::super::wire::{Op, Refusal, Reply};
use super::body::{Body, Caller, Gate};

#[derive(Default)]
pub(super) struct Lock(Gate<State>);

#[derive(Default)]
struct State {
    /// The session that holds it, and which of its guards.
    owner: Option<(u64, u64)>,
    /// The last owner died with it, and nobody has been told.
    owner_died: bool,
    guards: u64,
}

impl Body for Lock {
    fn answer(&self, op: &Op<'_>, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        let session = caller.session;
        match op {
            Op::Acquire(limit) => {
                let (guard, owner_died) = self.0.wait(caller.conn, *limit, |state| {
                    if state.owner.is_some() {
                        return None;
                    }
                    state.guards += 1;
                    state.owner = Some((session, state.guards));
                    Some((state.guards, std::mem::take(&mut state.owner_died)))
                })?;
                caller.reply(&Reply::Held { guard, owner_died })
            }
            Op::Yield { guard } => {
                self.0.change(|state| {
                    let is_owner = state.owner == Some((session, *guard));
                    state.owner = state.owner.filter(|_| !is_owner);
                    is_owner.then_some(()).ok_or(Refusal::NotHeld)
                })?;
                caller.reply(&Reply::Nothing)
            }
            Op::IsSet => {
                let held = self.0.lock().owner.is_some();
                caller.reply(&Reply::Flag(held))
            }
            _ => Err(Refusal::WrongKind),
        }
    }

    fn abandon(&self, session: u64) {
        self.0.change(|state| {
            if state.owner.is_some_and(|(owner, _)| owner == session) {
                state.owner = None;
                state.owner_died = true;
            }
        });
    }
}
