//! Messages of bytes between two processes, over a stream socket.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::error::{RecvBytesError, SendBytesError};
use super::frames::{Frames, TooLong};
use crate::sys::stream;

/// Longest message, in bytes: 1 GiB.
pub const MAX_MESSAGE: usize = 1 << 30;

/// One end of a connection that carries messages of bytes: what is sent as one message is received as one.
///
/// Signals do not disturb it, and a peer that has gone is an error and no SIGPIPE. For one thread at a time.
///
/// ```
/// use pinring::multi::{BytesConn, RecvBytesError};
///
/// let (mut one, mut other) = BytesConn::pair()?;
/// one.send_bytes(b"hello")?;
/// one.send_bytes(b"")?;
/// drop(one);
/// assert_eq!(other.recv_bytes(100)?, b"hello");
/// assert_eq!(other.recv_bytes(100)?, b""); // an empty message is a message
/// assert!(matches!(other.recv_bytes(100), Err(RecvBytesError::Eof)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BytesConn {
    fd: OwnedFd,
    frames: Frames,
    /// A message was too long.
    read_closed: bool,
    /// Part of a message was sent, and the rest could not be.
    write_broken: bool,
    /// Answers and requests follow each other quickly.
    eager: Eager,
}

/// Whether a receive looks for some time before it sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Eager {
    /// It sleeps at once.
    Never,
    /// The last wait was long: it sleeps at once, and notes how long.
    Calm,
    /// The last wait was short.
    Hot,
}

/// How long a receive looks before it sleeps. To be woken costs up to 25 us on each side where the core has gone idle, to look for an
/// answer that comes in time a tenth of that.
const LOOK: Duration = Duration::from_micros(50);

