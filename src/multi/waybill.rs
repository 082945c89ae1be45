//! Which objects a message has on board. It lies beside the message, and says so in words that everybody can read who knows nothing of the
//! message's type: so whoever finds a message that nobody will receive any more can let go of what it holds.
//!
//! ```text
//!         load            all are on board        settle           all are let go of
//! Empty --------> Open(me) --------------> Sealed -------> Open(me) ----------------> Empty
//! ```
//!
//! An object on board is held by its message: [`Object::send_off`] counts that, [`Object::arrive`] ends it. A member that is killed while
//! it has a bill open may have counted what is not on board, or may not have ended what is. Never the other way round: what is too much
//! is taken back by the [recount](super::recount), as the open bill says of what.

use super::arena::{BlockId, Words};
use super::family;
use super::object::{Object, Role};
use super::word::Word64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Empty = 0,
    Open = 1,
    Sealed = 2,
}

/// What the first word of a bill says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    phase: Phase,
    /// How many objects are entered.
    count: u16,
    /// Of an open one, whose it is.
    owner: u8,
    /// Another for each message.
    number: u32,
}

impl State {
    fn pack(self) -> u64 {
        let low = self.phase as u64 | u64::from(self.count) << 8 | u64::from(self.owner) << 24;
        low | u64::from(self.number) << 32
    }

    fn unpack(word: u64) -> Self {
        let [phase, low, high, owner, ..] = word.to_le_bytes();
        let phase = [Phase::Open, Phase::Sealed].into_iter().find(|one| *one as u8 == phase);
        let number = u32::try_from(word >> 32).unwrap_or(0);
        Self { phase: phase.unwrap_or(Phase::Empty), count: u16::from_le_bytes([low, high]), owner, number }
    }
}

/// An object on board.
#[repr(C)]
struct Entry {
    /// Its block, and above that 1 if it is held in the second role.
    what: Word64,
    generation: Word64,
}

// SAFETY: words only.
#[allow(unsafe_code)]
unsafe impl Words for Entry {}

/// Bytes that the entries of so many objects take.
pub(super) const fn entries(objects: usize) -> usize {
    objects * size_of::<Entry>()
}

/// Bytes that a bill for so many objects takes: none for none.
pub(super) const fn bytes(objects: usize) -> usize {
    if objects == 0 { 0 } else { size_of::<Word64>() + entries(objects) }
}

fn me() -> u8 {
    u8::try_from(family::me()).unwrap_or(0)
}

/// Where a bill is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waybill {
    head: &'static Word64,
    block: BlockId,
    /// Where the entries end in their block, the first of them last.
    end: usize,
}

impl Waybill {
    /// One for at most `most` objects, at that offset of a block.
    pub(super) fn at(block: BlockId, offset: usize, most: usize) -> Self {
        Self { head: family::get().arena.view(block, offset), block, end: offset + bytes(most) }
    }

    /// One whose entries are at the end of a message's room.
    pub(super) fn behind(head: &'static Word64, block: BlockId, end: usize) -> Self {
        Self { head, block, end: end & !7 }
    }

    fn state(self) -> State {
        State::unpack(self.head.get())
    }

    fn entry(self, number: u16) -> &'static Entry {
        family::get().arena.view(self.block, self.end - entries(usize::from(number) + 1))
    }

    fn object(self, number: u16) -> (Object, Role) {
        let entry = self.entry(number);
        let what = entry.what.get();
        let block = BlockId(u32::try_from(what & 0xffff_ffff).unwrap_or(0));
        let role = if what >> 32 == 0 { Role::First } else { Role::Second };
        (Object { block, generation: entry.generation.get() }, role)
    }

    /// Takes on board what `load` says.
    pub(super) fn load(self, load: impl FnOnce(&mut Sending)) {
        let number = self.state().number.wrapping_add(1);
        let mut sending = Sending { waybill: self, state: State { phase: Phase::Open, count: 0, owner: me(), number } };
        self.head.set(sending.state.pack());
        load(&mut sending);
        self.head.set(State { phase: Phase::Sealed, ..sending.state }.pack());
    }

    /// What is on board, for who receives it.
    pub(super) fn goods(self) -> Goods {
        let state = self.state();
        Goods { waybill: Some(self), next: 0, count: if state.phase == Phase::Sealed { state.count } else { 0 } }
    }

    /// Whether nothing was taken on board, or all was let go of.
    pub(super) fn is_empty(self) -> bool {
        self.state().phase == Phase::Empty
    }

    /// The message ends: what is still on board is let go of, by one of those who see it.
    pub(super) fn settle(self) {
        let found = self.state();
        let open = State { phase: Phase::Open, owner: me(), ..found };
        if found.phase != Phase::Sealed || self.head.replace(found.pack(), open.pack()).is_err() {
            return;
        }
        for number in 0..found.count {
            let (object, role) = self.object(number);
            object.arrive(role);
        }
        self.head.set(State { phase: Phase::Empty, count: 0, owner: 0, ..found }.pack());
    }

    /// Closes it if the member `dead` had it open: all that may be counted too high goes to `suspects`.
    pub(super) fn take_from_the_dead(self, dead: usize, suspects: &mut Vec<(Object, Role)>) {
        let found = self.state();
        if found.phase == Phase::Open && usize::from(found.owner) == dead {
            suspects.extend((0..found.count).map(|number| self.object(number)));
            self.head.set(State { phase: Phase::Empty, count: 0, owner: 0, ..found }.pack());
        }
    }

    /// How often this object is on board in that role; `None`: that is about to change.
    pub(super) fn count_of(self, wanted: (Object, Role)) -> Option<u64> {
        let word = self.head.get();
        let state = State::unpack(word);
        if state.phase == Phase::Empty {
            return Some(0);
        }
        let found = (0..state.count).filter(|number| self.object(*number) == wanted).count() as u64;
        (self.head.get() == word && (found == 0 || state.phase == Phase::Sealed)).then_some(found)
    }
}

/// Given to what is sent, and made by nobody but who sends: [`Message::sent`](super::Message::sent). Public in a module that is not.
#[derive(Debug)]
pub struct Sending {
    waybill: Waybill,
    state: State,
}

impl Sending {
    /// Takes an object on board.
    pub(super) fn take(&mut self, object: Object, role: Role) {
        let entry = self.waybill.entry(self.state.count);
        entry.what.set(u64::from(object.block.0) | u64::from(role == Role::Second) << 32);
        entry.generation.set(object.generation);
        self.state.count += 1;
        // Before it is counted, so that it is known of what there may be one too many.
        self.waybill.head.set(self.state.pack());
        object.send_off(role);
    }
}

/// What is on board of a message that is being received, one after another.
#[derive(Debug)]
pub(super) struct Goods {
    waybill: Option<Waybill>,
    next: u16,
    count: u16,
}

impl Goods {
    pub(super) const NONE: Self = Self { waybill: None, next: 0, count: 0 };

    pub(super) fn next(&mut self) -> Option<(Object, Role)> {
        let waybill = self.waybill.filter(|_| self.next < self.count)?;
        self.next += 1;
        Some(waybill.object(self.next - 1))
    }
}

/// Settles a bill also if a value's own code panics while it is made.
pub(super) struct Settling(pub(super) Waybill);

impl Drop for Settling {
    fn drop(&mut self) {
        self.0.settle();
    }
}
