//! One client of the server.

use super::lines::{Cut, Lines};
use super::{MAX_ANSWER, MAX_REQUEST};
use crate::sys::unix_socket::{Peer, Stream};

/// Bytes read from a client at a time.
const READ: usize = 4096;
/// How long a client may take for its request, and for taking its answer.
pub(super) const PATIENCE_NS: u64 = 5_000_000_000;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: Stream,
    peer: Peer,
    /// Grows from client to client: of two that are due at the same time, the one that came first gives way.
    pub(super) number: u64,
    input: Lines,
    /// The answer that is going, and how much of it is gone.
    output: Vec<u8>,
    written: usize,
    /// When it is closed if its request is not whole, or its answer not taken. Only that moves it on: who sends or takes a byte a
    /// second is not served for ever.
    pub(super) due_ns: u64,
    /// It is closed once its answer is out.
    leaving: bool,
    /// What the epoll set watches it for.
    pub(super) watched_for_input: bool,
}

impl Connection {
    pub(super) fn new(stream: Stream, peer: Peer, number: u64, now_ns: u64) -> Self {
        Self {
            stream,
            peer,
            number,
            input: Lines::new(MAX_REQUEST),
            output: Vec::new(),
            written: 0,
            due_ns: now_ns.saturating_add(PATIENCE_NS),
            leaving: false,
            watched_for_input: true,
        }
    }

    /// Whether it is to be read; while an answer is going it is not, so that its memory is bounded.
    pub(super) fn wants_input(&self) -> bool {
        self.output.is_empty()
    }

    /// Whether another turn has something to do though nothing comes.
    pub(super) fn has_leftover(&mut self) -> bool {
        self.output.is_empty() && self.input.is_due()
    }

    /// Reads, answers one request, writes; false once it is to be closed.
    pub(super) fn turn(&mut self, now_ns: u64, handle: &mut dyn FnMut(Peer, &str) -> String) -> bool {
        if self.output.is_empty() {
            if !self.input.is_due() && !self.take() {
                return false;
            }
            match self.input.cut() {
                Cut::Nothing => {}
                Cut::Request(line) => self.answer(handle(self.peer, &line), now_ns),
                Cut::TooLong => self.refuse("a request has at most 64 KiB and ends with a newline", now_ns),
                Cut::NotText => self.refuse("a request is UTF-8 text", now_ns),
            }
        }
        if !self.give(now_ns) {
            return false;
        }
        if now_ns < self.due_ns {
            return true;
        }
        self.dismiss("no whole request came in 5 s");
        false
    }

    /// Says why it is closed, if that is no piece of another answer and there is room.
    pub(super) fn dismiss(&mut self, why: &str) {
        if self.output.is_empty() {
            // It may have gone.
            let _ = self.stream.write(format!("{}\n", refusal(why)).as_bytes());
        }
    }

    fn take(&mut self) -> bool {
        let mut buffer = [0; READ];
        match self.stream.read(&mut buffer) {
            Ok(Some(0)) | Err(_) => return false,
            Ok(Some(count)) => self.input.push(&buffer[..count]),
            Ok(None) => {}
        }
        true
    }

    fn answer(&mut self, mut answer: String, now_ns: u64) {
        if answer.len() > MAX_ANSWER {
            answer = refusal("the answer is longer than 1 MiB");
        }
        self.output = answer.into_bytes();
        // In JSON a newline stands between words only; a space means the same and leaves the answer on its line.
        self.output.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
        self.output.push(b'\n');
        self.due_ns = now_ns.saturating_add(PATIENCE_NS);
    }

    fn refuse(&mut self, why: &str, now_ns: u64) {
        self.answer(refusal(why), now_ns);
        self.leaving = true;
    }

    fn give(&mut self, now_ns: u64) -> bool {
        if self.output.is_empty() {
            return true;
        }
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(Some(count)) => self.written += count,
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
        // Not kept for the next answer: a client that asks little holds little.
        self.output = Vec::new();
        self.written = 0;
        self.due_ns = now_ns.saturating_add(PATIENCE_NS);
        !self.leaving
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.input.held() + self.output.len()
    }
}

fn refusal(why: &str) -> String {
    format!("{{\"error\":\"{why}\"}}")
}
