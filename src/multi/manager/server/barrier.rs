//! A barrier: all parties wait for the last one, and a party that dies meanwhile breaks it.

use std::sync::{Arc, OnceLock};

use super::super::wire::{Limit, Op, Refusal, Reply};
use super::body::{Body, Caller, Gate};

pub(super) struct Barrier {
    parties: u64,
    gate: Gate<State>,
}

#[derive(Default)]
struct State {
    waiting: u64,
    /// From a failure until a reset.
    broken: bool,
    /// How this round ends, true: all have come. Whoever waits holds it, so a later round cannot be taken for it.
    round: Arc<OnceLock<bool>>,
}

impl State {
    fn end_round(&mut self, all_came: bool) {
        // A round is replaced where it ends, so none ends twice.
        let _ = std::mem::take(&mut self.round).set(all_came);
        self.waiting = 0;
    }

    fn fail(&mut self) {
        self.end_round(false);
        self.broken = true;
    }
}

impl Barrier {
    pub(super) fn new(parties: u64) -> Self {
        Self { parties, gate: Gate::default() }
    }

    fn wait(&self, caller: &Caller<'_>, limit: Limit) -> Result<u64, Refusal> {
        let (place, round) = self.gate.change(|state| {
            if state.broken {
                return Err(Refusal::Broken);
            }
            let (place, round) = (state.waiting, Arc::clone(&state.round));
            state.waiting += 1;
            if state.waiting >= self.parties {
                state.end_round(true);
            }
            Ok((place, round))
        })?;
        match self.gate.wait(caller.conn, limit, |_| round.get().copied()) {
            Ok(true) => Ok(place),
            Ok(false) => Err(Refusal::Broken),
            Err(refusal) => {
                // Unless the round has ended since.
                self.gate.change(|state| {
                    if round.get().is_none() {
                        state.fail();
                    }
                });
                Err(refusal)
            }
        }
    }
}

impl Body for Barrier {
    fn answer(&self, op: &Op<'_>, caller: &mut Caller<'_>) -> Result<(), Refusal> {
        match op {
            Op::Wait(limit) => {
                let place = self.wait(caller, *limit)?;
                caller.reply(&Reply::Count(place))
            }
            Op::Reset => {
                self.gate.change(|state| {
                    state.end_round(false);
                    state.broken = false;
                });
                caller.reply(&Reply::Nothing)
            }
            Op::Abort => {
                self.gate.change(State::fail);
                caller.reply(&Reply::Nothing)
            }
            Op::IsSet => {
                let broken = self.gate.lock().broken;
                caller.reply(&Reply::Flag(broken))
            }
            Op::Len => {
                let waiting = self.gate.lock().waiting;
                caller.reply(&Reply::Count(waiting))
            }
            _ => Err(Refusal::WrongKind),
        }
    }
}
