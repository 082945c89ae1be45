//! What a service manager is told (sd_notify(3)): ready, alive, stopping, and the descriptors it is to keep.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::sys::clock::monotonic_ns;
use crate::sys::fork::own_pid;
use crate::sys::notify_socket::NotifySocket;

/// The line to the service manager, if there is one.
///
/// What cannot be sent is logged once: a manager that has gone is no reason to stop recording. One that does not listen holds us up
/// once; until it takes something again, what it does not take at once is lost on it.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<NotifySocket>,
    watchdog: Option<Duration>,
    complained: std::cell::Cell<bool>,
    /// It did not take the last message.
    deaf: std::cell::Cell<bool>,
    /// What it keeps is not what it should keep.
    owes: std::cell::Cell<bool>,
    status: std::cell::RefCell<String>,
}

impl Notifier {
    /// From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let Some(name) = variable("NOTIFY_SOCKET") else { return Self::default() };
        let socket = match NotifySocket::connect(&name) {
            Ok(socket) => Some(socket),
            Err(error) => {
                log::warn!("NOTIFY_SOCKET={name}: {error}; the service manager will not hear from this run");
                None
            }
        };
        let for_us = variable("WATCHDOG_PID").is_none_or(|pid| pid == own_pid().to_string());
        let micros = variable("WATCHDOG_USEC").filter(|_| for_us).and_then(|micros| micros.parse().ok());
        Self { socket, watchdog: micros.map(Duration::from_micros), ..Self::default() }
    }

    /// Whether somebody listens.
    pub fn is_heard(&self) -> bool {
        self.socket.is_some()
    }

    /// How often [`Self::alive`] is to be said: twice as often as is asked for.
    pub fn alive_every(&self) -> Option<Duration> {
        self.watchdog.filter(|_| self.is_heard()).map(|time| time / 2)
    }

    /// Whether it was told.
    fn say(&self, message: &str, fds: &[BorrowedFd<'_>]) -> bool {
        let Some(socket) = &self.socket else { return false };
        let sent = socket.send(message, fds, !self.deaf.get());
        self.deaf.set(sent.is_err());
        if let Err(error) = &sent {
            if !self.complained.replace(true) {
                log::warn!("the service manager cannot be told `{}`: {error}", message.replace('\n', " "));
            }
        }
        sent.is_ok()
    }

    /// All critical workers are ready. Whether it was told.
    pub fn ready(&self) -> bool {
        self.say("READY=1", &[])
    }

    /// One sentence about how things are; sent if it has changed.
    pub fn status(&self, text: &str) {
        if *self.status.borrow() != text && self.say(&format!("STATUS={}", text.replace('\n', " ")), &[]) {
            text.clone_into(&mut self.status.borrow_mut());
        }
    }

    /// The loop has come round.
    pub fn alive(&self) {
        self.say("WATCHDOG=1", &[]);
    }

    /// The configuration is being read again; [`Self::ready`] ends that.
    pub fn reloading(&self) {
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_ns() / 1000), &[]);
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.say("STOPPING=1", &[]);
    }

    /// The end will take so much longer.
    pub fn more_time(&self, time: Duration) {
        self.say(&format!("EXTEND_TIMEOUT_USEC={}", time.as_micros()), &[]);
    }

    /// Has the manager keep a duplicate of `fd` under `name` (letters, digits, `-`, `_`, `.`) for the next start. It is not watched:
    /// a terminal that hangs up must not be forgotten behind our back.
    pub fn store(&self, name: &str, fd: BorrowedFd<'_>) {
        self.keep(&format!("FDSTORE=1\nFDNAME={name}\nFDPOLL=0"), &[fd]);
    }

    /// Has the manager forget what it keeps under `name`.
    pub fn forget(&self, name: &str) {
        self.keep(&format!("FDSTOREREMOVE=1\nFDNAME={name}"), &[]);
    }

    fn keep(&self, message: &str, fds: &[BorrowedFd<'_>]) {
        if self.is_heard() && !self.say(message, fds) {
            self.owes.set(true);
        }
    }

    /// Whether it missed a [`Self::store`] or a [`Self::forget`] since this was asked last: all is to be stored again.
    pub fn owes(&self) -> bool {
        self.owes.take()
    }
}
