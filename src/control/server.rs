//! The answering end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use crate::sys::epoll::Epoll;
use crate::sys::unix_socket::{Listener, Peer, Stream};

/// Clients served at a time. Another one takes the place of whoever has been silent for longest.
const CLIENTS: usize = 8;
/// Longest request.
const MAX_LINE: usize = 64 << 10;
/// Bytes read from a client at a time.
const READ: usize = 4096;
/// A client that does not finish its request, or does not take its answer, is let go after this.
const PATIENCE_NS: u64 = 5_000_000_000;

const LISTENER: u64 = 0;

#[derive(Debug)]
struct Connection {
    stream: Stream,
    peer: Peer,
    /// Of the request that is coming.
    input: Vec<u8>,
    /// The answer that is going, and how much of it is gone.
    output: Vec<u8>,
    written: usize,
    /// When it last did something.
    seen_ns: u64,
    /// It will be closed once its answer is out.
    leaving: bool,
}

/// Listens, collects requests, sends answers.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    epoll: Epoll,
    clients: [Option<Connection>; CLIENTS],
    /// A client may have a whole request in its buffer, for which no descriptor will become ready.
    leftover: bool,
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
        Ok(Self { listener, epoll, clients: [const { None }; CLIENTS], leftover: false })
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
        let busy = self.clients.iter().flatten().filter(|client| client.is_busy());
        busy.map(|client| client.seen_ns + PATIENCE_NS).min()
    }

    /// Takes what is ready and answers by `handle`; at most one request of each client.
    pub fn serve(&mut self, now_ns: u64, handle: &mut dyn FnMut(Peer, &str) -> String) {
        let mut admit = false;
        // Which client is ready does not matter: to ask all eight is as cheap. An error shows again at the next turn.
        let _ = self.epoll.wait(Some(std::time::Duration::ZERO), |token| admit |= token == LISTENER);
        if admit {
            self.admit(now_ns);
        }
        self.leftover = false;
        for place in 0..CLIENTS {
            let Some(client) = &mut self.clients[place] else { continue };
            let stays = client.turn(now_ns, handle);
            self.leftover |= stays && client.has_line() && client.output.is_empty();
            if stays && !client.is_overdue(now_ns) {
                let _ = self.epoll.change(&client.stream, place as u64 + 1, client.output.is_empty());
            } else {
                // Closing takes it out of the epoll set.
                self.clients[place] = None;
            }
        }
    }

    fn admit(&mut self, now_ns: u64) {
        // Two at a time: a flood of them must not hold us.
        for _ in 0..2 {
            let Ok(Some(stream)) = self.listener.accept() else { return };
            let Ok(peer) = stream.peer() else { continue };
            let longest = |place: &usize| self.clients[*place].as_ref().map_or(0, |client| client.seen_ns);
            let place = (0..CLIENTS).min_by_key(longest).unwrap_or(0);
            self.clients[place] = None;
            if self.epoll.add(&stream, place as u64 + 1).is_ok() {
                self.clients[place] = Some(Connection::new(stream, peer, now_ns));
            }
        }
    }
}

impl AsFd for Server {
    /// Becomes readable when [`Server::serve`] has something to do.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl Connection {
    fn new(stream: Stream, peer: Peer, now_ns: u64) -> Self {
        let (input, output) = (Vec::new(), Vec::new());
        Self { stream, peer, input, output, written: 0, seen_ns: now_ns, leaving: false }
    }

    /// Whether we wait for the rest of a request, or for an answer to be taken.
    fn is_busy(&self) -> bool {
        !self.input.is_empty() || !self.output.is_empty()
    }

    fn is_overdue(&self, now_ns: u64) -> bool {
        self.is_busy() && now_ns >= self.seen_ns.saturating_add(PATIENCE_NS)
    }

    fn has_line(&self) -> bool {
        self.input.contains(&b'\n')
    }

    /// Reads, answers one request, writes; false once it is to be closed.
    fn turn(&mut self, now_ns: u64, handle: &mut dyn FnMut(Peer, &str) -> String) -> bool {
        // While an answer is going nothing more is read: the memory of a client is bounded.
        if self.output.is_empty() && !self.take(now_ns) {
            return false;
        }
        if let (true, Some(line)) = (self.output.is_empty(), self.line()) {
            self.answer(&line, handle);
        }
        self.give(now_ns)
    }

    fn take(&mut self, now_ns: u64) -> bool {
        if self.has_line() {
            return true;
        }
        let mut buffer = [0; READ];
        match self.stream.read(&mut buffer) {
            Ok(Some(0)) | Err(_) => return false,
            Ok(Some(count)) => {
                // Only a whole request is a sign of life: who sends a byte a second is not served for ever.
                if self.input.is_empty() {
                    self.seen_ns = now_ns;
                }
                self.input.extend_from_slice(&buffer[..count]);
            }
            Ok(None) => {}
        }
        if self.input.len() > MAX_LINE && !self.has_line() {
            self.refuse("a request has at most 64 KiB and ends with a newline");
        }
        true
    }

