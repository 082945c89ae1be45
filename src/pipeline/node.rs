//! What a node is: the three traits that everything in a pipeline implements.
//!
//! A node's memory between steps is its *state*: a byte slice in the segment, aligned to 64 bytes,
//! zeroed before the first start, whose size the node names in `plan`. The step gets a working copy
//! and the commit makes it current, so a node that keeps all it must remember there survives
//! `kill -9` exactly. What a node keeps in `self` is lost with its worker: caches only. State must be
//! plain words (use `bytemuck` to view it), never pointers.
//!
//! Life of a node: `plan` once in the supervisor, before anything starts (nothing may be opened or
//! written there); `prepare` once in the supervisor before the first fork; then in every incarnation
//! of the worker `resume`, and steps until it ends.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use super::Emitter;
use crate::message::{Record, Schema, SchemaError};

/// One input of a node, as known before the start.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// Name of the node that feeds it.
    pub name: &'a str,
    /// What that node emits.
    pub schema: &'a Schema,
    /// Messages per second it is rated for.
    pub rate: f64,
}

/// What a source or a stage gives, as known before the start.
#[derive(Clone, Debug)]
pub struct Output {
    /// Layout of every message it emits.
    pub schema: Schema,
    /// Bytes of state it keeps.
    pub state_size: usize,
    /// Most messages it emits for one input message (stages) or in one `poll` (sources); at least 1.
    pub max_per_step: usize,
    /// Messages per second it emits at its rated load.
    pub rate: f64,
}

/// Why a node cannot be part of this graph: a wrong option or an input that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PlanError {
    /// The option at fault, as it is called in the configuration; `None` for the node as a whole.
    pub key: Option<&'static str>,
    /// What is wrong and what was expected, one sentence.
    pub message: String,
}

impl PlanError {
    /// The option `key` is at fault.
    pub fn key(key: &'static str, message: impl Into<String>) -> Self {
        Self { key: Some(key), message: message.into() }
    }

    /// An input does not fit; `message` names it.
    pub fn input(message: impl Into<String>) -> Self {
        Self::key("input", message)
    }
}

impl From<SchemaError> for PlanError {
    fn from(error: SchemaError) -> Self {
        Self { key: None, message: error.to_string() }
    }
}

/// What a source waits for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// It made progress and may have more: call again.
    Ready,
    /// Nothing until its descriptor ([`Source::watch`]) is readable.
    Waiting,
    /// Nothing until its descriptor is readable or CLOCK_MONOTONIC reaches this many nanoseconds.
    Until(u64),
    /// It has ended for good: its last messages are emitted.
    Finished,
}

/// What a worker does for its sources: clocks, and descriptors kept safe by the supervisor.
pub trait SourceIo {
    /// CLOCK_MONOTONIC in ns.
    fn now_ns(&self) -> u64;
    /// UTC in ns since 1970.
    fn utc_ns(&self) -> i64;
    /// Whether the pipeline drains: the source should give what has already arrived, then say
    /// [`Poll::Finished`].
    fn is_draining(&self) -> bool;
    /// Gives the supervisor a duplicate of `fd`, so that it stays open if this worker dies; the next
    /// incarnation finds it through [`Source::adopt`]. Replaces what was kept before.
    ///
    /// # Errors
    /// If the supervisor is gone.
    fn keep(&mut self, fd: BorrowedFd<'_>) -> io::Result<()>;
    /// Has the supervisor close what it kept.
    ///
    /// # Errors
    /// If the supervisor is gone.
    fn forget(&mut self) -> io::Result<()>;
}

/// Brings messages in from outside.
pub trait Source {
    /// Its type, as the configuration calls it.
    fn kind(&self) -> &'static str;

    /// The device it takes for itself alone, so that two sources on one are found before they fight.
    fn device(&self) -> Option<std::path::PathBuf> {
        None
    }

    /// Says what it will emit. Called once, before anything starts; opens nothing.
    ///
    /// # Errors
    /// An option makes no sense.
    fn plan(&mut self) -> Result<Output, PlanError>;

