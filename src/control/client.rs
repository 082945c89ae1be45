//! The asking end.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{MAX_ANSWER, MAX_REQUEST};
use crate::sys::unix_socket::connect;

/// How long a system may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a running system, for one thread that may wait.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    patience: Duration,
    /// What came after the last answer.
    input: Vec<u8>,
    /// An answer was given up. It may come later: it must not be taken for the next one.
    is_out_of_step: bool,
}

impl Client {
    /// Connects; waits no longer than `patience`, neither for that nor for an answer.
    ///
    /// # Errors
    /// What connect(2) answered: ConnectionRefused or NotFound if nobody listens, PermissionDenied if it is not for us, WouldBlock
    /// if the system takes nobody in. InvalidInput if `patience` is zero.
    pub fn connect(path: &Path, patience: Duration) -> io::Result<Self> {
        Ok(Self { stream: connect(path, Some(patience))?, patience, input: Vec::new(), is_out_of_step: false })
    }

    /// Sends one request, a line of at most 64 KiB without a newline, and waits for the answer.
    ///
    /// # Errors
    /// InvalidInput if `request` is no such line, UnexpectedEof if the system went away, WouldBlock if it takes too long, InvalidData if
    /// the answer is no text or too long, NotConnected after any of these but the first, or what the system answered.
    pub fn ask(&mut self, request: &str) -> io::Result<String> {
        if request.len() > MAX_REQUEST || request.contains('\n') {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a request is one line of at most 64 KiB"));
        }
        if self.is_out_of_step {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.is_out_of_step = true;
        let until = Instant::now() + self.patience;
        let sent = self.send(format!("{request}\n").as_bytes(), until);
        // Who closed the connection has said why.
        let answer = match (self.receive(until), sent) {
            (Err(_), Err(error)) => return Err(error),
            (answer, _) => answer?,
        };
        self.is_out_of_step = false;
        Ok(answer)
    }

    fn send(&mut self, mut bytes: &[u8], until: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(left(until)?))?;
            match self.stream.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn receive(&mut self, until: Instant) -> io::Result<String> {
        let mut searched = 0;
        let mut buffer = [0; 4096];
        loop {
            if let Some(end) = self.input[searched..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.input.drain(..=searched + end).collect();
                line.pop();
                return String::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData.into());
            }
            searched = self.input.len();
            if searched > MAX_ANSWER {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.stream.set_read_timeout(Some(left(until)?))?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// What is left until then; an error if nothing is.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    // As the kernel says it when such a time is over.
    if left.is_zero() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(left) }
}

/// Connects and asks one thing.
///
/// # Errors
/// As [`Client::connect`] and [`Client::ask`].
pub fn ask(path: &Path, request: &str) -> io::Result<String> {
    Client::connect(path, PATIENCE)?.ask(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::sync::mpsc::channel;

    /// A client of somebody who answers as `system` does.
    fn with<R: Send>(system: impl FnOnce(UnixStream) + Send, patience: Duration, ask: impl FnOnce(Client) -> R) -> R {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sock");
        let listener = UnixListener::bind(&path).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || system(listener.accept().unwrap().0));
            ask(Client::connect(&path, patience).unwrap())
        })
    }

    const LONG: Duration = Duration::from_secs(60);

    fn line(stream: &mut UnixStream) -> String {
        let mut text = String::new();
        while !text.ends_with('\n') {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            text.push(byte[0].into());
        }
        text
    }

    #[test]
    fn answers_come_in_order_however_they_are_cut() {
        let system = |mut stream: UnixStream| {
            assert_eq!(line(&mut stream), "a\n");
            for piece in ["o", "ne\ntw", "o"] {
                stream.write_all(piece.as_bytes()).unwrap();
            }
            assert_eq!(line(&mut stream), "b\n");
            stream.write_all(b"\n").unwrap();
        };
        with(system, LONG, |mut client| {
            assert_eq!(client.ask("a").unwrap(), "one");
            assert_eq!(client.ask("b").unwrap(), "two");
        });
    }

    #[test]
    fn half_an_answer_is_none() {
        let system = |mut stream: UnixStream| {
            line(&mut stream);
            stream.write_all(b"{\"half\":").unwrap();
        };
        with(system, LONG, |mut client| {
            assert_eq!(client.ask("a").unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            assert_eq!(client.ask("a").unwrap_err().kind(), io::ErrorKind::NotConnected);
        });
    }

    #[test]
    fn a_late_answer_is_not_taken_for_the_next_one() {
        let ((give_up, given_up), (answer, answered)) = (channel::<()>(), channel::<()>());
        let system = move |mut stream: UnixStream| {
            line(&mut stream);
            given_up.recv().unwrap();
            stream.write_all(b"late\n").unwrap();
            answer.send(()).unwrap();
        };
        with(system, Duration::from_millis(10), move |mut client| {
            assert_eq!(client.ask("a").unwrap_err().kind(), io::ErrorKind::WouldBlock);
            give_up.send(()).unwrap();
            answered.recv().unwrap();
            assert_eq!(client.ask("b").unwrap_err().kind(), io::ErrorKind::NotConnected);
        });
    }

    #[test]
    fn who_dribbles_does_not_hold_a_client_for_ever() {
        // Ends when the client has gone.
        let system = |mut stream: UnixStream| while stream.write_all(b".").is_ok() {};
        with(system, Duration::from_millis(20), |mut client| {
            let error = client.ask("a").unwrap_err().kind();
            assert!(matches!(error, io::ErrorKind::WouldBlock | io::ErrorKind::InvalidData), "{error:?}");
        });
    }

    #[test]
    fn what_is_no_request_is_not_sent() {
        let system = |mut stream: UnixStream| {
            assert_eq!(line(&mut stream), "a\n");
            stream.write_all(b"yes\n").unwrap();
        };
        with(system, LONG, |mut client| {
            for request in ["two\nlines", &"x".repeat(MAX_REQUEST + 1)] {
                assert_eq!(client.ask(request).unwrap_err().kind(), io::ErrorKind::InvalidInput);
            }
            assert_eq!(client.ask("a").unwrap(), "yes");
        });
    }

    #[test]
    fn a_farewell_is_the_answer() {
        let system = |mut stream: UnixStream| stream.write_all(b"{\"error\":\"others want to ask, too\"}\n").unwrap();
        with(system, LONG, |mut client| assert!(client.ask("a").unwrap().contains("others")));
    }
}
