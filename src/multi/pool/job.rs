//! One function over many values: the values lie side by side in one block, the results beside them, and the workers take them by chunks.
//!
//! A job is carried by *tickets*, ordinary tasks of the pool, one per worker: a ticket takes chunks until none is left. If its worker
//! dies, whoever waits for the job frees the chunk that it had in hand (each value says whether it had been begun) and sends another.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use super::cells::Phase;
use crate::multi::arena::{BlockId, Kind, Words};
use crate::multi::child;
use crate::multi::error::PanicInfo;
use crate::multi::family;
use crate::multi::message::{Message, Reader, Writer};
use crate::multi::object::{BODY, Handle, Object, Role};
use crate::multi::word::Word32;
use crate::prim::{AtomicU32, CachePadded, Ordering};

/// What is the matter with a value.
pub(super) mod item {
    pub(in super::super) const NEW: u8 = 0;
    pub(in super::super) const BEGUN: u8 = 1;
    pub(in super::super) const DONE: u8 = 2;
    pub(in super::super) const PANICKED: u8 = 3;
    pub(in super::super) const TOO_LARGE: u8 = 4;
    pub(in super::super) const UNREADABLE: u8 = 5;
    /// Its worker died, and it is not tried again.
    pub(in super::super) const DIED: u8 = 6;
}

/// How many panics are remembered with what they said.
const PANICS: usize = 32;
/// Bytes of each.
const PANIC: usize = 512;

/// First words of a job.
#[repr(C)]
struct Head {
    items: Word32,
    chunk: Word32,
    /// 1: no further chunk is to be taken.
    stop: Word32,
    /// 1: the first failure is to stop it.
    fail_fast: Word32,
    /// 1: chunks that were passed may be free again.
    dirty: Word32,
    panics: Word32,
    /// Item number and length of each panic's text.
    panicked: [[Word32; 3]; PANICS],
    /// The next chunk that nobody has taken.
    next: CachePadded<AtomicU32>,
}

// SAFETY: words only.
unsafe impl Words for Head {}

/// Where the parts of a job's block are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    chunks: usize,
    states: usize,
    inputs: usize,
    outputs: usize,
    end: usize,
}

impl Layout {
    /// For so many values of so many bytes each; `None` if that cannot be counted.
    fn new(items: usize, chunk: usize, input: usize, output: usize) -> Option<Self> {
        let texts = BODY + size_of::<Head>();
        let chunks = texts + PANICS * PANIC;
        let states = chunks.checked_add(items.div_ceil(chunk).checked_mul(4)?)?;
        let inputs = states.checked_add(items)?.checked_next_multiple_of(64)?;
        let outputs = inputs.checked_add(items.checked_mul(input)?)?.checked_next_multiple_of(64)?;
        let end = outputs.checked_add(items.checked_mul(output)?)?;
        Some(Self { chunks, states, inputs, outputs, end })
    }
}

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

/// A job, as this process sees it.
#[derive(Clone, Copy)]
pub(super) struct Job {
    object: Object,
    head: &'static Head,
    layout: Layout,
    input: usize,
    output: usize,
}

// SAFETY: it names memory of the arena, which belongs to no thread.
unsafe impl Send for Job {}

/// The block of a job, to be used again by another.
#[derive(Debug)]
pub(super) struct Room {
    handle: Handle,
    bytes: usize,
}

impl Room {
    /// Room for a job: `old` if it is large enough.
    pub(super) fn make(old: Option<Self>, bytes: usize) -> io::Result<Self> {
        match old {
            Some(room) if room.bytes >= bytes => Ok(room),
            old => {
                drop(old);
                let handle = Handle::create(Kind::Blob, bytes, Role::First, |_| {})?;
                Ok(Self { handle, bytes })
            }
        }
    }
}

impl Job {
    /// Bytes that it needs; `None` if they cannot be counted.
    pub(super) fn bytes<A: Message, R: Message>(items: usize, chunk: usize) -> Option<usize> {
        u32::try_from(items).ok()?;
        Layout::new(items, chunk, A::SLOT, R::SLOT).map(|layout| layout.end - BODY)
    }

