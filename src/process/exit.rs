//! How a worker ended, in words.

use std::fmt;

use crate::sys::signal;
use crate::sys::wait::Ended;

/// Exit codes of workers.
pub mod codes {
    /// All of its nodes have ended.
    pub const DONE: i32 = 0;
    /// A node gave up; the reason is in the log.
    pub const FAILED: i32 = 1;
    /// It was asked to end between two steps.
    pub const STOPPED: i32 = 3;
    /// A neighbour has written what makes no sense; the supervisor was told.
    pub const FENCED: i32 = 4;
    /// The configuration is wrong: starting again is useless (EX_CONFIG of sysexits(3)).
    pub const CONFIG: i32 = 78;
    /// It failed for good: starting again is useless (as s6-supervise understands it).
    pub const PERMANENT: i32 = 100;
    /// A panic; the message is in the log.
    pub const PANIC: i32 = 101;
    /// The prologue failed (pinning, signals); the reason is in the log.
    pub const PROLOGUE: i32 = 71;
    /// The supervisor had gone before the worker was ready.
    pub const ORPHAN: i32 = 72;
}

/// Why a worker is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCause(pub Ended);

impl ExitCause {
    /// Whether it ended because its work was done.
    pub fn is_done(self) -> bool {
        self.0 == Ended::Code(codes::DONE)
    }

    /// Whether it says that starting it again is useless.
    pub fn is_refusal(self) -> bool {
        matches!(self.0, Ended::Code(codes::CONFIG | codes::PERMANENT))
    }
}

impl fmt::Display for ExitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ended::Code(codes::DONE) => f.write_str("its work was done"),
            Ended::Code(codes::FAILED) => f.write_str("a node gave up (exit code 1)"),
            Ended::Code(codes::STOPPED) => f.write_str("it was asked to stop (exit code 3)"),
            Ended::Code(codes::FENCED) => f.write_str("its neighbour's rings made no sense (exit code 4)"),
            Ended::Code(code @ (codes::CONFIG | codes::PERMANENT)) => {
                write!(f, "it says that starting it again is useless (exit code {code})")
            }
            Ended::Code(codes::PANIC) => f.write_str("it panicked (exit code 101)"),
            Ended::Code(codes::PROLOGUE) => f.write_str("it could not be set up (exit code 71)"),
            Ended::Code(codes::ORPHAN) => f.write_str("its supervisor had gone (exit code 72)"),
            Ended::Code(code) => write!(f, "exit code {code}"),
            Ended::Signal { number, core } => {
                let name = signal::name(number);
                write!(f, "killed by {name}{}", if core { ", core dumped" } else { "" })
            }
        }
    }
}
