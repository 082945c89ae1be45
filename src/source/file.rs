//! Plays recorded bytes through the same framing as a port, at once or at a pace.
//!
//! Where it stands in the file is part of the node's state, and the file is read by position: whatever kills the
//! worker, the next incarnation goes on with the very byte that follows the last committed message.
//!
//! State: [`Progress`] (64 bytes), then the framer's.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytemuck::{Pod, Zeroable};

use super::pace::{self, Pace};
use crate::codec::{FrameEvent, FrameKind, FrameSettings, Framer};
use crate::message::Header;
use crate::pipeline::{Emitter, Output, PlanError, Poll, Source, SourceIo};

/// Bytes read from the file at once.
const CHUNK: usize = 64 * 1024;
/// Bytes that a paced recording lets come together, as a UART's FIFO does.
const FIFO: u64 = 16;
/// Most messages in one step, if they are small.
const MAX_PER_STEP: usize = 256;
/// Most bytes of messages in one step.
const STEP_BYTES: usize = 64 * 1024;
/// Rated load of a recording played at once; its true speed is what the pipeline takes.
const AT_ONCE_RATE: f64 = 10_000.0;
/// Fixes per second of the fastest usual receiver.
const NMEA_RATE: f64 = 100.0;
/// A second pass by NMEA time begins so long after the end of the first.
const PASS_GAP_NS: u64 = 1_000_000_000;

/// What to play and how.
#[derive(Clone, Debug, PartialEq)]
pub struct FileSettings {
    /// The recording.
    pub path: PathBuf,
    /// How it is cut into frames.
    pub frame: FrameSettings,
    /// How fast.
    pub pace: Pace,
    /// Whether lines that begin with `#` are passed over, as in gpsd's logs. Lines only.
    pub skip_comments: bool,
    /// Whether it begins again at the end.
    pub repeat: bool,
}

/// Plays a recording. At its end a frame not complete counts as cut.
#[derive(Debug)]
pub struct FileSource {
    settings: FileSettings,
    planned: Option<Planned>,
    file: Option<File>,
    chunk: Chunk,
}

#[derive(Debug)]
struct Planned {
    framer: Framer,
    /// A copy of the framer's state, to look at a sentence before its time.
    trial: Vec<u8>,
}

/// A piece of the file in memory: a cache, told by its place whether it is of use.
#[derive(Debug, Default)]
struct Chunk {
    at: u64,
    len: usize,
    bytes: Vec<u8>,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Progress {
    /// Next byte of the file.
    position: u64,
    /// CLOCK_MONOTONIC of the first poll, 0 before it.
    started_ns: u64,
    /// Bytes framed, over all passes.
    bytes: u64,
    /// Frames given, over all passes.
    frames: u64,
    /// Time of day of the last sentence that had one, plus 1; 0 for none.
    time_of_day: u64,
    /// When that sentence was due, in ns after the start.
    due_ns: u64,
    /// [`READING`], [`FLUSHING`] or [`FINISHED`].
    phase: u64,
    /// [`LINE_START`], [`IN_LINE`] or [`IN_COMMENT`].
    place: u64,
}

const READING: u64 = 0;
const FLUSHING: u64 = 1;
const FINISHED: u64 = 2;

const LINE_START: u64 = 0;
const IN_LINE: u64 = 1;
const IN_COMMENT: u64 = 2;

impl FileSource {
    /// Plays by these settings; they are checked in `plan`, and the file is opened later.
    pub fn new(settings: FileSettings) -> Self {
        Self { settings, planned: None, file: None, chunk: Chunk::default() }
    }

