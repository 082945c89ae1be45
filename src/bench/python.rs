//! Python, if there is one.

use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::row::Sample;
use crate::sys::stream::wait_readable;

/// What does the operations there.
pub(super) const PROGRAM: &str = include_str!("operations.py");

/// How long one sample may take there.
const PATIENCE: Duration = Duration::from_secs(120);

/// A Python that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Python {
    /// What it calls itself, for example `CPython 3.13.0`.
    pub version: String,
}

impl Python {
    /// The `python3` of this shell; `None` if there is none that works.
    pub fn find() -> Option<Self> {
        let version = "import platform; print(platform.python_implementation(), platform.python_version())";
        let version = ask(&["-c", version]).ok()?;
        Some(Self { version })
    }

    /// Has it do an operation: nanoseconds each. Its start is not measured.
    pub(super) fn sample(&self, key: &str, count: u64, processes: usize) -> Sample {
        let answer = ask(&["-c", PROGRAM, key, &count.to_string(), &processes.to_string()])?;
        answer.parse().map_err(|_| format!("{} answered {answer:?}", self.version).into())
    }
}

/// What it prints, without the blanks around.
fn ask(arguments: &[&str]) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut command = Command::new("python3");
    // What it says when something goes wrong is the end of what we say then.
    let mut child =
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let until = Instant::now() + PATIENCE;
    let (mut text, mut complaint) = (String::new(), String::new());
    let answered = match &mut child.stdout {
        // It prints at its end, once, a few bytes: then the rest is there soon.
        Some(out) => {
            let in_time = wait_readable(out.as_fd(), Some(until.saturating_duration_since(Instant::now())))?;
            in_time && out.read_to_string(&mut text).is_ok()
        }
        None => false,
    };
    if !answered {
        child.kill()?;
    }
    if let Some(err) = &mut child.stderr {
        let _ = err.read_to_string(&mut complaint);
    }
    match child.wait()? {
        status if status.success() => Ok(text.trim().to_owned()),
        _ if !answered => Err(format!("python3 was not done after {} s", PATIENCE.as_secs()).into()),
        status => Err(format!("python3: {status}: {}", complaint.lines().last().unwrap_or_default()).into()),
    }
}
