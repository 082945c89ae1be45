//! A serial port as a source.
//!
//! A kill must not lose a byte, not even one that is just being read. So bytes do not come by read(2), which would leave
//! the worker as the only one that knows them: they are *spliced* from the tty into a pipe that the supervisor holds open,
//! looked at through tee(2), and taken out of the pipe only after the frames made of them are committed:
//!
//! ```text
//! tty --splice--> held pipe --tee--> copy pipe --read--> buffer --framer--> frames, state
//!                     |                                                        | commit
//!                     +--splice--> /dev/null  <---- "taken" <-------------------+
//! ```
//!
//! Killed before the commit: the bytes are still in the held pipe and are framed again, by the same committed framer state.
//! Killed after it: the state says how many bytes the pipe held and how many are to be taken; the pipe's length tells
//! whether that was done. Each splice is one syscall, which a kill cannot cut in two.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;

use bytemuck::{Pod, Zeroable};

use crate::codec::{FrameEvent, FrameSettings, Framer};
use crate::message::Header;
use crate::pipeline::{Emitter, Output, PlanError, Poll, Source, SourceIo};
use crate::serial::{Port, PortSettings};
use crate::sys::pipe::Pipe;
use crate::sys::tty;

/// Bytes taken from the kernel at once, at most: what a tty holds in raw mode.
const READ: usize = 4096;
/// Frames emitted in one step, at most.
const FRAMES: usize = 256;
/// First and longest delay between looks for a port that is gone. A look costs some microseconds.
const RETRY_MIN_NS: u64 = 20_000_000;
const RETRY_MAX_NS: u64 = 100_000_000;
/// How often the driver's error counters are read, while data come.
const COUNTS_EVERY_NS: u64 = 1_000_000_000;

/// What a serial source remembers, before the framer's state.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Taken {
    /// Bytes in the held pipe at the commit.
    held: u64,
    /// Of these, bytes to take out after it.
    take: u64,
    /// Not zero: they have been taken out.
    done: u64,
    /// Not zero: the stream has ended, what the framer holds is to be given out before anything else.
    ending: u64,
    /// The driver's counters at the last look: overruns, framing errors, parity errors; not zero in the last: known.
    counts: [u32; 4],
}

const TAKEN: usize = size_of::<Taken>();

fn taken(state: &mut [u8]) -> &mut Taken {
    bytemuck::from_bytes_mut(&mut state[..TAKEN])
}

/// Turns what the framer found into messages and counts.
fn emit(framer: &Framer, event: FrameEvent<'_>, out: &mut Emitter<'_>) {
    match event {
        FrameEvent::Frame(frame) => out.emit(|record| framer.write(frame, record)),
        FrameEvent::Rejected { .. } => out.reject(),
        FrameEvent::Stray(bytes) => out.counters().stray_bytes += bytes as u64,
        FrameEvent::Cut => out.counters().cut += 1,
    }
}

/// Reads frames from a serial port, reopens it when it comes back, and keeps it open while its worker restarts.
pub struct Serial {
    path: PathBuf,
    settings: PortSettings,
    frame: FrameSettings,
    rate: Option<f64>,
    framer: Option<Framer>,
    pipes: Option<Pipes>,
    port: Option<Port>,
    retry_ns: u64,
    retry_at: u64,
    complained: bool,
    /// Bytes in the held pipe: known, because nobody else touches it.
    held: usize,
    /// The held pipe may hold bytes from before.
    leftover: bool,
    counts_at: u64,
    buffer: Vec<u8>,
}

struct Pipes {
    held: Pipe,
    copy: Pipe,
    null: File,
}

impl Serial {
    /// The port at `path` (best a stable name of /dev/serial/by-id), set to `settings`, cut into frames by `frame`.
    /// `rate`: frames per second it is rated for; `None`: as many as the line can carry.
    pub fn new(path: impl Into<PathBuf>, settings: PortSettings, frame: FrameSettings, rate: Option<f64>) -> Self {
        Self {
            path: path.into(),
            settings,
            frame,
            rate,
            framer: None,
            pipes: None,
            port: None,
            retry_ns: RETRY_MIN_NS,
            retry_at: 0,
            complained: false,
            held: 0,
            leftover: true,
            counts_at: 0,
            buffer: vec![0; READ],
        }
    }

    fn framer(&self) -> &Framer {
        self.framer.as_ref().expect("planned before it runs")
    }

    fn pipes(&self) -> &Pipes {
        self.pipes.as_ref().expect("prepared before it runs")
    }