    fn open(&self) -> io::Result<File> {
        let path = self.settings.path.display();
        File::open(&self.settings.path).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("recording {path} cannot be opened: {error}; is `path` right, and readable?"),
            )
        })
    }

    /// Makes the file's bytes at `position` available; how many there are, 0 at its end.
    fn load(&mut self, position: u64) -> io::Result<usize> {
        let ahead = position.checked_sub(self.chunk.at).and_then(|ahead| usize::try_from(ahead).ok());
        if let Some(left) = ahead.and_then(|ahead| self.chunk.len.checked_sub(ahead)).filter(|&left| left > 0) {
            return Ok(left);
        }
        let file = self.file.as_ref().expect("resume opens the file before the first poll");
        self.chunk.len = 0;
        let read = file.read_at(&mut self.chunk.bytes, position).map_err(|error| {
            let path = self.settings.path.display();
            io::Error::new(error.kind(), format!("recording {path} cannot be read at byte {position}: {error}"))
        })?;
        (self.chunk.at, self.chunk.len) = (position, read);
        Ok(read)
    }

    /// How many bytes and frames may come now, or when the next may.
    fn allowance(&self, progress: &Progress, now_ns: u64, room: usize) -> Result<(usize, usize), u64> {
        let start = progress.started_ns;
        let elapsed = now_ns.saturating_sub(start);
        match self.settings.pace {
            Pace::AtOnce => Ok((usize::MAX, room)),
            Pace::NmeaTime => Ok((usize::MAX, room.min(1))),
            Pace::Baud(baud) => match pace::wire_bytes(elapsed, baud).saturating_sub(progress.bytes) {
                0 => Err(start.saturating_add(pace::wire_time_ns(progress.bytes + FIFO, baud))),
                bytes => Ok((usize::try_from(bytes).unwrap_or(usize::MAX), room)),
            },
            Pace::FramesPerSecond(rate) => {
                let due = |ahead: usize| pace::frame_due_ns(progress.frames + ahead as u64, rate);
                match (0..room).take_while(|&ahead| due(ahead) <= elapsed).count() {
                    0 => Err(start.saturating_add(due(0))),
                    frames => Ok((usize::MAX, frames)),
                }
            }
        }
    }

    /// Passes over comments at the beginning of `window`, then says how much of it may be framed.
    fn without_comments(&self, progress: &mut Progress, window: &[u8]) -> usize {
        if !self.settings.skip_comments {
            return window.len();
        }
        if progress.place == LINE_START && window.first() == Some(&b'#') {
            progress.place = IN_COMMENT;
        }
        if progress.place == IN_COMMENT {
            let end = window.iter().position(|&byte| byte == b'\n');
            progress.position += end.map_or(window.len(), |end| end + 1) as u64;
            progress.place = if end.is_some() { LINE_START } else { IN_COMMENT };
            return 0;
        }
        window.windows(2).position(|pair| pair == b"\n#").map_or(window.len(), |at| at + 1)
    }

    /// Whether the next sentence's time has come, and what is then known; `Err` says when it comes.
    fn nmea_due(&mut self, progress: &mut Progress, state: &[u8], bytes: usize, now_ns: u64) -> Result<(), u64> {
        let from = usize::try_from(progress.position - self.chunk.at).expect("the chunk was loaded around it");
        let planned = self.planned.as_mut().expect(PLANNED);
        planned.trial.copy_from_slice(state);
        let mut found = None;
        planned.framer.feed(&mut planned.trial, &self.chunk.bytes[from..from + bytes], 1, &mut |event| {
            if let FrameEvent::Frame(frame) = event {
                found = pace::time_of_day_ns(frame);
            }
        });
        let Some(time_of_day) = found else { return Ok(()) };
        let step = progress.time_of_day.checked_sub(1).map_or(0, |last| pace::step_ns(last, time_of_day));
        let due_ns = progress.due_ns.saturating_add(step);
        let due = progress.started_ns.saturating_add(due_ns);
        if due > now_ns {
            return Err(due);
        }
        (progress.time_of_day, progress.due_ns) = (time_of_day + 1, due_ns);
        Ok(())
    }

    /// One piece of the file, until its end, the pace or `out` says stop.
    fn advance(
        &mut self,
        progress: &mut Progress,
        state: &mut [u8],
        out: &mut Emitter<'_>,
        now_ns: u64,
    ) -> io::Result<Poll> {
        let (bytes, frames) = match self.allowance(progress, now_ns, out.room()) {
            Ok(allowance) => allowance,
            Err(until) => return Ok(Poll::Until(until)),
        };
        let left = self.load(progress.position)?;
        if left == 0 {
            progress.phase = FLUSHING;
            return Ok(Poll::Ready);
        }
        let from = usize::try_from(progress.position - self.chunk.at).expect("the chunk was loaded around it");
        let before = progress.position;
        let len = self.without_comments(progress, &self.chunk.bytes[from..from + left]).min(bytes);
        out.counters().taken += progress.position - before;
        if len == 0 {
            return Ok(Poll::Ready);
        }
        if self.settings.pace == Pace::NmeaTime {
            if let Err(until) = self.nmea_due(progress, state, len, now_ns) {
                return Ok(Poll::Until(until));
            }
        }
        let window = &self.chunk.bytes[from..from + len];
        let framer = &self.planned.as_ref().expect(PLANNED).framer;
        let given = out.len();
        let used = framer.feed(state, window, frames, &mut |event| take(framer, event, out));
        if let Some(last) = used.checked_sub(1) {
            progress.place = if window[last] == b'\n' { LINE_START } else { IN_LINE };
        }
        progress.position += used as u64;
        progress.bytes += used as u64;
        progress.frames += (out.len() - given) as u64;
        out.counters().taken += used as u64;
        Ok(Poll::Ready)
    }

    /// The end of the file: what the framer still holds, then the beginning again or the end.
    fn end(&self, progress: &mut Progress, state: &mut [u8], out: &mut Emitter<'_>) -> Poll {
        let framer = &self.planned.as_ref().expect(PLANNED).framer;
        let given = out.len();
        let is_done = framer.flush(state, out.room(), &mut |event| take(framer, event, out));
        progress.frames += (out.len() - given) as u64;
        if !is_done {
            return Poll::Ready;
        }
        // An empty file has no next pass: it would spin for ever.
        if !self.settings.repeat || progress.position == 0 {
            progress.phase = FINISHED;
            return Poll::Finished;
        }
        progress.due_ns = progress.due_ns.saturating_add(PASS_GAP_NS);
        (progress.position, progress.time_of_day, progress.place) = (0, 0, LINE_START);
        progress.phase = READING;
        Poll::Ready
    }

    fn check(&self) -> Result<(), PlanError> {
        let is_line = matches!(self.settings.frame.kind, FrameKind::Line { .. });
        if self.settings.skip_comments && !is_line {
            return Err(PlanError::key("skip_comments", "only lines can be comments, and these frames are none"));
        }
        match self.settings.pace {
            Pace::NmeaTime if !is_line => {
                Err(PlanError::key("pace", "the pace of NMEA sentences needs frames that are lines"))
            }
            Pace::Baud(0) => Err(PlanError::key("pace", "at 0 baud nothing would ever come")),
            Pace::FramesPerSecond(rate) if !(rate.is_finite() && rate > 0.0) => {
                Err(PlanError::key("pace", format!("{rate} frames per second, but it must be a number above 0")))
            }
            _ => Ok(()),
        }
    }

    fn rate(&self, framer: &Framer) -> f64 {
        match self.settings.pace {
            Pace::AtOnce => AT_ONCE_RATE,
            Pace::NmeaTime => NMEA_RATE,
            Pace::FramesPerSecond(rate) => rate,
            #[expect(clippy::cast_precision_loss, reason = "a frame has at most 64 KiB")]
            Pace::Baud(baud) => {
                // Half of the longest frame is taken for the usual one.
                let usual = (framer.max_frame() / 2).max(framer.min_wire_size()) as f64;
                f64::from(baud) / 10.0 / usual
            }
        }
    }
}

