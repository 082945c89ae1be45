//! A pair of connected sockets that carry small messages and descriptors between a worker and its
//! supervisor.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg, socketpair,
};

/// Longest message, in bytes.
pub const MAX_MESSAGE: usize = 16;

/// One end of a SOCK_SEQPACKET pair: messages keep their borders, and the end of the peer is seen.
#[derive(Debug)]
pub struct Channel(OwnedFd);

/// What came in.
#[derive(Debug)]
pub enum Received {
    /// A message of so many bytes (in the caller's buffer), perhaps with a descriptor.
    Message(usize, Option<OwnedFd>),
    /// Nothing yet.
    Nothing,
    /// The peer has gone.
    Closed,
}

impl Channel {
    /// Two connected ends, non-blocking.
    ///
    /// # Errors
    /// What socketpair(2) answered.
    pub fn pair() -> io::Result<(Self, Self)> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let (one, other) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        Ok((Self(one), Self(other)))
    }

    /// One that leads nowhere, for tests.
    #[cfg(test)]
    pub(crate) fn to_nowhere() -> io::Result<Self> {
        Ok(Self(std::fs::File::open("/dev/null")?.into()))
    }

    /// Sends one message, with a duplicate of `fd` if one is given.
    ///
    /// # Errors
    /// What sendmsg(2) answered: the peer has gone, or has not read for long.
    pub fn send(&self, message: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let fds: Vec<RawFd> = fd.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&fds)];
        let rights = if fds.is_empty() { &rights[..0] } else { &rights[..] };
        sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(message)], rights, MsgFlags::MSG_NOSIGNAL, None)?;
        Ok(())
    }

    /// Waits until there is a message or the peer has gone.
    ///
    /// # Errors
    /// What poll(2) answered.
    pub fn wait(&self) -> io::Result<()> {
        self.wait_for(PollFlags::POLLIN)
    }

    /// Waits until a message can be sent or the peer has gone.
    ///
    /// # Errors
    /// What poll(2) answered.
    pub fn wait_for_room(&self) -> io::Result<()> {
        self.wait_for(PollFlags::POLLOUT)
    }

    /// Whether the peer is still there, as far as the system says.
    pub fn has_peer(&self) -> bool {
        let mut line = [PollFd::new(self.0.as_fd(), PollFlags::empty())];
        // A signal may be on its way even if nothing is waited for.
        while poll(&mut line, PollTimeout::ZERO) == Err(Errno::EINTR) {}
        !line[0].revents().is_some_and(|seen| seen.contains(PollFlags::POLLHUP))
    }

    fn wait_for(&self, what: PollFlags) -> io::Result<()> {
        match poll(&mut [PollFd::new(self.0.as_fd(), what)], PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes the next message into `buffer`.
    ///
    /// # Errors
    /// What recvmsg(2) answered.
    pub fn receive(&self, buffer: &mut [u8; MAX_MESSAGE]) -> io::Result<Received> {
        let mut space = nix::cmsg_space!([RawFd; 4]);
        let mut parts = [IoSliceMut::new(buffer)];
        let message = match recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)
        {
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(Received::Nothing),
            Err(Errno::ECONNRESET) => return Ok(Received::Closed),
            other => other?,
        };
        let mut first = None;
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(fds) = control {
                for fd in fds {
                    // SAFETY: the kernel has just installed this descriptor for us; nobody else owns it.
                    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
                    // Any beyond the first is not of our protocol: dropped, that is closed.
                    first.get_or_insert(fd);
                }
            }
        }
        Ok(if message.bytes == 0 { Received::Closed } else { Received::Message(message.bytes, first) })
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_travels_with_its_message() {
        let (one, other) = Channel::pair().unwrap();
        let bell = crate::sys::eventfd::EventFd::new().unwrap();
        one.send(b"keep", Some(bell.as_fd())).unwrap();
        let mut buffer = [0; MAX_MESSAGE];
        let Received::Message(4, Some(fd)) = other.receive(&mut buffer).unwrap() else { panic!("no message") };
        assert_eq!(&buffer[..4], b"keep");
        assert_ne!(fd.as_raw_fd(), bell.as_fd().as_raw_fd());
        assert!(matches!(other.receive(&mut buffer).unwrap(), Received::Nothing));
        assert!(other.has_peer());
        drop(one);
        assert!(!other.has_peer());
        assert!(matches!(other.receive(&mut buffer).unwrap(), Received::Closed));
    }
}