    /// The first whole line, taken out of the input.
    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.input.iter().position(|byte| *byte == b'\n')?;
        let mut line: Vec<u8> = self.input.drain(..=end).collect();
        line.pop();
        Some(line)
    }

    fn answer(&mut self, line: &[u8], handle: &mut dyn FnMut(Peer, &str) -> String) {
        match std::str::from_utf8(line) {
            Ok(line) => {
                self.output = handle(self.peer, line).into_bytes();
                self.output.push(b'\n');
            }
            Err(_) => self.refuse("a request is UTF-8 text"),
        }
    }

    fn refuse(&mut self, why: &str) {
        self.output = format!("{{\"error\":\"{why}\"}}\n").into_bytes();
        self.input.clear();
        self.leaving = true;
    }

    fn give(&mut self, now_ns: u64) -> bool {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(Some(count)) => {
                    self.written += count;
                    self.seen_ns = now_ns;
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
        self.output.clear();
        self.written = 0;
        !self.leaving
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    const S: u64 = 1_000_000_000;

    fn server() -> (tempfile::TempDir, Server) {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::bind(&dir.path().join("x.sock"), None).unwrap();
        (dir, server)
    }

    fn connect(server: &Server) -> UnixStream {
        let stream = UnixStream::connect(server.path()).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    }

    fn turns(server: &mut Server, now_ns: u64, count: usize) -> Vec<String> {
        let mut seen = Vec::new();
        for _ in 0..count {
            server.serve(now_ns, &mut |_, line| {
                seen.push(line.to_owned());
                format!("<{line}>")
            });
        }
        seen
    }

    fn answers(stream: &mut UnixStream) -> String {
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn requests_are_answered_in_order_however_they_are_cut() {
        let (_dir, mut server) = server();
        let mut client = connect(&server);
        for piece in ["on", "e\ntwo\nthr", "ee\n"] {
            client.write_all(piece.as_bytes()).unwrap();
            turns(&mut server, 1, 3);
        }
        assert_eq!(answers(&mut client), "<one>\n<two>\n<three>\n");
    }

    #[test]
    fn a_client_that_says_nothing_more_is_let_go() {
        let (_dir, mut server) = server();
        let mut client = connect(&server);
        client.write_all(b"half").unwrap();
        turns(&mut server, S, 1);
        for second in 2..6 {
            client.write_all(b".").unwrap();
            turns(&mut server, second * S, 1);
        }
        assert_eq!(server.deadline_ns(), Some(6 * S));
        turns(&mut server, 6 * S, 1);
        assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn a_client_that_does_not_take_its_answer_is_let_go_and_costs_bounded_memory() {
        let (_dir, mut server) = server();
        let mut client = connect(&server);
        while client.write(&[b'\n'; 4096]).is_ok() {}
        for _ in 0..100 {
            server.serve(S, &mut |_, _| "x".repeat(1 << 20));
        }
        assert!(server.clients.iter().flatten().all(|client| client.input.len() <= MAX_LINE + READ));
        server.serve(7 * S, &mut |_, _| String::new());
        assert!(server.clients.iter().all(Option::is_none));
    }

    #[test]
    fn a_line_without_end_and_bytes_that_are_no_text_are_refused() {
        let (_dir, mut server) = server();
        let (mut long, mut binary) = (connect(&server), connect(&server));
        binary.write_all(b"\xff\xfe\n").unwrap();
        let mut sent = 0;
        while sent < 10 << 20 {
            match long.write(&[b'x'; 8192]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => drop(turns(&mut server, 1, 1)),
                Err(_) => break,
            }
        }
        turns(&mut server, 1, 3);
        assert!(answers(&mut binary).contains("UTF-8"));
        assert!(sent < 10 << 20, "it was read to its end");
    }

    #[test]
    fn the_ninth_client_takes_the_place_of_the_most_silent() {
        let (_dir, mut server) = server();
        let mut clients: Vec<UnixStream> = (0..9)
            .map(|now| {
                let client = connect(&server);
                turns(&mut server, 1 + now, 1);
                client
            })
            .collect();
        assert_eq!(clients[0].read(&mut [0; 8]).unwrap(), 0);
        clients[8].write_all(b"hello\n").unwrap();
        turns(&mut server, 20, 1);
        assert_eq!(answers(&mut clients[8]), "<hello>\n");
    }

    #[test]
    fn random_bytes_never_hurt() {
        let (_dir, mut server) = server();
        let mut random = 88_172_645_463_325_252_u64;
        let mut client = connect(&server);
        for round in 0..100_000u64 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let bytes = random.to_le_bytes();
            let count = usize::try_from(random % 9).unwrap();
            if client.write_all(&bytes[..count]).is_err() || random % 97 == 0 {
                client = connect(&server);
            }
            let _ = client.read(&mut [0; 512]);
            if random % 5 == 0 {
                turns(&mut server, round, 1);
            }
        }
    }
}
