//! One run of the threads, in one of the orders that their steps can have.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Body, Threads, words};
use crate::prim::{AtomicU32, Ordering};

/// More steps than any thread of a test needs.
const ENDLESS: usize = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// Nothing, until another dies.
    Unborn,
    Ready,
    /// Sleeps on the word at this address.
    Asleep(usize),
    Dead,
    Ended,
}

/// A place where the schedule could go several ways.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) taken: usize,
    pub(super) ways: usize,
}

#[derive(Debug)]
struct State {
    turn: usize,
    doing: Vec<Doing>,
    path: Vec<Choice>,
    at: usize,
    /// How many threads may still be cut short.
    preemptions: usize,
    /// Whether the first thread can still die.
    mortal: bool,
    steps: usize,
    failure: Option<String>,
    /// All have come to an end.
    ended: bool,
    /// Those that died are let go of.
    over: bool,
}

#[derive(Debug)]
struct Run {
    state: Mutex<State>,
    turns: Vec<Condvar>,
    end: Condvar,
}

/// Thrown through a thread whose run is over.
struct Over;

thread_local! {
    static SELF: RefCell<Option<(Arc<Run>, usize)>> = const { RefCell::new(None) };
    /// The words of who is out of the run, as far as it has used them.
    static DREAM: RefCell<HashMap<usize, u64>> = RefCell::new(HashMap::new());
}

pub(super) fn once(preemptions: usize, path: Vec<Choice>, threads: Threads) -> (Vec<Choice>, Option<String>) {
    let Threads { mut bodies, burial, mut verdict } = threads;
    let mut doing = vec![Doing::Ready; bodies.len()];
    let mortal = burial.is_some();
    if let Some(burial) = burial {
        bodies.push(burial);
        doing.push(Doing::Unborn);
    }
    let turns = doing.iter().map(|_| Condvar::new()).collect();
    let state = State {
        turn: usize::MAX,
        doing,
        path,
        at: 0,
        preemptions,
        mortal,
        steps: 0,
        failure: None,
        ended: false,
        over: false,
    };
    let run = Arc::new(Run { state: Mutex::new(state), turns, end: Condvar::new() });
    std::thread::scope(|scope| {
        for (number, body) in bodies.into_iter().enumerate() {
            let run = Arc::clone(&run);
            scope.spawn(move || run.live(number, body));
        }
        run.begin();
        let mut state = run.end.wait_while(run.lock(), |state| !state.ended).unwrap_or_else(PoisonError::into_inner);
        if let (None, Some(verdict)) = (&state.failure, &mut verdict) {
            state.failure = catch_unwind(AssertUnwindSafe(verdict)).err().map(|panic| words(panic.as_ref()));
        }
        run.let_go(&mut state);
    });
    let mut state = run.lock();
    (std::mem::take(&mut state.path), state.failure.take())
}

/// Whether what a thread does still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Alive,
    /// It was killed, or the run has failed: it unwinds, and what its destructors do must not touch what others have made meanwhile.
    Over,
}

/// A step of this thread follows: others may come before it, or it may never come.
#[inline]
pub(crate) fn step() -> Life {
    let explored = with(|run, me| {
        let mut state = run.lock();
        state.steps += 1;
        if state.steps > ENDLESS {
            run.fail(&mut state, "it does not end".to_owned());
        }
        run.go_on(state, me, Doing::Ready);
    });
    if explored && std::thread::panicking() { Life::Over } else { Life::Alive }
}

/// An operation on the word at `address` in the private copy of who is out of the run; the value before.
pub(in crate::prim) fn dream(address: usize, real: impl FnOnce() -> u64, change: impl FnOnce(u64) -> u64) -> u64 {
    DREAM.with_borrow_mut(|words| {
        let word = words.entry(address).or_insert_with(real);
        let found = *word;
        *word = change(found);
        found
    })
}

/// As futex(2) FUTEX_WAIT, without a time. False: not explored.
pub(crate) fn sleep(word: &AtomicU32, expected: u32) -> bool {
    with(|run, me| {
        // ORDER(test.explore): as the kernel's own look, under its lock: nobody else runs from here until this sleeps.
        if word.load(Ordering::SeqCst) == expected {
            run.go_on(run.lock(), me, Doing::Asleep(word.as_ptr().addr()));
        }
    })
}

/// As futex(2) FUTEX_WAKE; `None`: not explored.
pub(crate) fn wake(word: &AtomicU32, most: u32) -> Option<u32> {
    let mut woken = 0;
    with(|run, me| {
        run.go_on(run.lock(), me, Doing::Ready);
        for doing in &mut run.lock().doing {
            if *doing == Doing::Asleep(word.as_ptr().addr()) && woken < most {
                *doing = Doing::Ready;
                woken += 1;
            }
        }
    })
    .then_some(woken)
}

