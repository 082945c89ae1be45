//! What a service manager is told (sd_notify(3)): ready, alive, stopping, and the descriptors it is to keep.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::sys::clock::monotonic_ns;
use crate::sys::fork::own_pid;
use crate::sys::notify_socket::NotifySocket;

/// The line to the service manager, if there is one.
///
/// What cannot be sent is logged once and not tried again: a manager that has gone is no reason to stop recording.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<NotifySocket>,
    watchdog: Option<Duration>,
    complained: std::cell::Cell<bool>,
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

    fn say(&self, message: &str, fds: &[BorrowedFd<'_>]) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(message, fds) {
            if !self.complained.replace(true) {
                log::warn!("the service manager cannot be told `{}`: {error}", message.replace('\n', " "));
            }
        }
    }

    /// All critical workers are ready.
    pub fn ready(&self) {
        self.say("READY=1", &[]);
    }

    /// One sentence about how things are; sent if it has changed.
    pub fn status(&self, text: &str) {
        if self.is_heard() && *self.status.borrow() != text {
            text.clone_into(&mut self.status.borrow_mut());
            self.say(&format!("STATUS={}", text.replace('\n', " ")), &[]);
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
        self.say(&format!("FDSTORE=1\nFDNAME={name}\nFDPOLL=0"), &[fd]);
    }

    /// Has the manager forget what it keeps under `name`.
    pub fn forget(&self, name: &str) {
        self.say(&format!("FDSTOREREMOVE=1\nFDNAME={name}"), &[]);
    }
}
