//! What is done when a process has ended, however it did: what it held is given back, what it had begun is undone, and everybody who may
//! have waited for it looks again. Done by the launcher alone, and the same when done twice.

use super::arena::{BlockId, Kind};
use super::object::{Object, Role};
use super::permits::Permits;
use super::waiting::Waiting;
use super::{array, barrier, event, family, mutex, pool, queue, spsc};

/// Gives back what the member `dead` held. By `me`.
pub(super) fn sweep(me: usize, dead: usize) {
    let arena = &family::get().arena;
    let number = |place: usize| u16::try_from(place).unwrap_or(0);
    arena.sweep(number(me), number(dead));
    for (block, kind) in arena.blocks() {
        sweep_block(me, dead, block, kind);
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
        bereave(kind, object, dead);
        object.take_from_the_dead(dead);
        role_is_gone(kind, object, if had_a_role { family::member(dead).pid.get() } else { 0 });
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
}

/// Nobody holds the object in one of its roles any more; `pid` of the process that died with it, or 0.
pub(super) fn role_is_gone(kind: Kind, object: Object, pid: u32) {
    match kind {
        Kind::Queue | Kind::Pipe => queue::role_is_gone(object, pid),
        Kind::Spsc => spsc::role_is_gone(object, pid),
        Kind::Mutex => array::role_is_gone(object),
        _ => {}
    }
}