    /// Makes a job in `room`.
    pub(super) fn create<A: Message, R: Message>(room: &Room, items: usize, chunk: usize) -> Option<Self> {
        let object = room.handle.object();
        let head: &'static Head = object.body();
        head.items.set(u32::try_from(items).ok()?);
        head.chunk.set(u32::try_from(chunk).unwrap_or(u32::MAX));
        for word in [&head.stop, &head.fail_fast, &head.dirty, &head.panics] {
            word.set(0);
        }
        // ORDER(multi.job.next): Relaxed; the tickets are sent afterwards.
        head.next.0.store(0, Ordering::Relaxed);
        let job = Self::of::<A, R>(object)?;
        (0..job.chunks()).for_each(|chunk| job.owner(chunk).set(0));
        // SAFETY: nobody else knows the job yet, and its values' states lie in its block.
        unsafe { job.at(job.layout.states, items).as_ptr().write_bytes(item::NEW, items) };
        Some(job)
    }

    fn of<A: Message, R: Message>(object: Object) -> Option<Self> {
        let head: &'static Head = object.body();
        let (items, chunk) = (head.items.get() as usize, head.chunk.get() as usize);
        let layout = Layout::new(items, chunk.max(1), A::SLOT, R::SLOT)?;
        Some(Self { object, head, layout, input: A::SLOT, output: R::SLOT })
    }

    pub(super) fn ticket(&self, number: u32) -> Ticket {
        Ticket { generation: self.object.generation, block: self.object.block.0, number }
    }

    pub(super) fn items(&self) -> usize {
        self.head.items.get() as usize
    }

    pub(super) fn chunks(&self) -> usize {
        self.items().div_ceil((self.head.chunk.get() as usize).max(1))
    }

    fn at(&self, offset: usize, len: usize) -> NonNull<u8> {
        family::get().arena.place(self.object.block, offset, len)
    }

    /// Number of the ticket that has the chunk in hand, 0 if none, [`u32::MAX`] if it is done.
    fn owner(&self, chunk: usize) -> &'static Word32 {
        family::get().arena.view(self.object.block, self.layout.chunks + 4 * chunk)
    }

    /// What is the matter with a value.
    pub(super) fn state(&self, item: usize) -> u8 {
        // SAFETY: within the block, as `at` has checked; written by whoever has the chunk in hand, and read by others when it has ended.
        unsafe { self.at(self.layout.states + item, 1).as_ptr().read_volatile() }
    }

    pub(super) fn set_state(&self, item: usize, state: u8) {
        // SAFETY: as above.
        unsafe { self.at(self.layout.states + item, 1).as_ptr().write_volatile(state) };
    }

    /// The bytes of a value.
    ///
    /// # Safety
    /// Nobody else may have it in hand.
    pub(super) unsafe fn input(&self, item: usize) -> &mut [u8] {
        let place = self.at(self.layout.inputs + item * self.input, self.input);
        // SAFETY: within the block, as `at` has checked; ours for now by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(place.as_ptr(), self.input) }
    }

    /// The bytes of a result.
    ///
    /// # Safety
    /// As [`Self::input`].
    pub(super) unsafe fn output(&self, item: usize) -> &mut [u8] {
        let place = self.at(self.layout.outputs + item * self.output, self.output);
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(place.as_ptr(), self.output) }
    }

    /// The first failure stops it.
    pub(super) fn stop_at_failure(&self) {
        self.head.fail_fast.set(1);
    }

    pub(super) fn stop(&self) {
        self.head.stop.set(1);
    }

    /// A ticket's worker has died: the values that it had not begun are to be taken again. The one that it had, if any.
    pub(super) fn repair(&self, ticket: u32) -> Option<usize> {
        // It may have died just before it wrote down which chunk it took.
        self.head.dirty.set(1);
        let chunk = (0..self.chunks()).find(|chunk| self.owner(*chunk).get() == ticket)?;
        let begun = self.range(chunk).find(|item| self.state(*item) == item::BEGUN);
        if let Some(item) = begun {
            self.set_state(item, item::DIED);
        }
        self.release(chunk);
        begun
    }

    /// A value is to be run again.
    pub(super) fn renew(&self, item: usize) {
        self.set_state(item, item::NEW);
        self.release(item / (self.head.chunk.get() as usize).max(1));
    }

    fn release(&self, chunk: usize) {
        self.owner(chunk).set(0);
        self.head.dirty.set(1);
    }

    fn range(&self, chunk: usize) -> std::ops::Range<usize> {
        let size = self.head.chunk.get() as usize;
        chunk * size..((chunk + 1) * size).min(self.items())
    }

    /// Takes the next chunk.
    fn take(&self, ticket: u32) -> Option<usize> {
        if self.head.stop.get() != 0 {
            return None;
        }
        loop {
            // ORDER(multi.job.next): Relaxed; a hint, the chunk's own word decides.
            let next = self.head.next.0.fetch_add(1, Ordering::Relaxed) as usize;
            if next >= self.chunks() {
                // ORDER(multi.job.next): Relaxed, as above; so that it does not run over.
                self.head.next.0.store(u32::try_from(self.chunks()).unwrap_or(u32::MAX), Ordering::Relaxed);
                break;
            }
            if self.owner(next).replace(0, ticket).is_ok() {
                return Some(next);
            }
        }
        let left = || (0..self.chunks()).find(|chunk| self.owner(*chunk).replace(0, ticket).is_ok());
        if self.head.dirty.get() != 0 { left() } else { None }
    }

    fn note_panic(&self, item: usize) {
        let place = self.head.panics.add(1) as usize;
        let Some(words) = self.head.panicked.get(place) else { return };
        let target = self.at(BODY + size_of::<Head>() + place * PANIC, PANIC);
        // SAFETY: within the block; the place was given to us alone.
        let bytes = unsafe { std::slice::from_raw_parts_mut(target.as_ptr(), PANIC) };
        let mut out = Writer::new(bytes);
        child::write_panic(&mut out);
        words[1].set(u32::try_from(out.len()).unwrap_or(0));
        words[2].set(crate::sys::fork::own_pid().unsigned_abs());
        words[0].set(u32::try_from(item).unwrap_or(0));
    }

    /// What a value's panic said.
    pub(super) fn panic(&self, item: usize) -> PanicInfo {
        let known = (self.head.panics.get() as usize).min(PANICS);
        let place = (0..known).find(|place| self.head.panicked[*place][0].get() as usize == item);
        let Some(place) = place else {
            let message = format!("it panicked; what the first {PANICS} panics said is known");
            return PanicInfo { message, location: None, pid: 0 };
        };
        let words = &self.head.panicked[place];
        let len = (words[1].get() as usize).min(PANIC);
        let source = self.at(BODY + size_of::<Head>() + place * PANIC, len);
        // SAFETY: within the block; its worker has gone on, and nobody writes there any more.
        let bytes = unsafe { std::slice::from_raw_parts(source.as_ptr(), len) };
        let (message, location) = child::read_panic(bytes);
        PanicInfo { message, location, pid: words[2].get() }
    }
}

