//! The asking end.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long a system may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a running system.
#[derive(Debug)]
pub struct Client(BufReader<UnixStream>);

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// What connect(2) answered: ConnectionRefused or NotFound if nobody listens, PermissionDenied if it is not for us.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends one request, a line, and waits for the answer.
    ///
    /// # Errors
    /// UnexpectedEof if the system went away, WouldBlock if it takes too long, or what the system answered.
    pub fn ask(&mut self, request: &str) -> io::Result<String> {
        let stream = self.0.get_mut();
        stream.write_all(request.as_bytes())?;
        stream.write_all(b"\n")?;
        let mut answer = String::new();
        if self.0.read_line(&mut answer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.truncate(answer.trim_end().len());
        Ok(answer)
    }
}

/// Connects and asks one thing.
///
/// # Errors
/// As [`Client::connect`] and [`Client::ask`].
pub fn ask(path: &Path, request: &str) -> io::Result<String> {
    Client::connect(path)?.ask(request)
}