    /// Opens the port if it is time to; whether it is open.
    fn ensure_open(&mut self, out: &mut Emitter<'_>, io: &mut dyn SourceIo) -> io::Result<bool> {
        if self.port.is_some() {
            return Ok(true);
        }
        let now = io.now_ns();
        if now < self.retry_at || io.is_draining() {
            return Ok(false);
        }
        match Port::open(&self.path, &self.settings) {
            Ok(port) => {
                io.keep(port.as_fd())?;
                if self.complained {
                    log::info!("{}: open again", self.path.display());
                    out.counters().reconnects += 1;
                }
                self.port = Some(port);
                (self.retry_ns, self.complained) = (RETRY_MIN_NS, false);
                Ok(true)
            }
            Err(error) => {
                if !self.complained {
                    log::warn!("{error}; looking for it until it comes");
                    self.complained = true;
                }
                self.retry_at = now + self.retry_ns;
                self.retry_ns = (self.retry_ns * 2).min(RETRY_MAX_NS);
                Ok(false)
            }
        }
    }

    /// The device has gone: let go of it at once (or the kernel numbers it anew when it comes back).
    fn hang_up(&mut self, state: &mut [u8], io: &mut dyn SourceIo) -> io::Result<()> {
        log::warn!("{}: unplugged; looking for it until it comes back", self.path.display());
        // Before the descriptor is closed: the supervisor's copy would keep it alive.
        io.forget()?;
        self.port = None;
        taken(state).ending = 1;
        self.complained = true;
        self.retry_at = io.now_ns();
        Ok(())
    }

    /// The stream has ended: gives out what the framer still holds; false if there was not room for all of it.
    fn flush(&mut self, state: &mut [u8], out: &mut Emitter<'_>, io: &dyn SourceIo) -> bool {
        out.stamp(Header { arrived_ns: io.now_ns(), utc_ns: io.utc_ns(), ..Header::default() });
        let (framer, room) = (self.framer(), out.room());
        let done = framer.flush(&mut state[TAKEN..], room, &mut |event| emit(framer, event, out));
        taken(state).ending = u64::from(!done);
        done
    }

    /// Moves what has arrived into the held pipe. Returns false if the device has gone.
    fn splice(&mut self) -> io::Result<Option<bool>> {
        let Some(port) = &self.port else { return Ok(None) };
        match self.pipes().held.splice_from(port.as_fd(), READ) {
            Ok(Some(0)) => Ok(Some(false)),
            Ok(Some(count)) => {
                self.held += count;
                Ok(Some(true))
            }
            Ok(None) => Ok(None),
            Err(error) if tty::is_device_gone(&error) => Ok(Some(false)),
            Err(error) => Err(error),
        }
    }

    /// Frames what the held pipe holds; whether some of it had to stay for want of room.
    fn take(&mut self, state: &mut [u8], out: &mut Emitter<'_>, io: &dyn SourceIo) -> io::Result<bool> {
        let held = self.held;
        let count = held.min(READ);
        let (taken, framing) = state.split_at_mut(TAKEN);
        let taken: &mut Taken = bytemuck::from_bytes_mut(taken);
        (taken.held, taken.take, taken.done) = (held as u64, 0, 0);
        let mut buffer = std::mem::take(&mut self.buffer);
        let pipes = self.pipes();
        let seen = if count == 0 {
            0
        } else {
            pipes.held.tee_into(&pipes.copy, count)?;
            pipes.copy.read(&mut buffer[..count])?.unwrap_or(0)
        };
        out.stamp(Header { arrived_ns: io.now_ns(), utc_ns: io.utc_ns(), ..Header::default() });
        let framer = self.framer();
        let room = out.room();
        let used = framer.feed(framing, &buffer[..seen], room, &mut |event| emit(framer, event, out));
        self.buffer = buffer;
        taken.take = used as u64;
        out.counters().taken += used as u64;
        // With no room left the framer may hold more frames than it could give.
        Ok(used < held || out.room() == 0)
    }

    /// Adds what the driver has counted since the last look.
    fn count_errors(&mut self, state: &mut [u8], out: &mut Emitter<'_>, now: u64) {
        if now < self.counts_at {
            return;
        }
        self.counts_at = now + COUNTS_EVERY_NS;
        let Some(counts) = self.port.as_ref().and_then(Port::io_counts) else { return };
        let taken = taken(state);
        let [overruns, framing, parity] = counts.errors();
        let before = taken.counts;
        taken.counts = [overruns, framing, parity, 1];
        if before[3] == 0 {
            return;
        }
        let new = overruns.wrapping_sub(before[0]);
        if new > 0 {
            log::warn!("{}: the driver lost {new} bytes (overrun) before they could be read", self.path.display());
        }
        out.counters().overruns += u64::from(new);
        let errors = framing.wrapping_sub(before[1]).wrapping_add(parity.wrapping_sub(before[2]));
        out.counters().line_errors += u64::from(errors);
    }
}

