//! What is done when a process has ended, however it did: what it held is given back, what it had begun is undone, and everybody who may
//! have waited for it looks again. Done by the launcher alone, and the same when done twice.

use super::arena::{BlockId, Kind};
use super::object::{Object, Role};
use super::permits::Permits;
use super::recount::{self, Suspect};
use super::waiting::Waiting;
use super::waybill::Waybill;
use super::{array, barrier, event, family, mutex, pool, queue, spsc};

/// Gives back what the member `dead` held. By `me`. What it may have counted too high is added to `suspects`.
pub(super) fn sweep(me: usize, dead: usize, suspects: &mut Vec<Suspect>) {
    let arena = &family::get().arena;
    close_all_bills(me, dead, suspects);
    for (block, kind) in arena.blocks() {
        sweep_block(me, dead, block, kind);
    }
}

/// What a launcher does that takes over from one that was killed, `me` like itself: all that the one before may have been in the middle of is
/// undone, or done once more.
pub(super) fn resume(me: usize, suspects: &mut Vec<Suspect>) {
    let arena = &family::get().arena;
    arena.blocks().for_each(|(block, _)| arena.unpin(block));
    close_all_bills(me, me, suspects);
    for (block, kind) in arena.blocks().filter(|(block, _)| arena.pin(*block)) {
        let object = Object::in_block(block);
        let was_looked_at = object.is_held_by(me);
        object.take_from_the_dead(me);
        // Also where it held nothing: who was about to be woken is.
        bereave(kind, object, me);
        if kind == Kind::Pool {
            pool::resume(object);
        }
        if was_looked_at {
            if kind == Kind::Condvar {
                // It may have been about to notify another in place of the dead.
                object.body::<Waiting>().notify(1);
            }
            role_is_gone(kind, object, 0);
            unload_if_left(kind, object);
        }
        arena.unpin(block);
        object.free_if_unused(me);
    }
}

/// Undoes the dead member's claims of memory, and closes its bills. First of all: what is given back after this is closed by then, wherever it
/// lies.
fn close_all_bills(me: usize, dead: usize, suspects: &mut Vec<Suspect>) {
    let arena = &family::get().arena;
    let number = |place: usize| u16::try_from(place).unwrap_or(0);
    arena.sweep(number(me), number(dead));
    arena.blocks().for_each(|(block, kind)| close_bills(me, dead, (block, kind), suspects));
    recount::waybills_of_members().for_each(|waybill| waybill.take_from_the_dead(dead, suspects));
}

/// Closes the bills that the dead member had open there.
pub(super) fn close_bills(me: usize, dead: usize, (block, kind): (BlockId, Kind), suspects: &mut Vec<Suspect>) {
    let arena = &family::get().arena;
    if recount::has_messages(kind) && arena.pin(block) {
        let object = Object::in_block(block);
        recount::waybills(kind, object).for_each(|waybill| waybill.take_from_the_dead(dead, suspects));
        arena.unpin(block);
        object.free_if_unused(me);
    }
}

pub(super) fn sweep_block(me: usize, dead: usize, block: BlockId, kind: Kind) {
    let arena = &family::get().arena;
    // Freed by now, if not.
    if !arena.pin(block) {
        return;
    }
    let object = Object::in_block(block);
    if object.is_held_by(dead) {
        // One that only looked whether it was the last to let go had let go.
        let had_a_role = [Role::First, Role::Second].into_iter().any(|role| object.is_held_as(dead, role));
        // Should we be killed, it is known where.
        object.look(me);
        bereave(kind, object, dead);
        object.take_from_the_dead(dead);
        role_is_gone(kind, object, if had_a_role { family::member(dead).pid() } else { 0 });
        unload_if_left(kind, object);
        object.look_away(me);
    }
    arena.unpin(block);
    object.free_if_unused(me);
}

/// The part of the sweep that depends on the kind.
fn bereave(kind: Kind, object: Object, dead: usize) {
    match kind {
        Kind::Queue | Kind::Pipe => queue::bereave(object, dead),
        Kind::Pool => pool::bereave(object, dead),
        Kind::Mutex => mutex::bereave(object, dead),
        Kind::Semaphore => object.body::<Permits>().bereave(dead),
        Kind::Condvar => object.body::<Waiting>().bereave(dead),
        Kind::Event => event::bereave(object),
        Kind::Barrier => barrier::bereave(object, dead),
        _ => {}
    }
}

/// A member has let go of the last that it held of a role, and still looks at the object.
pub(super) fn let_go(kind: Kind, object: Object, role: Role) {
    if matches!(kind, Kind::Queue | Kind::Pipe | Kind::Spsc | Kind::Mutex) && object.holders(role) == 0 {
        role_is_gone(kind, object, 0);
    }
    unload_if_left(kind, object);
}

/// If nobody holds it any more: what its messages have on board goes with it.
fn unload_if_left(kind: Kind, object: Object) {
    if recount::has_messages(kind) && object.is_left() {
        recount::waybills(kind, object).for_each(Waybill::settle);
    }
}

/// Nobody holds the object in one of its roles any more; `pid` of the process that died with it, or 0.
pub(super) fn role_is_gone(kind: Kind, object: Object, pid: u32) {
    match kind {
        Kind::Queue | Kind::Pipe => queue::role_is_gone(object, pid),
        Kind::Spsc => spsc::role_is_gone(object, pid),
        Kind::Mutex => array::role_is_gone(object),
        Kind::Pool => pool::role_is_gone(object),
        _ => {}
    }
}
