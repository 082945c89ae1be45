//! The processes of a family: a page of shared memory for each.

use super::arena::Words;
use super::bell::Bell;
use super::error::ExitStatus;
use super::word::{Word32, Word64};

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum State {
    /// Nobody.
    Free = 0,
    /// Taken by who wants to start a process.
    Reserved = 1,
    /// There is, or will be in a moment, a process.
    Running = 2,
    /// It has ended, and what it held has been given back.
    Ended = 3,
    /// A process of the launcher's waits there for who wants to start one.
    StandingBy = 4,
}

impl State {
    fn of(number: u32) -> Self {
        [Self::Reserved, Self::Running, Self::Ended, Self::StandingBy]
            .into_iter()
            .find(|state| *state as u32 == number)
            .unwrap_or(Self::Free)
    }
}

/// The part of a member's word that is its state.
const STATE: u32 = 0xff;

/// What a process left as the answer of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Answer {
    None = 0,
    Value = 1,
    Panicked = 2,
    /// The value did not fit; how large it was.
    TooLarge = 3,
}

impl Answer {
    fn of(number: u32) -> Self {
        [Self::Value, Self::Panicked, Self::TooLarge]
            .into_iter()
            .find(|answer| *answer as u32 == number)
            .unwrap_or(Self::None)
    }
}

/// It must not outlive its parent, and has no children of its own.
pub(super) const DAEMON: u32 = 1;
/// Forked by the launcher, which therefore reaps it.
pub(super) const LAUNCHED: u32 = 2;
/// Nobody will ask how it ended.
pub(super) const DETACHED: u32 = 4;
/// It is ended when its parent ends.
pub(super) const BOUND: u32 = 8;
/// Another is started in its place when it ends.
pub(super) const REVIVE: u32 = 16;
/// It has made memory with a name, which may be left behind.
pub(super) const NAMES: u32 = 32;

/// It is to be killed.
pub(super) const DOOMED: u32 = 64;

/// Above a pid, which never has so many bits: that process is not there any more, and none that was forked then is to be.
const ABSENT: u32 = 1 << 31;

/// Most bytes of a name.
pub(super) const NAME: usize = 64;

/// What is known of a process. By its fields' order in shared memory.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Member {
    /// In the lowest byte a [`State`]; unless that is Free, above it the place of the member that started it, and as much of that one's
    /// generation as there is room for: so there is no moment in which it is not known whose it is.
    state: Word32,
    /// Its process, perhaps [`ABSENT`].
    pub(super) pid: Word32,
    /// Pid of the process that started it.
    pub(super) parent_pid: Word32,
    pub(super) flags: Word32,
    /// How it ended: 0 as long as that is not known.
    status: Word32,
    /// Its parent has given it what its work holds.
    pub(super) released: Word32,
    reserved: Word32,
    /// How many processes it has started.
    pub(super) children: Word32,
    /// How often another was started in its place.
    pub(super) restarts: Word32,
    answer: Word32,
    /// Another number for each process that has this place.
    generation: Word32,
    /// Bytes of the answer.
    pub(super) answer_len: Word32,
    /// The kind of work the launcher is to start it with, and its arguments.
    pub(super) job: [Word64; 4],
    /// Of a pool's worker, how many tasks it and those before it have begun.
    pub(super) tasks: Word64,
    /// Of what it waits for among other things, something has changed.
    pub(super) bell: Bell,
    /// It has been released, has started, has ended.
    pub(super) news: Bell,
    /// What its argument, or its answer, has on board.
    pub(super) goods: Word64,
    name: [Word64; NAME / 8],
}

// SAFETY: words only.
#[allow(unsafe_code)]
unsafe impl Words for Member {}

/// Where the answer begins in the page.
pub(super) const ANSWER_AT: usize = 512;
const _: () = assert!(size_of::<Member>() <= ANSWER_AT);
/// Bytes of an answer.
pub(super) const ANSWER: usize = super::arena::UNIT - ANSWER_AT;

impl Member {
    /// Takes it for a child of the member at that place, if it is free.
    pub(super) fn reserve(&self, (place, parent): (usize, &Self), flags: u32, name: &str) -> bool {
        if self.state.replace(State::Free as u32, State::Reserved as u32 | parent.as_parent(place)).is_err() {
            return false;
        }
        for word in [&self.pid, &self.status, &self.released, &self.children, &self.answer, &self.answer_len] {
            word.set(0);
        }
        self.restarts.set(0);
        self.tasks.set(0);
        self.generation.add(1);
        self.parent_pid.set(parent.pid());
        self.flags.set(flags);
        self.set_name(name);
        true
    }

    /// Which of the processes that have had this place it is.
    pub(super) fn generation(&self) -> u32 {
        self.generation.get()
    }

    pub(super) fn state(&self) -> State {
        State::of(self.state.get() & STATE)
    }

    pub(super) fn set_state(&self, state: State) {
        let mut found = self.state.get();
        let new = |found| if state == State::Free { 0 } else { found & !STATE | state as u32 };
        while let Err(other) = self.state.replace(found, new(found)) {
            found = other;
        }
        self.news.ring_all();
    }

    /// Takes it, which stands by, for a child of the member at that place; false if another was faster, or the launcher.
    pub(super) fn engage(&self, (place, parent): (usize, &Self), flags: u32, name: &str) -> bool {
        if !self.stands_by_no_longer(|_| State::Running as u32 | parent.as_parent(place)) {
            return false;
        }
        self.parent_pid.set(parent.pid());
        self.set_flag(flags);
        self.set_name(name);
        true
    }

