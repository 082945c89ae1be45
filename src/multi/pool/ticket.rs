//! The worker's side of a job: a ticket, and what is done with one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::cells::Phase;
use super::chunk;
use super::item;
use super::job::Job;
use super::landing::Approach;
use super::sheet::Sheet;
use super::worker::{Answer, as_attempt};
use crate::multi::arena::BlockId;
use crate::multi::message::{Message, Reader, Writer, hand_over, receive};
use crate::multi::no_size::conjure;
use crate::multi::object::Object;
use crate::prim::{Ordering, compiler_fence};

/// What a ticket carries: which block, its generation, and the ticket's own number.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Ticket {
    pub(super) generation: u64,
    pub(super) block: u32,
    pub(super) number: u32,
}

// SAFETY: three numbers without a gap.
unsafe impl crate::multi::Pod for Ticket {}

/// Bytes of results that are run before they go to their owner's buffer: still in the cache then.
const PIECE: usize = 1 << 17;

/// In a worker: runs a ticket.
pub(super) fn run<A: Message, R: Message, F: Fn(A) -> R + Copy>(sheet: &mut Sheet, len: usize) -> Answer {
    let ticket = Ticket::decode(&mut Reader::new(sheet.argument(len))).map_err(|_| (Phase::Unreadable, 0))?;
    let object = Object { block: BlockId(ticket.block), generation: ticket.generation };
    let job = Job::of::<A, R>(object).ok_or((Phase::Unreadable, 0))?;
    // SAFETY: whoever sent the ticket had one.
    let work: F = unsafe { conjure() };
    let mut approach = job.landings().approach();
    let mut batch = 0..0;
    while let Some(chunk) = job.take(ticket.number, &mut batch) {
        let landed = run_chunk(&job, chunk, &work, &mut approach);
        let over = match (job.is_stopped(), landed) {
            // What is left of it stays as it is.
            (true, _) => chunk::FREE,
            (false, true) => chunk::LANDED,
            (false, false) => chunk::DONE,
        };
        job.of_chunk(chunk).owner.set(over);
    }
    Ok(0)
}

/// Whether all results are in their owner's buffer.
fn run_chunk<A: Message, R: Message, F: Fn(A) -> R>(
    job: &Job,
    chunk: usize,
    work: &F,
    approach: &mut Option<Approach>,
) -> bool {
    let words = job.of_chunk(chunk);
    let range = job.range(chunk);
    // ORDER(multi.job.begun): Acquire; with the Release of a ticket that has died.
    let begun = words.begun.load(Ordering::Acquire) as usize;
    for item in range.clone().take(begun) {
        let Some(attempt) = item::next_attempt(job.written(item)) else { continue };
        as_attempt(attempt, || run_items(job, item..item + 1, work, |_| {}));
        if job.written(item) >= item::AGAIN {
            job.set_state(item, item::DONE);
        }
    }
    let mut next = range.start + begun;
    let piece = if approach.is_some() { (PIECE / R::SLOT.max(1)).max(1) } else { range.len() };
    let mut landed = next == range.start;
    while next < range.end && !job.is_stopped() {
        let first = next;
        #[expect(clippy::cast_possible_truncation, reason = "the values of a job are counted in 32 bits")]
        let count = |item: usize| (item - range.start + 1) as u32;
        // ORDER(multi.job.begun): Release; the result of the one before is there.
        let note = |item: usize| words.begun.store(count(item), Ordering::Release);
        next = run_items(job, next..range.end.min(next + piece), work, note);
        // Those of a job in which something has failed are looked at one by one.
        landed &= !job.has_special() && land::<R>(job, first..next, approach);
    }
    landed
}

/// Writes results of a chunk that is ours to their owner's buffer; whether that was possible. Once refused, it is not tried again.
fn land<R: Message>(job: &Job, items: std::ops::Range<usize>, approach: &mut Option<Approach>) -> bool {
    let at = items.start * R::SLOT;
    // SAFETY: the chunk is ours.
    let bytes = unsafe { job.outputs::<R>(items) };
    // SAFETY: as above.
    if approach.as_ref().is_some_and(|approach| unsafe { approach.land(at, bytes) }) {
        return true;
    }
    *approach = None;
    false
}

/// Runs these values up to the first that panics, which ends it; the next after the last that was begun.
fn run_items<A: Message, R: Message, F: Fn(A) -> R>(
    job: &Job,
    items: std::ops::Range<usize>,
    work: &F,
    note: impl Fn(usize),
) -> usize {
    assert!(items.end <= job.items(), "a chunk ends where the values do");
    let at = std::cell::Cell::new(items.start);
    // Values that are known to be unreadable were marked before.
    let special = job.has_special();
    let run = AssertUnwindSafe(|| {
        for item in items.clone() {
            if special && !matches!(job.written(item), item::NEW | item::AGAIN..) {
                continue;
            }
            at.set(item);
            // Before its work, so that a death in it is seen to be one.
            note(item);
            compiler_fence(Ordering::SeqCst);
            // SAFETY: the chunk is ours, and ends where the values do, as just checked.
            let state = match receive::<A>(unsafe { job.input::<A>(item) }, || job.input_bill(item)) {
                Err(_) => item::UNREADABLE,
                Ok(argument) => {
                    let result = work(argument);
                    // SAFETY: as above.
                    let mut out = Writer::new(unsafe { job.output::<R>(item) });
                    match hand_over(&result, &mut out, || job.output_bill(item)) {
                        Ok(()) => continue,
                        // SAFETY: as above.
                        Err(too_large) => unsafe { job.note_size::<R>(item, too_large) },
                    }
                    item::TOO_LARGE
                }
            };
            job.fail(item, state);
        }
    });
    if let Err(payload) = catch_unwind(run) {
        job.note_panic(at.get(), payload.as_ref());
        job.fail(at.get(), item::PANICKED);
    } else {
        at.set(items.end.saturating_sub(1));
    }
    at.get() + 1
}
