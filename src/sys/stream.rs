//! Blocking stream sockets of any family: whole calls, in spite of signals, and without SIGPIPE.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, Shutdown, recv, sendmsg, setsockopt, shutdown, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

/// After how many seconds of silence a TCP peer is asked whether it is still there.
const KEEP_ALIVE_IDLE_S: u32 = 10;
/// How many seconds lie between two such questions.
const KEEP_ALIVE_INTERVAL_S: u32 = 5;
/// How many of them may stay without an answer.
const KEEP_ALIVE_QUESTIONS: u32 = 3;
/// A year: what is longer might not fit the kernel's number of seconds.
const MOST_MICROS: i64 = 365 * 24 * 3600 * 1_000_000;

/// Waits for bytes and takes what is there into `buffer`; 0: the peer has closed its end.
///
/// # Errors
/// What recv(2) answered, besides that a signal came.
pub fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    receive_with(fd, buffer, MsgFlags::empty())
}

/// As [`receive`], but without waiting: `None` if nothing is there.
///
/// # Errors
/// As [`receive`].
pub fn receive_now(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match receive_with(fd, buffer, MsgFlags::MSG_DONTWAIT) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        other => other.map(Some),
    }
}

fn receive_with(fd: BorrowedFd<'_>, buffer: &mut [u8], flags: MsgFlags) -> io::Result<usize> {
    loop {
        match recv(fd.as_raw_fd(), buffer, flags) {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Sends all of `head` and then of `body`, however long the peer takes.
///
/// # Errors
/// BrokenPipe or ConnectionReset if the peer has gone, and what sendmsg(2) answered.
pub fn send_all(fd: BorrowedFd<'_>, head: &[u8], body: &[u8]) -> io::Result<()> {
    let total = head.len() + body.len();
    let mut sent = 0;
    while sent < total {
        let parts =
            [IoSlice::new(&head[sent.min(head.len())..]), IoSlice::new(&body[sent.saturating_sub(head.len())..])];
        match sendmsg::<()>(fd.as_raw_fd(), &parts, &[], MsgFlags::MSG_NOSIGNAL, None) {
            Ok(count) => sent += count,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Waits until a read would not block, at most `limit`; whether it would not.
///
/// # Errors
/// What poll(2) answered, besides that a signal came.
pub fn wait_readable(fd: BorrowedFd<'_>, limit: Option<Duration>) -> io::Result<bool> {
    Ok(wait_any(&[fd], limit)?.is_some())
}

/// Waits until a read from one of `fds`, of which there are at most four, would not block; which one.
///
/// # Errors
/// As [`wait_readable`].
pub fn wait_any(fds: &[BorrowedFd<'_>], limit: Option<Duration>) -> io::Result<Option<usize>> {
    let until = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        let rest = until.map(|until| until.saturating_duration_since(Instant::now()));
        // Rounded up: less than a millisecond must not become a busy loop.
        let rest = rest.map_or(Ok(PollTimeout::NONE), |rest| {
            PollTimeout::try_from(if rest.is_zero() { rest } else { rest + Duration::from_nanos(999_999) })
        });
        let mut all = [const { None }; 4];
        all.iter_mut().zip(fds).for_each(|(place, fd)| *place = Some(PollFd::new(*fd, PollFlags::POLLIN)));
        let mut all: heapless::Vec<PollFd<'_>, 4> = all.into_iter().flatten().collect();
        match poll(&mut all, rest.unwrap_or(PollTimeout::MAX)) {
            Ok(0) if until.is_some_and(|until| Instant::now() >= until) => return Ok(None),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(all.iter().position(|fd| fd.any().unwrap_or(true))),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Whether the peer has closed its end, or is no more, and nothing of it is left to be read.
pub fn has_hung_up(fd: BorrowedFd<'_>) -> bool {
    match receive_with(fd, &mut [0], MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_PEEK) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

/// From now on a read or a write ends with WouldBlock when it has waited so long without a byte; `None`: it waits for ever.
///
/// # Errors
/// What setsockopt(2) answered.
pub fn limit_silence(fd: &impl AsFd, limit: Option<Duration>) -> io::Result<()> {
    // Zero is for ever to the kernel.
    let micros = limit.map_or(0, |limit| i64::try_from(limit.as_micros()).unwrap_or(i64::MAX).max(1));
    let time = TimeVal::microseconds(micros.min(MOST_MICROS));
    setsockopt(fd, sockopt::ReceiveTimeout, &time)?;
    Ok(setsockopt(fd, sockopt::SendTimeout, &time)?)
}

/// Nothing more is received: a peer that writes on is told so.
pub fn stop_receiving(fd: BorrowedFd<'_>) {
    // ENOTCONN: the peer has gone; that is as good.
    let _ = shutdown(fd.as_raw_fd(), Shutdown::Read);
}

/// Has a TCP socket send at once what it is given, and notice within half a minute that the peer's machine has gone.
///
/// # Errors
/// What setsockopt(2) answered.
pub fn prepare_tcp(fd: &impl AsFd) -> io::Result<()> {
    setsockopt(fd, sockopt::TcpNoDelay, &true)?;
    setsockopt(fd, sockopt::TcpKeepIdle, &KEEP_ALIVE_IDLE_S)?;
    setsockopt(fd, sockopt::TcpKeepInterval, &KEEP_ALIVE_INTERVAL_S)?;
    setsockopt(fd, sockopt::TcpKeepCount, &KEEP_ALIVE_QUESTIONS)?;
    Ok(setsockopt(fd, sockopt::KeepAlive, &true)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_peer_that_has_gone_is_an_error_and_no_signal() {
        let (one, other) = UnixStream::pair().unwrap();
        assert!(!has_hung_up(one.as_fd()));
        send_all(one.as_fd(), b"ab", b"cde").unwrap();
        let mut buffer = [0; 8];
        assert_eq!(receive(other.as_fd(), &mut buffer).unwrap(), 5);
        assert_eq!(receive_now(other.as_fd(), &mut buffer).unwrap(), None);
        drop(other);
        assert!(has_hung_up(one.as_fd()));
        assert_eq!(send_all(one.as_fd(), b"a", b"").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_wait_ends_at_its_limit_or_when_there_is_something() {
        let (one, other) = UnixStream::pair().unwrap();
        let (third, _fourth) = UnixStream::pair().unwrap();
        assert!(!wait_readable(other.as_fd(), Some(Duration::from_millis(2))).unwrap());
        send_all(one.as_fd(), b"a", b"").unwrap();
        assert_eq!(wait_any(&[third.as_fd(), other.as_fd()], None).unwrap(), Some(1));
    }
}