impl Source for Serial {
    fn kind(&self) -> &'static str {
        "serial"
    }

    fn device(&self) -> Option<PathBuf> {
        Some(self.path.clone())
    }

    fn plan(&mut self) -> Result<Output, PlanError> {
        let framer = Framer::new(&self.frame).map_err(|error| PlanError::key(error.key, error.message))?;
        let bytes = f64::from(self.settings.baud) / f64::from(self.settings.bits_per_character());
        let schema = framer.schema().clone();
        // What a line carries of frames half as long as they may be.
        #[expect(clippy::cast_precision_loss, reason = "a frame has at most 64 KiB")]
        let typical = (framer.max_frame() as f64 / 2.0).max(framer.min_wire_size() as f64);
        let rate = self.rate.unwrap_or(bytes / typical);
        let state_size = TAKEN.next_multiple_of(8) + framer.state_size();
        self.framer = Some(framer);
        Ok(Output { schema, state_size, max_per_step: FRAMES, rate })
    }

    fn prepare(&mut self) -> io::Result<()> {
        let null = File::options().write(true).open("/dev/null")?;
        self.pipes = Some(Pipes { held: Pipe::new()?, copy: Pipe::new()?, null });
        Ok(())
    }

    fn heirlooms(&self) -> Vec<(&'static str, BorrowedFd<'_>)> {
        let held = &self.pipes().held;
        vec![("held-out", held.reader.as_fd()), ("held-in", held.writer.as_fd())]
    }

    fn inherit(&mut self, heirlooms: Vec<(String, OwnedFd)>) -> io::Result<()> {
        self.prepare()?;
        let (mut reader, mut writer) = (None, None);
        for (name, fd) in heirlooms {
            match name.as_str() {
                "held-out" => reader = Some(fd),
                "held-in" => writer = Some(fd),
                _ => {}
            }
        }
        if let (Some(pipes), Some(reader), Some(writer)) = (&mut self.pipes, reader, writer) {
            pipes.held = Pipe { reader, writer };
        }
        Ok(())
    }

    fn release(&mut self, _: &mut [u8], io: &mut dyn SourceIo) -> io::Result<()> {
        io.forget()?;
        self.port = None;
        self.retry_at = 0;
        Ok(())
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let port = self.port.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        port.write(bytes)
    }

    fn descriptors(&self) -> Vec<RawFd> {
        let pipes = self.pipes();
        let pipes = [&pipes.held.reader, &pipes.held.writer, &pipes.copy.reader, &pipes.copy.writer];
        let fds = pipes.into_iter().map(AsRawFd::as_raw_fd).chain([self.pipes().null.as_raw_fd()]);
        fds.chain(self.port.as_ref().map(|port| port.as_fd().as_raw_fd())).collect()
    }

    fn adopt(&mut self, kept: Option<OwnedFd>) {
        self.port = kept.map(Port::from);
    }

    fn resume(&mut self, state: &mut [u8], _: &mut dyn SourceIo) -> io::Result<()> {
        // What the predecessor copied but did not read.
        let mut stale = std::mem::take(&mut self.buffer);
        while self.pipes().copy.read(&mut stale)?.is_some() {}
        self.buffer = stale;
        self.complained = false;
        self.held = self.pipes().held.len()?;
        let taken = taken(state);
        if taken.done == 0 {
            // Nothing is spliced in between the commit and `done`, so what is missing has been taken already.
            let gone = taken.held.saturating_sub(self.held as u64);
            taken.take = taken.take.saturating_sub(gone);
        }
        self.finish_taking(state)
    }

    fn poll(&mut self, state: &mut [u8], out: &mut Emitter<'_>, io: &mut dyn SourceIo) -> io::Result<Poll> {
        if taken(state).ending != 0 && !self.flush(state, out, io) {
            return Ok(Poll::Ready);
        }
        let open = self.ensure_open(out, io)?;
        // Bytes that are held already come first.
        let arrived = if self.leftover { None } else { self.splice()? };
        let more = std::mem::take(&mut self.leftover);
        self.leftover = self.take(state, out, io)?;
        if arrived == Some(false) {
            self.hang_up(state, io)?;
            return Ok(Poll::Ready);
        }
        if arrived == Some(true) {
            self.count_errors(state, out, io.now_ns());
        }
        if self.leftover || more || (arrived.is_some() && io.is_draining()) {
            return Ok(Poll::Ready);
        }
        if io.is_draining() {
            return Ok(if self.flush(state, out, io) { Poll::Finished } else { Poll::Ready });
        }
        Ok(if open { Poll::Waiting } else { Poll::Until(self.retry_at) })
    }

    fn committed(&mut self, state: &mut [u8]) -> io::Result<()> {
        self.finish_taking(state)
    }

    fn watch(&self) -> Option<BorrowedFd<'_>> {
        self.port.as_ref().map(AsFd::as_fd)
    }
}

impl Serial {
    /// Takes what the committed step has used out of the held pipe, if that is not done yet.
    fn finish_taking(&mut self, state: &mut [u8]) -> io::Result<()> {
        let taken = taken(state);
        if taken.take == 0 || taken.done != 0 {
            return Ok(());
        }
        let rest = usize::try_from(taken.take).unwrap_or(0);
        let pipes = self.pipes();
        pipes.held.discard_into(pipes.null.as_fd(), rest)?;
        self.held -= rest;
        taken.done = 1;
        Ok(())
    }
}
