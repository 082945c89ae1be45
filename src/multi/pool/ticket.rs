//! The worker's side of a job: a ticket, and what is done with one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::cells::Phase;
use super::job::{Job, item};
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

/// In a worker: runs a ticket.
pub(super) fn run<A: Message, R: Message, F: Fn(A) -> R + Copy>(sheet: &mut Sheet, len: usize) -> Answer {
    let ticket = Ticket::decode(&mut Reader::new(sheet.argument(len))).map_err(|_| (Phase::Unreadable, 0))?;
    let object = Object { block: BlockId(ticket.block), generation: ticket.generation };
    let job = Job::of::<A, R>(object).ok_or((Phase::Unreadable, 0))?;
    // SAFETY: whoever sent the ticket had one.
    let work: F = unsafe { conjure() };
    let mut batch = 0..0;
    while let Some(chunk) = job.take(ticket.number, &mut batch) {
        run_chunk(&job, chunk, &work);
        // What is left of it when all is stopped stays as it is.
        let over = if job.is_stopped() { 0 } else { u32::MAX };
        job.of_chunk(chunk).owner.set(over);
    }
    Ok(0)
}

fn run_chunk<A: Message, R: Message, F: Fn(A) -> R>(job: &Job, chunk: usize, work: &F) {
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
    while next < range.end && !job.is_stopped() {
        let count = |item: usize| u32::try_from(item - range.start + 1).unwrap_or(u32::MAX);
        // ORDER(multi.job.begun): Release; the result of the one before is there.
        let note = |item: usize| words.begun.store(count(item), Ordering::Release);
        next = run_items(job, next..range.end, work, note);
    }
}

/// Runs these values up to the first that panics, which ends it; the next after the last that was begun.
fn run_items<A: Message, R: Message, F: Fn(A) -> R>(
    job: &Job,
    items: std::ops::Range<usize>,
    work: &F,
    note: impl Fn(usize),
) -> usize {
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
            // SAFETY: the chunk is ours.
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
    if catch_unwind(run).is_err() {
        job.note_panic(at.get());
        job.fail(at.get(), item::PANICKED);
    } else {
        at.set(items.end.saturating_sub(1));
    }
    at.get() + 1
}
