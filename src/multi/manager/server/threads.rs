//! The thread that accepts, and those it starts.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::service::Registration;
use super::super::wire::SessionToken;
use super::Shared;
use super::body::lock;
use super::connection::serve;
use super::holdings::Holdings;
use crate::multi::net::{Incoming, Listener};
use crate::sys::eventfd::EventFd;
use crate::sys::pidfd::PidFd;
use crate::sys::{random, stream};

/// How long nobody is accepted after that failed (no descriptor is free): whoever waits would wake us for ever.
const REST: Duration = Duration::from_millis(100);

/// How a server is to be.
#[derive(Clone, Debug)]
pub(in super::super) struct Settings {
    pub(in super::super) services: Vec<Registration>,
    pub(in super::super) max_message: usize,
    pub(in super::super) max_connections: usize,
    pub(in super::super) stop_token: Option<SessionToken>,
}

/// A server that does not serve yet.
pub(in super::super) struct Server {
    shared: Arc<Shared>,
    connections: Arc<Mutex<usize>>,
    max_connections: usize,
}

/// A place among the connections; free again when it is dropped.
struct Place(Arc<Mutex<usize>>);

impl Drop for Place {
    fn drop(&mut self) {
        *lock(&self.0) -= 1;
    }
}

impl Server {
    pub(in super::super) fn new(settings: Settings) -> io::Result<Self> {
        let mut incarnation = [0; 8];
        random::fill(&mut incarnation)?;
        let shared = Shared {
            holdings: Holdings::default(),
            services: settings.services,
            max_message: settings.max_message,
            incarnation: u64::from_ne_bytes(incarnation),
            stop_token: settings.stop_token,
            stop: EventFd::new()?,
        };
        Ok(Self { shared: Arc::new(shared), connections: Arc::default(), max_connections: settings.max_connections })
    }

    /// Serves until it is told to end, or `parent` has ended. Connections are then still open: the end of the process closes them.
    pub(in super::super) fn serve(&self, listener: &Listener, parent: Option<&PidFd>) -> io::Result<()> {
        let stop = self.shared.stop.as_fd();
        let ends = [stop, parent.map_or(stop, PidFd::as_fd), listener.as_fd()];
        loop {
            if stream::wait_any(&ends, None)? != Some(2) {
                return Ok(());
            }
            match listener.try_accept_raw() {
                Ok(incoming) => drop(incoming.map(|incoming| self.admit(incoming))),
                Err(_) => self.shared.stop.wait(Some(REST))?,
            }
        }
    }

    /// Starts a thread for a client, which may be slow or silent. Beyond the limit it is hung up on.
    fn admit(&self, incoming: Incoming) {
        let mut count = lock(&self.connections);
        if *count >= self.max_connections {
            return;
        }
        *count += 1;
        drop(count);
        let place = Place(Arc::clone(&self.connections));
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("pinring-client".to_owned());
        let started = thread.spawn(move || {
            let _place = place;
            // Why a stranger was refused is told to the stranger.
            if let Ok(conn) = incoming.handshake() {
                serve(&shared, conn);
            }
        });
        // No memory for a thread: the client is hung up on with what the closure held, and may try again.
        drop(started);
    }
}
