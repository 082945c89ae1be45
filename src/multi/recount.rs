//! How many messages have an object on board, counted anew: after the death of one that had taken on board what it had not counted yet, or
//! the other way round, and could not say which. By the launcher alone.

use super::arena::{BlockId, Kind};
use super::family;
use super::object::{Handle, Object, Role};
use super::waybill::Waybill;
use super::{pool, queue, spsc};

/// An object that may be counted as on board once too often.
pub(super) type Suspect = (Object, Role);

/// Whether a block of that kind has messages.
pub(super) fn has_messages(kind: Kind) -> bool {
    matches!(kind, Kind::Queue | Kind::Pipe | Kind::Spsc | Kind::Tasks | Kind::Job)
}

/// What the messages in an object have on board.
pub(super) fn waybills(kind: Kind, object: Object) -> Box<dyn Iterator<Item = Waybill>> {
    match kind {
        Kind::Queue | Kind::Pipe => Box::new(queue::waybills(object)),
        Kind::Spsc => Box::new(spsc::waybills(object)),
        Kind::Tasks => Box::new(pool::waybills_of_tasks(object)),
        Kind::Job => Box::new(pool::waybills_of_job(object)),
        _ => Box::new(std::iter::empty()),
    }
}

/// What all members' pages have on board: arguments and answers.
pub(super) fn waybills_of_members() -> impl Iterator<Item = Waybill> {
    family::members().map(|(place, _)| family::waybill(place))
}

/// All that messages have on board.
pub(super) fn all_on_board() -> impl Iterator<Item = Suspect> {
    let objects = family::get().arena.blocks().map(|(block, _)| Object::in_block(block));
    let suspects = objects.flat_map(|object| [(object, Role::First), (object, Role::Second)]);
    suspects.filter(|(object, role)| object.is_on_board(*role))
}

/// Counts the suspects; those that are being sent or received just now are left, to be counted again.
pub(super) fn recount(suspects: &mut Vec<Suspect>) {
    suspects.retain(|suspect| !is_settled(*suspect, || on_board(*suspect)));
}

/// Whether one is counted as `count` has it, or is not there any more.
pub(super) fn is_settled((object, role): Suspect, count: impl FnOnce() -> Option<u64>) -> bool {
    let arena = &family::get().arena;
    if !arena.pin(object.block) {
        return arena.find(object.block).is_none();
    }
    // If it is still that: held by us from here on, so that whoever was its last is seen to be.
    let held = object.is_current().then(|| Handle::join(object, role));
    arena.unpin(object.block);
    match &held {
        Some(_) => object.recount(role, count),
        None => {
            // Who wanted to free what is there meanwhile has left that to us.
            Object::in_block(object.block).free_if_unused(family::me());
            true
        }
    }
}

/// How many messages have it on board; `None` if one is just being loaded with it, or unloaded.
fn on_board(suspect: Suspect) -> Option<u64> {
    let arena = &family::get().arena;
    let pages: u64 = waybills_of_members().map(|waybill| waybill.count_of(suspect)).sum::<Option<u64>>()?;
    let in_block = |(block, kind): (BlockId, Kind)| {
        // One that is being freed has nothing on board any more.
        if !has_messages(kind) || !arena.pin(block) {
            return Some(0);
        }
        let messages = Object::in_block(block);
        let sum: Option<u64> = waybills(kind, messages).map(|waybill| waybill.count_of(suspect)).sum();
        arena.unpin(block);
        messages.free_if_unused(family::me());
        sum
    };
    arena.blocks().map(in_block).sum::<Option<u64>>().map(|blocks| blocks + pages)
}
