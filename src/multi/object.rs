//! What processes share and hold: a block with a count, per process, of who holds it. So it is known when nobody holds it any more, also
//! if somebody was killed who did.

use std::cell::Cell;
use std::io;

use super::arena::{BlockId, Kind, MEMBERS, Words};
use super::family;
use super::sweep;
use super::word::{Word32, Word64};
use crate::prim::AtomicU64;

/// As what something is held. What the two are depends on the kind: producers and consumers, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    First,
    Second,
}

impl Role {
    fn one(self) -> u64 {
        match self {
            Self::First => 1,
            Self::Second => 1 << ROLE_BITS,
        }
    }

    fn index(self) -> usize {
        usize::from(self == Self::Second)
    }

    fn of(self, counts: u64) -> u64 {
        (counts / self.one()) & ((1 << ROLE_BITS) - 1)
    }
}

/// Bits of a count in one role.
const ROLE_BITS: u32 = 28;
/// One that holds it only to look at it: who has let go of the last of a role and sees whether the others have, too.
const LOOKER: u64 = 1 << (2 * ROLE_BITS);

/// First words of a block.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Header {
    generation: Word64,
    /// How often a member became one that holds it: who adds up meanwhile begins anew.
    moves: Word32,
    reserved: Word32,
    /// By role, how many messages have it on board, and above that how often that has changed.
    away: [Word64; 2],
    /// By member, how many holders it has: of the first role in the lowest bits, then of the second, then those that only look. Of the
    /// place that is nobody's, none.
    counts: [Word64; MEMBERS],
}

// SAFETY: words only.
#[allow(unsafe_code)]
unsafe impl Words for Header {}

/// Where a kind's own words begin in the block.
pub(super) const BODY: usize = size_of::<Header>().next_multiple_of(128);

/// Of a word of [`Header::away`], one change.
const CHANGE: u64 = 1 << 32;

fn messages(word: u64) -> u64 {
    word & (CHANGE - 1)
}

thread_local! {
    /// Not 0: what is dropped goes to this member, a child that has just been forked and holds the same.
    static HEIR: Cell<usize> = const { Cell::new(0) };
}

/// Whether what is dropped now lives on in a child.
pub(super) fn is_bequeathing() -> bool {
    heir().is_some()
}

/// The child that inherits what is dropped now.
pub(super) fn heir() -> Option<usize> {
    Some(HEIR.get()).filter(|heir| *heir != 0)
}

/// Drops `value`, whose handles the child `heir` has inherited: they are its from now on.
pub(super) fn bequeath<T>(heir: usize, value: T) {
    struct Bequeathing;
    impl Drop for Bequeathing {
        fn drop(&mut self) {
            HEIR.set(0);
        }
    }
    // Also if a destructor panics.
    let _bequeathing = Bequeathing;
    HEIR.set(heir);
    drop(value);
}

/// An object, not held by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) block: BlockId,
    pub(super) generation: u64,
}