/// Whether this thread is explored: it must not look at clocks then.
pub(crate) fn is_on() -> bool {
    SELF.with_borrow(Option::is_some)
}

/// Whoever unwinds is out of the run.
fn with(then: impl FnOnce(&Run, usize)) -> bool {
    let Some((run, me)) = SELF.with_borrow(Clone::clone) else { return false };
    if !std::thread::panicking() {
        then(&run, me);
    }
    true
}

impl Run {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Any of the threads may be the first.
    fn begin(&self) {
        let mut state = self.lock();
        let ready = state.doing.iter().filter(|doing| **doing == Doing::Ready).count();
        state.turn = choose(&mut state, ready);
        self.turns[state.turn].notify_one();
    }

    /// A thread's whole life.
    fn live(self: Arc<Self>, me: usize, body: Body) {
        SELF.set(Some((Arc::clone(&self), me)));
        let lived = catch_unwind(AssertUnwindSafe(|| {
            self.await_turn(self.lock(), me);
            body();
        }));
        let mut state = self.lock();
        match lived {
            Err(panic) if panic.is::<Over>() => {}
            Err(panic) => self.fail(&mut state, words(panic.as_ref())),
            Ok(()) => {
                state.doing[me] = Doing::Ended;
                self.choose_next(&mut state, me);
            }
        }
        SELF.set(None);
    }

    /// Ends the run: all that are left are thrown out of it.
    fn fail(&self, state: &mut State, why: String) {
        state.failure.get_or_insert(why);
        self.let_go(state);
        self.end(state);
    }

    fn end(&self, state: &mut State) {
        state.ended = true;
        self.end.notify_all();
    }

    fn let_go(&self, state: &mut State) {
        state.over = true;
        self.turns.iter().for_each(Condvar::notify_all);
    }

    /// Lets the schedule say who is next, this thread being from now on what `doing` says.
    fn go_on(&self, mut state: MutexGuard<'_, State>, me: usize, doing: Doing) {
        state.doing[me] = doing;
        self.choose_next(&mut state, me);
        self.await_turn(state, me);
    }

    fn await_turn(&self, mut state: MutexGuard<'_, State>, me: usize) {
        while !state.over && (state.turn != me || state.doing[me] != Doing::Ready) {
            state = self.turns[me].wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.over {
            drop(state);
            resume_unwind(Box::new(Over));
        }
    }

    fn choose_next(&self, state: &mut State, me: usize) {
        if state.over {
            return;
        }
        let can_go_on = state.doing[me] == Doing::Ready;
        let ready = |state: &State| {
            (0..state.doing.len()).filter(|one| *one != me && state.doing[*one] == Doing::Ready).count()
        };
        let others = if can_go_on && state.preemptions == 0 { 0 } else { ready(state) };
        let may_die = me == 0 && can_go_on && state.mortal;
        let ways = usize::from(can_go_on) + others + usize::from(may_die);
        if ways == 0 {
            return self.come_to_an_end(state);
        }
        let way = choose(state, ways);
        if can_go_on && way == 0 {
            return;
        }
        if may_die && way == ways - 1 {
            return self.die(state, me);
        }
        state.preemptions -= usize::from(can_go_on);
        let nth = way - usize::from(can_go_on);
        let mut ready = (0..state.doing.len()).filter(|one| *one != me && state.doing[*one] == Doing::Ready);
        state.turn = ready.nth(nth).unwrap_or(me);
        self.turns[state.turn].notify_one();
    }

    /// The thread stays where it is, and its burial can begin.
    fn die(&self, state: &mut State, me: usize) {
        state.mortal = false;
        state.doing[me] = Doing::Dead;
        for doing in &mut state.doing {
            if *doing == Doing::Unborn {
                *doing = Doing::Ready;
            }
        }
        self.choose_next(state, me);
    }

    fn come_to_an_end(&self, state: &mut State) {
        let asleep: Vec<usize> =
            (0..state.doing.len()).filter(|one| matches!(state.doing[*one], Doing::Asleep(_))).collect();
        if asleep.is_empty() {
            self.end(state);
        } else {
            self.fail(state, format!("threads {asleep:?} sleep for ever"));
        }
    }
}

fn choose(state: &mut State, ways: usize) -> usize {
    if ways == 1 {
        return 0;
    }
    let at = state.at;
    state.at += 1;
    if at == state.path.len() {
        state.path.push(Choice { taken: 0, ways });
    }
    let choice = state.path[at];
    assert_eq!(choice.ways, ways, "the same schedule led elsewhere: something besides the schedule decides");
    choice.taken
}