    /// Makes what every incarnation will inherit (pipes, say). Called once in the supervisor.
    ///
    /// # Errors
    /// What the system answered.
    fn prepare(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Descriptors that the worker must keep over the fork.
    fn descriptors(&self) -> Vec<RawFd> {
        Vec::new()
    }

    /// The supervisor hands in (or takes away) the descriptor that an earlier incarnation asked it
    /// to [keep](SourceIo::keep). Called in the supervisor, before the next fork.
    fn adopt(&mut self, kept: Option<OwnedFd>) {
        drop(kept);
    }

    /// First call of each incarnation. `state` is the committed state: all zeros at the first start.
    /// A side effect that [`Self::committed`] owes for it must be brought to its end here.
    ///
    /// # Errors
    /// What makes the worker give up: it is restarted with back-off.
    fn resume(&mut self, state: &mut [u8], io: &mut dyn SourceIo) -> io::Result<()>;

    /// One step: looks for input without blocking and emits at most `max_per_step` messages and no more than
    /// [`Emitter::room`]. Nothing it does to `state` and `out` counts until the commit that follows.
    ///
    /// # Errors
    /// What makes the worker give up. An unplugged device is no such thing: return [`Poll::Until`].
    fn poll(&mut self, state: &mut [u8], out: &mut Emitter<'_>, io: &mut dyn SourceIo) -> io::Result<Poll>;

    /// Somebody wants the device for himself (`pinring stop NODE`): let go of it, and [forget](SourceIo::forget) what was kept. Opened
    /// again by the next [`Self::poll`].
    ///
    /// # Errors
    /// What makes the worker give up.
    fn release(&mut self, state: &mut [u8], io: &mut dyn SourceIo) -> io::Result<()> {
        let _ = (state, io);
        Ok(())
    }

    /// Sends bytes out through the device that the supervisor keeps open for it (`pinring send NODE BYTES`), without blocking; how many
    /// it took. Called in the supervisor.
    ///
    /// # Errors
    /// What the system answered; Unsupported if nothing can be sent this way, NotConnected while the device is away.
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let _ = bytes;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Descriptors, each with a name of its own in this node, that a successor of the supervisor must get so that nothing is lost:
    /// asked after [`Self::prepare`]. What was [kept](SourceIo::keep) is not among them.
    fn heirlooms(&self) -> Vec<(&'static str, BorrowedFd<'_>)> {
        Vec::new()
    }

    /// As [`Self::prepare`], with the descriptors that a former supervisor had for [`Self::heirlooms`], by name.
    ///
    /// # Errors
    /// What the system answered.
    fn inherit(&mut self, heirlooms: Vec<(String, OwnedFd)>) -> io::Result<()> {
        drop(heirlooms);
        self.prepare()
    }

    /// The step is committed: do what must follow it, then note so in `state` (the committed state
    /// itself, so only with stores that may happen twice).
    ///
    /// # Errors
    /// What makes the worker give up.
    fn committed(&mut self, state: &mut [u8]) -> io::Result<()> {
        let _ = state;
        Ok(())
    }

    /// The descriptor whose readiness wakes it; asked again after every `poll`.
    fn watch(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Computes: takes messages, emits messages, remembers in its state.
///
/// ```
/// use pinring::message::{Record, Schema};
/// use pinring::pipeline::{Emitter, Input, Output, PlanError, Stage};
///
/// /// Doubles the first field.
/// struct Double;
///
/// impl Stage for Double {
///     fn kind(&self) -> &'static str {
///         "double"
///     }
///
///     fn plan(&mut self, inputs: &[Input<'_>]) -> Result<Output, PlanError> {
///         let schema = Schema::new(inputs[0].schema.fields()[..1].to_vec())?;
///         Ok(Output { schema, state_size: 0, max_per_step: 1, rate: inputs[0].rate })
///     }
///
///     fn process(&self, _: usize, record: &Record<'_>, _: &mut [u8], out: &mut Emitter<'_>) {
///         out.emit(|double| double.set_f64(0, 2.0 * record.f64(0)));
///     }
/// }
/// ```
pub trait Stage {
    /// Its type, as the configuration calls it.
    fn kind(&self) -> &'static str;

    /// Checks what feeds it and says what it will emit. Called once, before anything starts.
    ///
    /// # Errors
    /// An option makes no sense, or an input's fields, types or units do not fit.
    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<Output, PlanError>;

    /// Whether it computes so much that it deserves a fast core of its own.
    fn is_heavy(&self) -> bool {
        false
    }

    /// Handles one message of input `input` and emits at most `max_per_step` messages.
    ///
    /// `&self`: all that changes lives in `state`, so that the commit covers it.
    fn process(&self, input: usize, record: &Record<'_>, state: &mut [u8], out: &mut Emitter<'_>);

    /// All inputs have ended: emits what is still to be said (an open window, the last fix), at most `max_per_step`
    /// messages. They carry the time of this moment. Called once.
    fn finish(&self, state: &mut [u8], out: &mut Emitter<'_>) {
        let _ = (state, out);
    }
}

/// Gives messages out: files, streams, other machines.
pub trait Sink {
    /// Its type, as the configuration calls it.
    fn kind(&self) -> &'static str;

    /// The folder its files go to, so that somebody can look whether there is room for them.
    fn folder(&self) -> Option<std::path::PathBuf> {
        None
    }

    /// Checks what feeds it and says how many bytes of state it keeps. Called once, before anything
    /// starts; opens nothing.
    ///
    /// # Errors
    /// An option makes no sense, or an input does not fit.
    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<usize, PlanError>;

    /// Decides what every incarnation will agree on (file names, say). Called once in the supervisor, before the first
    /// fork.
    ///
    /// # Errors
    /// What the system answered.
    fn prepare(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// How long messages may wait for company before a step takes them, in ns; 0 takes each at once.
    fn linger_ns(&self) -> u64 {
        0
    }

    /// First call of each incarnation, and again after a failed step: bring the outside back to what
    /// `state` says (reopen the file, cut it to the length written there). All zeros at the first start.
    ///
    /// # Errors
    /// What the system answered, with the object's name; the step is tried again later.
    fn resume(&mut self, state: &mut [u8]) -> io::Result<()>;

    /// Whether the message can be taken in this step; asked before each [`Self::write`]. `false` ends the step before it: what
    /// was written is flushed, `state` is committed (even if nothing was written), and the message comes again in a step that
    /// follows at once. A sink that must make an object notes its name here and makes it in the next step: a crash between
    /// making and committing then leaves an object that the next incarnation knows for its own.
    ///
    /// # Errors
    /// As [`Self::write`].
    fn admit(&mut self, input: usize, record: &Record<'_>, state: &mut [u8]) -> io::Result<bool> {
        let _ = (input, record, state);
        Ok(true)
    }

    /// Takes one message of input `input`. May buffer in `self` until [`Self::flush`].
    ///
    /// # Errors
    /// What the system answered, with the object's name. The step is then given up: nothing in it counts,
    /// [`Self::resume`] is called, and the same messages come again.
    fn write(&mut self, input: usize, record: &Record<'_>, state: &mut [u8]) -> io::Result<()>;

    /// End of a step's messages: hand all that is buffered to the system and note in `state` how far the outside
    /// now is. The commit follows.
    ///
    /// # Errors
    /// As [`Self::write`].
    fn flush(&mut self, state: &mut [u8]) -> io::Result<()>;

    /// Makes what was flushed durable (fdatasync) and does what is due by time (rotation). Called when CLOCK_MONOTONIC
    /// reaches what [`Self::deadline_ns`] said, and at the end with `last`.
    ///
    /// # Errors
    /// As [`Self::write`]; the data stay where they are.
    fn sync(&mut self, state: &mut [u8], last: bool) -> io::Result<()> {
        let _ = (state, last);
        Ok(())
    }

    /// When [`Self::sync`] is due, CLOCK_MONOTONIC in ns; `None` while there is nothing to make durable.
    fn deadline_ns(&self) -> Option<u64> {
        None
    }

    /// Whether nobody can ever read what is written from now on (the reader of a pipe has gone). Asked after a failed write;
    /// the sink is then left alone, its messages are dropped and counted, and the run ends once no sink is left.
    fn is_deserted(&self) -> bool {
        false
    }

    /// What the closing report must say about data in doubt (a file that vanished, a failed fsync), one sentence each,
    /// from `state`; empty where all is well.
    fn remarks(&self, state: &[u8]) -> Vec<String> {
        let _ = state;
        Vec::new()
    }

    /// The files written so far, for the closing report (path, from `state`).
    fn files(&self, state: &[u8]) -> Vec<std::path::PathBuf> {
        let _ = state;
        Vec::new()
    }
}