const PLANNED: &str = "plan comes before everything else";

/// Emits a frame, counts the rest.
fn take(framer: &Framer, event: FrameEvent<'_>, out: &mut Emitter<'_>) {
    match event {
        FrameEvent::Frame(frame) => out.emit(|record| framer.write(frame, record)),
        FrameEvent::Rejected { .. } => out.reject(),
        FrameEvent::Stray(bytes) => out.counters().stray_bytes += bytes as u64,
        FrameEvent::Cut => out.counters().cut += 1,
    }
}

impl Source for FileSource {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn plan(&mut self) -> Result<Output, PlanError> {
        self.check()?;
        let framer = Framer::new(&self.settings.frame).map_err(|error| PlanError::key(error.key, error.message))?;
        let output = Output {
            schema: framer.schema().clone(),
            state_size: size_of::<Progress>() + framer.state_size(),
            max_per_step: (STEP_BYTES / Emitter::stride(framer.schema())).clamp(1, MAX_PER_STEP),
            rate: self.rate(&framer),
        };
        self.planned = Some(Planned { trial: vec![0; framer.state_size()], framer });
        Ok(output)
    }

    /// Finds out before anything starts whether the recording is there.
    fn prepare(&mut self) -> io::Result<()> {
        self.open().map(drop)
    }

    fn resume(&mut self, _: &mut [u8], _: &mut dyn SourceIo) -> io::Result<()> {
        self.file = Some(self.open()?);
        self.chunk = Chunk { at: 0, len: 0, bytes: vec![0; CHUNK] };
        Ok(())
    }

    /// A drain stops it where it is: what follows has not arrived yet.
    fn poll(&mut self, state: &mut [u8], out: &mut Emitter<'_>, io: &mut dyn SourceIo) -> io::Result<Poll> {
        let (head, framing) = state.split_at_mut(size_of::<Progress>());
        let progress: &mut Progress = bytemuck::from_bytes_mut(head);
        if progress.phase == FINISHED || io.is_draining() {
            return Ok(Poll::Finished);
        }
        if out.room() == 0 {
            return Ok(Poll::Ready);
        }
        let now_ns = io.now_ns();
        if progress.started_ns == 0 {
            progress.started_ns = now_ns.max(1);
        }
        out.stamp(Header { arrived_ns: now_ns, utc_ns: io.utc_ns(), ..Header::default() });
        let framing = &mut framing[..self.planned.as_ref().expect(PLANNED).framer.state_size()];
        if progress.phase == FLUSHING {
            return Ok(self.end(progress, framing, out));
        }
        self.advance(progress, framing, out, now_ns)
    }
}