impl Object {
    pub(super) fn header(self) -> &'static Header {
        family::get().arena.view(self.block, 0)
    }

    /// The object in that block now, with whoever holds it.
    pub(super) fn in_block(block: BlockId) -> Self {
        let header: &Header = family::get().arena.view(block, 0);
        Self { block, generation: header.generation.get() }
    }

    /// Whether it is still what lies in its block.
    pub(super) fn is_current(self) -> bool {
        Self::in_block(self.block) == self
    }

    /// Its own words.
    pub(super) fn body<T: Words>(self) -> &'static T {
        family::get().arena.view(self.block, BODY)
    }

    /// That many words at `offset` of its block.
    ///
    /// # Panics
    /// If they do not lie in the memory, or are not aligned there: places come from our own layouts.
    pub(super) fn words(self, offset: usize, count: usize) -> &'static [AtomicU64] {
        let place = family::get().arena.place(self.block, offset, count.saturating_mul(8)).cast::<AtomicU64>();
        assert!(place.is_aligned(), "offset {offset} is not aligned for words");
        // SAFETY: within the family's memory, as `place` has checked, which is never unmapped; aligned; atomics may be shared with anybody.
        #[allow(unsafe_code)]
        unsafe {
            std::slice::from_raw_parts(place.as_ptr(), count)
        }
    }

    /// How many hold it in that role, members and messages.
    pub(super) fn holders(self, role: Role) -> u64 {
        self.total(|counts| role.of(counts), |away| messages(away[role.index()].get()))
    }

    /// Whether none but lookers hold it.
    pub(super) fn is_left(self) -> bool {
        let held = |counts| u64::from(Role::First.of(counts) + Role::Second.of(counts) != 0);
        self.total(held, Self::all_messages) == 0
    }

    /// Whether nobody holds it.
    fn is_unused(self) -> bool {
        self.total(|counts| u64::from(counts != 0), Self::all_messages) == 0
    }

    fn all_messages(away: &[Word64; 2]) -> u64 {
        away.iter().map(|word| messages(word.get())).sum()
    }

    fn total(self, of: impl Fn(u64) -> u64, on_board: impl Fn(&[Word64; 2]) -> u64) -> u64 {
        let header = self.header();
        loop {
            let moves = header.moves.get();
            let sum = on_board(&header.away) + header.counts.iter().map(|counts| of(counts.get())).sum::<u64>();
            if header.moves.get() == moves {
                return sum;
            }
        }
    }

    /// One holder more, of an object that nobody else knows yet.
    pub(super) fn hold(self, role: Role) {
        self.add(family::me(), role);
    }

    fn add(self, member: usize, role: Role) {
        let header = self.header();
        if role.of(header.counts[member].add(role.one())) == 0 {
            // Who adds up now may have passed this member, and find gone those that are still to come.
            header.moves.add(1);
        }
    }

    /// Moves one from `from` to `to`. One for which `from` was never counted is from now on.
    fn shift(self, from: usize, to: usize, role: Role) {
        self.add(to, role);
        self.take_away(from, role, 0);
    }

    /// Counts one less for a member, in the same step one who `stays` to look if it was the last; how many there were. None if there were
    /// none: a handle that came into a child otherwise than by its work (in a static, say) was never counted there.
    fn take_away(self, member: usize, role: Role, stays: u64) -> u64 {
        let counts = &self.header().counts[member];
        let mut before = counts.get();
        while role.of(before) > 0 {
            let looks = if role.of(before) == 1 { stays } else { 0 };
            match counts.replace(before, before - role.one() + looks) {
                Ok(()) => break,
                Err(found) => before = found,
            }
        }
        role.of(before)
    }

    /// One holder less. Who sees whether it was the last holds it that long: else what is seen could be another's by then.
    fn release(self, member: usize, role: Role) {
        if self.take_away(member, role, LOOKER) != 1 {
            return;
        }
        if let Some((kind, _)) = family::get().arena.find(self.block) {
            sweep::let_go(kind, self, role);
        }
        self.look_away(member);
        self.free_if_unused(family::me());
    }

    /// One that only looks at it more, for a member.
    pub(super) fn look(self, member: usize) {
        self.header().counts[member].add(LOOKER);
    }

    /// Ends [`Self::look`].
    pub(super) fn look_away(self, member: usize) {
        self.header().counts[member].sub(LOOKER);
    }

    /// Whether messages have it on board in that role.
    pub(super) fn is_on_board(self, role: Role) -> bool {
        messages(self.header().away[role.index()].get()) != 0
    }

    /// Whether that member holds it.
    pub(super) fn is_held_by(self, member: usize) -> bool {
        self.header().counts[member].get() != 0
    }

    /// Whether that member holds it in that role.
    pub(super) fn is_held_as(self, member: usize, role: Role) -> bool {
        role.of(self.header().counts[member].get()) != 0
    }

    /// All that a dead member held is given back.
    pub(super) fn take_from_the_dead(self, dead: usize) {
        self.header().counts[dead].set(0);
    }

    /// Frees it if nobody holds it.
    pub(super) fn free_if_unused(self, me: usize) {
        if self.is_unused() {
            family::get().arena.free(u16::try_from(me).unwrap_or(0), self.block, self.generation);
        }
    }

    /// It goes on board of a message, which holds it from now on.
    pub(super) fn send_off(self, role: Role) {
        let header = self.header();
        if messages(header.away[role.index()].add(CHANGE + 1)) == 0 {
            // As in `add`.
            header.moves.add(1);
        }
    }

    /// A message that held it has come to its end: whoever received it holds it by now, or nobody will.
    pub(super) fn arrive(self, role: Role) {
        // Ours as long as this takes, so that whoever was the last lets go as others do.
        let me = family::me();
        self.add(me, role);
        self.header().away[role.index()].add(CHANGE - 1);
        self.release(me, role);
    }

    /// Corrects how many messages hold it by what `count` finds; false if that changed meanwhile, or could not be counted.
    pub(super) fn recount(self, role: Role, count: impl FnOnce() -> Option<u64>) -> bool {
        let word = &self.header().away[role.index()];
        let before = word.get();
        let corrected = |found: u64| (before - messages(before)).wrapping_add(CHANGE + found);
        // Also if it is as many: one of those found may have been sent meanwhile, and one of those counted never.
        count().is_some_and(|found| word.replace(before, corrected(found)).is_ok())
    }
}

/// An object, held.
#[derive(Debug)]
pub(super) struct Handle {
    object: Object,
    role: Role,
}

impl Handle {
    /// Makes an object of `kind` with `bytes` of its own after the header, zeroed, and set up by `set_up`; held once in that role.
    ///
    /// # Errors
    /// If there is no memory, or no family and none can be made.
    pub(super) fn create(kind: Kind, bytes: usize, role: Role, set_up: impl FnOnce(Object)) -> io::Result<Self> {
        let family = family::join()?;
        let total = BODY.checked_add(bytes).ok_or(io::ErrorKind::OutOfMemory)?;
        let mut made = None;
        family.arena.take(family::me16(), kind, total, |block, generation| {
            let object = Object { block, generation };
            object.header().generation.set(generation);
            object.add(family::me(), role);
            set_up(object);
            made = Some(object);
        })?;
        let object = made.ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { object, role })
    }

    pub(super) fn object(&self) -> Object {
        self.object
    }

    /// Another, in that role.
    pub(super) fn another(&self, role: Role) -> Self {
        Self::join(self.object, role)
    }

    /// Another hold on what is known to be held by somebody else as long as this call takes.
    pub(super) fn join(object: Object, role: Role) -> Self {
        object.add(family::me(), role);
        Self { object, role }
    }

    /// A hold that was [forgotten](std::mem::forget) by this process.
    pub(super) fn assume(object: Object, role: Role) -> Self {
        Self { object, role }
    }

    /// Another hold on what a message has on board, which is held by that as long as this call takes; `None` if it is not of that kind
    /// and role.
    pub(super) fn receive(kind: Kind, (object, sent): (Object, Role), role: Role) -> Option<Self> {
        let (found, _) = family::get().arena.find(object.block)?;
        (found == kind && sent == role && object.is_current()).then(|| Self::join(object, role))
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        self.another(self.role)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        match HEIR.get() {
            0 => self.object.release(family::me(), self.role),
            heir => self.object.shift(family::me(), heir, self.role),
        }
    }
}
