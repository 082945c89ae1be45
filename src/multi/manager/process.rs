//! The server's process, as its parent sees it.

use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use super::client::{Client, Target};
use super::error::ManagerError;
use super::server::{Server, Settings};
use super::wire::{Op, SessionToken};
use crate::multi::net::Listener;
use crate::process::{Child, ExitCause, Identity, codes, spawn};
use crate::sys::at_fork::OwnedHere;
use crate::sys::pidfd::PidFd;
use crate::sys::unix_socket::SocketFile;
use crate::sys::wait::{self, Ended};
use crate::sys::{fork, prctl, stderr, stream};

/// How long a server may take to end after it has agreed to.
const END_LIMIT: Duration = Duration::from_secs(5);

/// A forked server. Dropped, it is killed; in a forked child that has a copy, nothing happens.
pub(super) struct ServerProcess {
    pid: i32,
    pidfd: OwnedHere<PidFd>,
    token: SessionToken,
    parent: i32,
    reaped: bool,
    /// What a server that is killed leaves behind.
    file: Option<SocketFile>,
}

impl ServerProcess {
    /// Forks a server that listens with `listener`, whose file it removes at its end.
    pub(super) fn fork(listener: Listener, settings: Settings, token: SessionToken) -> Result<Self, ManagerError> {
        let keep = [listener.as_fd().as_raw_fd()];
        let parent = fork::own_pid();
        let mut listener = Some(listener);
        let identity = Identity { name: "pinring-manager", core: None, keep: &keep };
        let child = spawn(identity, || {
            // Taken here, so that in this process its drop removes the file.
            let Some(listener) = listener.take() else { return codes::FAILED };
            // Told of its end, rather than killed at it: the file of the socket is to go, too.
            let parent = PidFd::open(parent).and_then(|parent| prctl::live_on().map(|()| parent)).ok();
            match Server::new(settings).and_then(|server| server.serve(&listener, parent.as_ref())) {
                Ok(()) => codes::DONE,
                Err(error) => {
                    stderr::say(&format!("pinring: the manager at {} ends: {error}", listener.address()));
                    codes::FAILED
                }
            }
        });
        // Without a child the drop of the listener removes the file.
        let child = child?;
        let file = listener.and_then(Listener::leave_to_child);
        let Child { pid, pidfd } = child;
        Ok(Self { pid, pidfd: OwnedHere::new(pidfd), token, parent, reaped: false, file })
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// Whether this process has forked it.
    pub(super) fn is_ours(&self) -> bool {
        self.parent == fork::own_pid()
    }

    /// Asks it to end and waits until it has.
    pub(super) fn shut_down(mut self, client: &Client) -> Result<(), ManagerError> {
        client.ask(Target::SERVER, Op::Shutdown { token: self.token }, |_| Some(()))?;
        match self.wait(END_LIMIT) {
            // Another has reaped it, or the system, as where SIGCHLD is ignored. It has said that it ends; a file that it has left behind is
            // removed.
            Some(None) => {
                drop(self.file.take());
                Ok(())
            }
            Some(Some(Ended::Code(codes::DONE))) => {
                // It has removed its file, and another server may have come.
                self.file.take().into_iter().for_each(SocketFile::keep);
                Ok(())
            }
            Some(Some(ended)) => {
                let name = client.name(Target::SERVER);
                Err(ManagerError::Remote(format!("{name} has not ended well: {}", ExitCause(ended))))
            }
            // Killed by the drop.
            None => Err(ManagerError::Timeout { object: format!("the end of {}", client.name(Target::SERVER)) }),
        }
    }

    /// Waits for its end, and reaps it; how it ended, if that is known. `None`: it has not.
    fn wait(&mut self, limit: Duration) -> Option<Option<Ended>> {
        let until = Instant::now() + limit;
        loop {
            let rest = until.saturating_duration_since(Instant::now());
            // Nobody else's child; and an error leaves the waiting to the reaping below.
            let _ = stream::wait_readable(self.pidfd.get()?.as_fd(), Some(rest));
            match wait::reap(self.pid) {
                Ok(Some(ended)) => {
                    self.reaped = true;
                    return Some(Some(ended));
                }
                Ok(None) if Instant::now() < until => {}
                Ok(None) => return None,
                Err(_) => {
                    self.reaped = true;
                    return Some(None);
                }
            }
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if !self.is_ours() {
            self.file.take().into_iter().for_each(SocketFile::keep);
            return;
        }
        if self.reaped {
            return;
        }
        // It may have ended by itself.
        self.pidfd.get().into_iter().for_each(|pidfd| drop(pidfd.kill()));
        let _ = self.wait(END_LIMIT);
    }
}