impl BytesConn {
    /// Over a connected stream socket that blocks.
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self { fd, frames: Frames::default(), read_closed: false, write_broken: false, eager: Eager::Never }
    }

    /// Two connected ends, for two processes of one program: fork, and each side drops the end that it does not use.
    ///
    /// # Errors
    /// What socketpair(2) answered.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = UnixStream::pair()?;
        Ok((Self::new(one.into()), Self::new(other.into())))
    }

    /// Sends one message, which may be empty. Waits while the peer takes nothing.
    ///
    /// # Errors
    /// [`SendBytesError::Closed`] if the peer has gone, [`SendBytesError::TooLong`] over [`MAX_MESSAGE`], and what sendmsg(2) answered.
    pub fn send_bytes(&mut self, message: &[u8]) -> Result<(), SendBytesError> {
        let too_long = SendBytesError::TooLong { len: message.len(), max: MAX_MESSAGE };
        let Ok(length) = u32::try_from(message.len()) else { return Err(too_long) };
        if message.len() > MAX_MESSAGE {
            return Err(too_long);
        }
        if self.write_broken {
            return Err(SendBytesError::Closed);
        }
        stream::send_all(self.fd.as_fd(), &length.to_be_bytes(), message).map_err(|error| {
            self.write_broken = true;
            match error.kind() {
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => SendBytesError::Closed,
                _ => SendBytesError::Io(error),
            }
        })
    }

    /// Waits for the next message and returns it; of at most `max` bytes, or of [`MAX_MESSAGE`].
    ///
    /// # Errors
    /// [`RecvBytesError::Eof`] when the peer has gone and all has been received, also if the peer did not take all that we sent;
    /// [`RecvBytesError::Truncated`] when it ended within a message; [`RecvBytesError::TooLong`], after which nothing is received any
    /// more but sending still works; and what recv(2) answered.
    pub fn recv_bytes(&mut self, max: usize) -> Result<Vec<u8>, RecvBytesError> {
        let message = self.recv_borrowed(max)?.to_vec();
        self.frames.tidy();
        Ok(message)
    }

    /// Waits for the next message and writes it to the beginning of `buffer`; how long it is.
    ///
    /// # Errors
    /// As [`Self::recv_bytes`] with [`MAX_MESSAGE`], and [`RecvBytesError::BufferTooShort`] with the whole message if it does not
    /// fit; the next one is received as usual.
    pub fn recv_bytes_into(&mut self, buffer: &mut [u8]) -> Result<usize, RecvBytesError> {
        let message = self.recv_borrowed(MAX_MESSAGE)?;
        let Some(place) = buffer.get_mut(..message.len()) else {
            return Err(RecvBytesError::BufferTooShort(message.to_vec()));
        };
        place.copy_from_slice(message);
        let length = message.len();
        self.frames.tidy();
        Ok(length)
    }

    /// Waits until there is something to receive, at most `limit`; whether there is. The end of the peer counts, so that a receive
    /// that follows tells. Takes nothing.
    ///
    /// # Errors
    /// What poll(2) answered.
    pub fn poll(&self, limit: Duration) -> io::Result<bool> {
        if self.read_closed || self.frames.is_ready(MAX_MESSAGE) {
            return Ok(true);
        }
        stream::wait_readable(self.fd.as_fd(), Some(limit))
    }

    /// As [`Self::recv_bytes`], but into `message`, whose memory is used again.
    pub(in crate::multi) fn recv_to(&mut self, message: &mut Vec<u8>, max: usize) -> Result<(), RecvBytesError> {
        message.clear();
        message.extend_from_slice(self.recv_borrowed(max)?);
        self.frames.tidy();
        Ok(())
    }

    /// As [`Self::recv_bytes`], but the message stays in this connection's own buffer.
    fn recv_borrowed(&mut self, max: usize) -> Result<&[u8], RecvBytesError> {
        let max = max.min(MAX_MESSAGE);
        if self.read_closed {
            return Err(RecvBytesError::ReadClosed);
        }
        self.frames.tidy();
        while !self.frames.is_ready(max) {
            let count = match self.receive() {
                Ok(count) => count,
                // The peer closed before it had read all that we sent.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
                Err(error) => return Err(RecvBytesError::Io(error)),
            };
            if count == 0 {
                return Err(self.frames.started().map_or(RecvBytesError::Eof, |got| RecvBytesError::Truncated { got }));
            }
            self.frames.came(count);
        }
        match self.frames.next(max) {
            Ok(message) => Ok(message.unwrap_or_default()),
            Err(TooLong(len)) => {
                self.read_closed = true;
                // A peer that goes on with it is told.
                stream::stop_receiving(self.fd.as_fd());
                Err(RecvBytesError::TooLong { len, max })
            }
        }
    }

    fn receive(&mut self) -> io::Result<usize> {
        let space = self.frames.space();
        if self.eager == Eager::Never {
            return stream::receive(self.fd.as_fd(), space);
        }
        let begin = Instant::now();
        while self.eager == Eager::Hot {
            if let Some(count) = stream::receive_now(self.fd.as_fd(), space)? {
                return Ok(count);
            }
            if begin.elapsed() > LOOK {
                self.eager = Eager::Calm;
            }
            // Where there are more at work than cores, the peer may need this one; and who looks all the time is in the way of who
            // writes (measured: 5.6 instead of 4.4 us a request when it yields at every fourth look only).
            std::thread::yield_now();
        }
        let count = stream::receive(self.fd.as_fd(), space)?;
        self.eager = if begin.elapsed() < 2 * LOOK { Eager::Hot } else { Eager::Calm };
        Ok(count)
    }

    /// For one question and one answer at a time: from now on takes up to `bytes` at once from the socket, which is one call instead of
    /// two for a small message, and looks for some time before it sleeps as long as messages follow each other quickly. The descriptor
    /// then no longer tells whether there is a message.
    pub(in crate::multi) fn make_eager(&mut self, bytes: usize) {
        self.frames.read_ahead(bytes);
        self.eager = Eager::Hot;
    }

    /// From now on a send or a receive that has waited so long without a byte ends with WouldBlock. Such a receive can be tried again.
    pub(in crate::multi) fn limit_silence(&self, limit: Option<Duration>) -> io::Result<()> {
        stream::limit_silence(&self.fd, limit)
    }

    /// Whether the peer has gone, and has left nothing to be received.
    pub(in crate::multi) fn has_hung_up(&self) -> bool {
        !self.frames.is_ready(MAX_MESSAGE) && stream::has_hung_up(self.fd.as_fd())
    }
}

impl From<UnixStream> for BytesConn {
    /// Over a connected socket of one's own, one that blocks; nothing is asked of the other end.
    fn from(stream: UnixStream) -> Self {
        Self::new(stream.into())
    }
}

impl AsFd for BytesConn {
    /// Readable when there is something to receive, the end of the peer included.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
