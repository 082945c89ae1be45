//! The answering end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::connection::Connection;
use crate::sys::epoll::Epoll;
use crate::sys::unix_socket::{Listener, Peer};

/// Clients served at a time. Another one takes the place of whoever has asked nothing for longest.
pub(super) const CLIENTS: usize = 8;
/// Clients admitted at a time: a flood of them must not hold us.
pub(super) const ADMITTED: usize = 2;
/// How long nobody is admitted after that failed (no descriptor is free): whoever waits would wake us for ever.
pub(super) const REST_NS: u64 = 100_000_000;

const LISTENER: u64 = 0;

/// Listens, collects requests, sends answers.
///
/// For one thread, which adds it to its epoll set and calls [`Self::serve`] when it is readable or [`Self::deadline_ns`] has
/// come. A client that sends no whole request for 5 s, does not take its answer for 5 s, or sends what is no request is closed.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    epoll: Epoll,
    clients: [Option<Connection>; CLIENTS],
    /// A client may have a whole request in its buffer, for which no descriptor will become ready.
    leftover: bool,
    /// Nobody is admitted before.
    resting_until_ns: Option<u64>,
    /// Clients so far.
    admitted: u64,
}

impl Server {
    /// Listens at `path`: for its owner, and the members of `group`.
    ///
    /// # Errors
    /// As [`Listener::bind`].
    pub fn bind(path: &Path, group: Option<&str>) -> io::Result<Self> {
        let listener = Listener::bind(path, group)?;
        let epoll = Epoll::new()?;
        epoll.add(&listener, LISTENER)?;
        let clients = [const { None }; CLIENTS];
        Ok(Self { listener, epoll, clients, leftover: false, resting_until_ns: None, admitted: 0 })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        self.listener.path()
    }

    /// When [`Self::serve`] is due though nothing is ready.
    pub fn deadline_ns(&self) -> Option<u64> {
        if self.leftover {
            return Some(0);
        }
        let clients = self.clients.iter().flatten().map(|client| client.due_ns);
        clients.chain(self.resting_until_ns).min()
    }

    /// Takes what is ready and answers by `handle`, which gets who asks and the request, a line; at most one request of each
    /// client, and a bounded number of bytes. Never blocks. `now_ns` is of any clock that does not go back, always the same.
    ///
    /// An answer is JSON of at most 1 MiB.
    pub fn serve(&mut self, now_ns: u64, handle: &mut dyn FnMut(Peer, &str) -> String) {
        let mut admit = false;
        // Which client is ready does not matter: to ask all eight is as cheap. An error shows again at the next turn.
        let _ = self.epoll.wait(Some(std::time::Duration::ZERO), |token| admit |= token == LISTENER);
        if self.resting_until_ns.is_some_and(|until| now_ns >= until) {
            admit = self.epoll.add(&self.listener, LISTENER).is_ok();
            self.resting_until_ns = (!admit).then(|| now_ns.saturating_add(REST_NS));
        }
        if admit {
            self.admit(now_ns);
        }
        self.leftover = false;
        for place in 0..CLIENTS {
            let Some(client) = &mut self.clients[place] else { continue };
            if !client.turn(now_ns, handle) {
                // Closing takes it out of the epoll set.
                self.clients[place] = None;
                continue;
            }
            self.leftover |= client.has_leftover();
            let input = client.wants_input();
            if input != client.watched_for_input && self.epoll.change(&client.stream, place as u64 + 1, input).is_ok() {
                client.watched_for_input = input;
            }
        }
    }

    fn admit(&mut self, now_ns: u64) {
        for _ in 0..ADMITTED {
            let stream = match self.listener.accept() {
                Ok(Some(stream)) => stream,
                Ok(None) => return,
                Err(_) => return self.rest(now_ns),
            };
            let Ok(peer) = stream.peer() else { continue };
            let standing = |place: &usize| self.clients[*place].as_ref().map(|client| (client.due_ns, client.number));
            let place = (0..CLIENTS).min_by_key(standing).unwrap_or(0);
            if let Some(mut client) = self.clients[place].take() {
                client.dismiss("others want to ask, too");
            }
            if self.epoll.add(&stream, place as u64 + 1).is_ok() {
                self.clients[place] = Some(Connection::new(stream, peer, self.admitted, now_ns));
                self.admitted += 1;
            }
        }
    }

    fn rest(&mut self, now_ns: u64) {
        if self.epoll.remove(&self.listener).is_ok() {
            self.resting_until_ns = Some(now_ns.saturating_add(REST_NS));
        }
    }

    /// How many clients it has, and the bytes it holds for them.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        let clients = || self.clients.iter().flatten();
        (clients().count(), clients().map(Connection::held).sum())
    }
}

impl AsFd for Server {
    /// Becomes readable when [`Server::serve`] has something to do.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