/// In a worker: runs a ticket.
pub(super) fn run<A: Message, R: Message, F: Fn(A) -> R + Copy>(
    bytes: &mut [u8],
    len: usize,
) -> Result<usize, (Phase, usize)> {
    let ticket =
        Ticket::decode(&mut Reader::new(&bytes[..len.min(bytes.len())])).map_err(|_| (Phase::Unreadable, 0))?;
    let object = Object { block: BlockId(ticket.block), generation: ticket.generation };
    let job = Job::of::<A, R>(object).ok_or((Phase::Unreadable, 0))?;
    // SAFETY: `F` has no size, so there are no bytes to be wrong, and whoever sent the ticket had one, which is Copy.
    let work: F = unsafe { std::mem::MaybeUninit::uninit().assume_init() };
    while let Some(chunk) = job.take(ticket.number) {
        for item in job.range(chunk).filter(|item| job.state(*item) == item::NEW) {
            run_item(&job, item, &work);
            if job.head.stop.get() != 0 {
                break;
            }
        }
        job.owner(chunk).set(u32::MAX);
    }
    Ok(0)
}

fn run_item<A: Message, R: Message, F: Fn(A) -> R>(job: &Job, item: usize, work: &F) {
    job.set_state(item, item::BEGUN);
    // SAFETY: the chunk is ours.
    let input = unsafe { job.input(item) };
    let state = match A::decode(&mut Reader::new(input)) {
        Err(_) => item::UNREADABLE,
        Ok(argument) => match catch_unwind(AssertUnwindSafe(|| work(argument))) {
            Err(_) => {
                job.note_panic(item);
                item::PANICKED
            }
            // SAFETY: as above.
            Ok(result) => match result.encode(&mut Writer::new(unsafe { job.output(item) })) {
                Ok(()) => item::DONE,
                Err(_) => item::TOO_LARGE,
            },
        },
    };
    job.set_state(item, state);
    if state != item::DONE && job.head.fail_fast.get() != 0 {
        job.stop();
    }
}