    /// The launcher takes it back, which stands by; false if somebody was faster.
    pub(super) fn recall(&self) -> bool {
        self.stands_by_no_longer(|found| found & !STATE | State::Reserved as u32)
    }

    fn stands_by_no_longer(&self, state: impl FnOnce(u32) -> u32) -> bool {
        let found = self.state.get();
        State::of(found & STATE) == State::StandingBy && self.state.replace(found, state(found)).is_ok()
    }

    /// What a child's state says of it, at that place.
    fn as_parent(&self, place: usize) -> u32 {
        u32::try_from(place).unwrap_or(0) << 8 | self.generation.get() << 16
    }

    /// Place of the member that started it; 0: none.
    pub(super) fn parent(&self) -> usize {
        (self.state.get() >> 8 & 0xff) as usize
    }

    /// Whether it was started by the process that is at that place now.
    pub(super) fn is_child_of(&self, place: usize, parent: &Self) -> bool {
        self.state.get() & !STATE == parent.as_parent(place) && place != 0
    }

    /// Whether the process that started it is still the one at its place.
    pub(super) fn has_parent(&self, parent: &Self) -> bool {
        self.is_child_of(self.parent(), parent)
    }

    /// Frees it, once `settle` has given back what it left, if it has ended and nobody will ask how. By the member at that place: should
    /// that be killed, it is known whose the rest is to do.
    pub(super) fn free_if_detached(&self, (place, own): (usize, &Self), settle: impl FnOnce()) {
        let found = self.state.get();
        let ours = State::Reserved as u32 | own.as_parent(place);
        // One of two at a time: once it is free another may have the place, and settle what is its own.
        if self.is(DETACHED) && State::of(found & STATE) == State::Ended && self.state.replace(found, ours).is_ok() {
            settle();
            self.set_state(State::Free);
        }
    }

    pub(super) fn is(&self, flag: u32) -> bool {
        self.flags.get() & flag != 0
    }

    pub(super) fn set_flag(&self, flag: u32) {
        self.flags.include(flag);
    }

    pub(super) fn clear_flag(&self, flag: u32) {
        self.flags.exclude(flag);
    }

    /// It holds what it is to hold: it may begin.
    pub(super) fn release(&self) {
        self.released.set(1);
        self.news.ring_all();
    }

    /// Its process; 0: there was none yet.
    pub(super) fn pid(&self) -> u32 {
        self.pid.get() & !ABSENT
    }

    /// The process that was forked for it says which it is, if `is_expected` by who forked it; false: it is not, any more.
    pub(super) fn claim(&self, pid: u32, is_expected: impl FnOnce() -> bool) -> bool {
        let found = self.pid.get();
        // Who forked it says the same.
        found == pid || is_expected() && (self.pid.replace(found, pid).is_ok() || self.pid.get() == pid)
    }

    /// Its process, if `is_there` finds it; if not, none that was forked for it can claim to be it any more.
    pub(super) fn seek(&self, is_there: impl Fn(i32) -> bool) -> Option<i32> {
        loop {
            let found = self.pid.get();
            let pid = i32::try_from(found).ok().filter(|pid| *pid != 0 && is_there(*pid));
            if pid.is_some() || self.pid.replace(found, found | ABSENT).is_ok() {
                return pid;
            }
        }
    }

    /// Another is about to be started in its place.
    pub(super) fn revive(&self) {
        self.restarts.add(1);
        for word in [&self.status, &self.children, &self.answer, &self.answer_len] {
            word.set(0);
        }
    }

    pub(super) fn answer(&self) -> Answer {
        Answer::of(self.answer.get())
    }

    pub(super) fn set_answer(&self, answer: Answer, len: usize) {
        self.answer_len.set(u32::try_from(len).unwrap_or(u32::MAX));
        self.answer.set(answer as u32);
    }

    pub(super) fn status(&self) -> Option<ExitStatus> {
        ExitStatus::unpack(self.status.get())
    }

    pub(super) fn set_status(&self, status: ExitStatus) {
        self.status.set(ExitStatus::pack(Some(status)));
    }

    pub(super) fn name(&self) -> String {
        self.short_name().as_str().into()
    }

    /// The same, without the heap: before and after a fork a page of that would have to be copied.
    pub(super) fn short_name(&self) -> heapless::String<NAME> {
        let bytes = self.name_bytes().into_iter().take_while(|byte| *byte != 0).collect();
        // It was one when it was written.
        heapless::String::from_utf8(bytes).unwrap_or_default()
    }

    /// Its name, zeros behind it.
    pub(super) fn name_bytes(&self) -> [u8; NAME] {
        let mut bytes = [0; NAME];
        for (part, word) in bytes.chunks_exact_mut(8).zip(&self.name) {
            part.copy_from_slice(&word.get().to_le_bytes());
        }
        bytes
    }

    /// Names it; what is too long is cut.
    pub(super) fn set_name(&self, name: &str) {
        let end = (0..=name.len().min(NAME)).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
        let mut bytes = [0; NAME];
        bytes[..end].copy_from_slice(&name.as_bytes()[..end]);
        for (word, part) in self.name.iter().zip(bytes.chunks_exact(8)) {
            word.set(part.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)));
        }
    }
}
