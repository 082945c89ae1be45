//! A place where processes wait for each other.

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::arena::Kind;
use super::bell::Limit;
use super::error::BarrierError;
use super::family;
use super::no_size::conjure;
use super::object::{Handle, Object, Role};
use super::passing::passed_by_view;
use super::rounds::{Comers, MOST, Outcome, Phase, Rounds};
use super::word::Word64;

/// A place where so many parties, processes or threads, wait until all are there. A clone is another handle to the same.
///
/// If a party is killed while it waits, the others get [`BarrierError::PartyDied`] and do not wait in vain; one that is killed before it
/// comes is simply not there, as one that is late.
///
/// ```
/// use pinring::multi::{Barrier, Process};
/// use std::num::NonZeroUsize;
///
/// let start = Barrier::new(NonZeroUsize::new(2).unwrap())?;
/// let theirs = start.clone();
/// let child = Process::spawn(move || theirs.wait().unwrap() as u64)?;
/// let (mine, its) = (start.wait()? as u64, child.join()?);
/// assert_eq!(mine + its, 1, "one is 0, the other 1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[doc(alias = "multiprocessing.Barrier")]
pub struct Barrier {
    handle: Handle,
    rounds: &'static Rounds,
}

/// For the sweep.
pub(super) fn bereave(object: Object, dead: usize) {
    object.body::<Rounds>().bereave(dead, family::member(dead).pid(), Comers::of(object));
}

fn call<F: Fn() + Copy>() {
    // SAFETY: who made the barrier had one.
    let action: F = unsafe { conjure() };
    action();
}

impl Barrier {
    /// Makes one for so many parties.
    ///
    /// # Errors
    /// As [`Mutex::new`](super::Mutex::new); InvalidInput: more than 65 535 parties.
    pub fn new(parties: NonZeroUsize) -> io::Result<Self> {
        Self::create(parties, 0)
    }

    /// As [`Self::new`]; the party that comes last calls `action` before any goes on.
    ///
    /// `action` must not capture anything, which is checked when the program is built: it may be called in any process.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_action<F: Fn() + Copy + Send + 'static>(parties: NonZeroUsize, action: F) -> io::Result<Self> {
        const { assert!(size_of::<F>() == 0, "the action of a barrier must not capture anything") }
        let _ = action;
        let shim: fn() = call::<F>;
        Self::create(parties, shim as usize as u64)
    }

    fn create(parties: NonZeroUsize, action: u64) -> io::Result<Self> {
        if parties.get() > MOST {
            let text = format!("a barrier for {parties} parties: at most {MOST} are possible");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let bytes = size_of::<Rounds>() + parties.get() * size_of::<Word64>();
        let handle = Handle::create(Kind::Barrier, bytes, Role::First, |object| {
            let rounds: &Rounds = object.body();
            rounds.parties.set(parties.get() as u64);
            rounds.action.set(action);
        })?;
        Ok(Self { rounds: handle.object().body(), handle })
    }

    /// From now on a [`Self::wait`] takes at most so long, in all processes.
    pub fn default_timeout(self, time: Duration) -> Self {
        self.rounds.time.set(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1));
        self
    }

    /// Waits until all parties are there; which of them this one is, by the order in which they came.
    ///
    /// # Errors
    /// If the barrier is broken, or is broken while this one waits.
    pub fn wait(&self) -> Result<usize, BarrierError> {
        let time = self.rounds.time.get();
        self.wait_until(if time == 0 { Limit::NEVER } else { Limit::after(Duration::from_nanos(time)) })
    }

    /// As [`Self::wait`], at most so long. Then the barrier is broken, for the others too.
    ///
    /// # Errors
    /// As [`Self::wait`], and if not all came in time.
    pub fn wait_timeout(&self, time: Duration) -> Result<usize, BarrierError> {
        self.wait_until(Limit::after(time))
    }

    fn wait_until(&self, limit: Limit) -> Result<usize, BarrierError> {
        let (round, index) = self.come(limit)?;
        if index + 1 == self.parties() {
            self.act(round)?;
            return Ok(index);
        }
        let outcome = self.rounds.bell.wait(limit, || self.rounds.outcome(round)).or_else(|| {
            if self.rounds.break_round(Some(round), false) {
                return None;
            }
            // All are there now: what the last one does is waited for.
            self.rounds.bell.wait(Limit::NEVER, || self.rounds.outcome(round))
        });
        match outcome {
            Some(Outcome::Opened) => Ok(index),
            Some(Outcome::Broken) => Err(self.broken(round)),
            None => Err(BarrierError::Timeout),
        }
    }

    /// Comes to a round as soon as one is open: which, and as which party.
    fn come(&self, limit: Limit) -> Result<(u32, usize), BarrierError> {
        let comers = Comers::of(self.handle.object());
        loop {
            let state = self.rounds.state();
            match state.phase {
                Phase::Broken => return Err(self.broken(state.round)),
                Phase::Open => {
                    if let Some(index) = self.rounds.come(state, family::me(), comers) {
                        return Ok((state.round, index));
                    }
                }
                Phase::Acting => {
                    let is_over = || (self.rounds.state() != state).then_some(());
                    self.rounds.bell.wait(limit, is_over).ok_or(BarrierError::Timeout)?;
                }
            }
        }
    }

    /// All are there, and this one is the last.
    fn act(&self, round: u32) -> Result<(), BarrierError> {
        let action = usize::try_from(self.rounds.action.get()).unwrap_or(0);
        if action != 0 {
            // SAFETY: `with_action` of a process of this same image wrote the address of a function of this type, and a fork has the same
            // functions at the same addresses.
            let action: fn() = unsafe { std::mem::transmute(action) };
            if catch_unwind(AssertUnwindSafe(action)).is_err() {
                self.rounds.break_round(Some(round), true);
                return Err(BarrierError::ActionPanicked);
            }
        }
        if self.rounds.open(round) { Ok(()) } else { Err(self.broken(round)) }
    }

    fn broken(&self, round: u32) -> BarrierError {
        self.rounds.dead_party(round).map_or(BarrierError::Broken, BarrierError::PartyDied)
    }

    /// Breaks it: who waits, and who comes until [`Self::reset`], gets an error.
    pub fn abort(&self) {
        self.rounds.break_round(None, true);
    }

    /// Makes it as new. Who waits gets an error.
    pub fn reset(&self) {
        self.rounds.reset();
    }

    /// Whether it is broken.
    #[doc(alias = "broken")]
    pub fn is_broken(&self) -> bool {
        self.rounds.state().phase == Phase::Broken
    }

    /// How many wait now.
    pub fn n_waiting(&self) -> usize {
        let state = self.rounds.state();
        if state.phase == Phase::Broken { 0 } else { state.count }
    }

    /// How many must come.
    pub fn parties(&self) -> usize {
        usize::try_from(self.rounds.parties.get()).unwrap_or(usize::MAX)
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").field("parties", &self.parties()).finish_non_exhaustive()
    }
}

passed_by_view!(Barrier, rounds);
