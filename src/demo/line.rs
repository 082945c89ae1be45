//! An instrument's serial line: a pseudo terminal behind a link, and a small memory for what the line does not take at once.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::ledger::{Count, Instrument, Ledger};
use crate::sys::pty::Pty;

/// Frames remembered to tell which were in the cable when it was unplugged; more than a terminal can hold.
const REMEMBERED: usize = 4096;

/// A line, plugged in or not.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) instrument: Instrument,
    link: PathBuf,
    pty: Option<Pty>,
    /// Bytes that the line has not taken yet.
    pending: VecDeque<u8>,
    /// Most bytes that may be pending: what the instrument's own memory holds.
    memory: usize,
    /// Ends of frames, as numbers of bytes since the start, that are not handed over whole yet.
    open_ends: VecDeque<u64>,
    /// Ends of frames handed over, the latest ones.
    handed_ends: VecDeque<u64>,
    /// Bytes handed over.
    handed: u64,
    /// Bytes accepted from the instrument.
    accepted: u64,
}

impl Line {
    /// A line plugged in, behind the link `folder/NAME`.
    pub(super) fn plug(instrument: Instrument, folder: &Path, memory: usize) -> io::Result<Self> {
        let mut line = Self {
            instrument,
            link: folder.join(instrument.name()),
            pty: None,
            pending: VecDeque::with_capacity(memory),
            memory,
            open_ends: VecDeque::new(),
            handed_ends: VecDeque::with_capacity(REMEMBERED),
            handed: 0,
            accepted: 0,
        };
        line.plug_in()?;
        Ok(line)
    }

    /// A new terminal behind the same link.
    pub(super) fn plug_in(&mut self) -> io::Result<()> {
        let pty = Pty::open()?;
        let new = self.link.with_extension("new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        symlink(pty.path(), &new)?;
        fs::rename(&new, &self.link)?;
        self.pty = Some(pty);
        Ok(())
    }

    pub(super) fn descriptors(&self) -> Vec<RawFd> {
        self.pty.iter().flat_map(Pty::descriptors).collect()
    }

    pub(super) fn is_plugged(&self) -> bool {
        self.pty.is_some()
    }

    /// Accepts a frame, if the memory has room for it, and hands over what the line takes.
    pub(super) fn send(&mut self, frame: &[u8], ledger: &Ledger) -> io::Result<()> {
        if self.pending.len() + frame.len() > self.memory {
            ledger.add(self.instrument, Count::NotAccepted, 1);
        } else {
            self.pending.extend(frame);
            self.accepted += frame.len() as u64;
            self.open_ends.push_back(self.accepted);
        }
        self.flush(ledger)
    }

    /// Hands over what the line takes.
    pub(super) fn flush(&mut self, ledger: &Ledger) -> io::Result<()> {
        let Some(pty) = &mut self.pty else { return Ok(()) };
        while !self.pending.is_empty() {
            let count = pty.send(self.pending.as_slices().0)?;
            if count == 0 {
                break;
            }
            self.pending.drain(..count);
            self.handed += count as u64;
        }
        while self.open_ends.front().is_some_and(|end| *end <= self.handed) {
            if self.handed_ends.len() == REMEMBERED {
                self.handed_ends.pop_front();
            }
            self.handed_ends.extend(self.open_ends.pop_front());
            ledger.add(self.instrument, Count::Sent, 1);
        }
        Ok(())
    }

    /// Whether nothing is pending and all that was sent has been read.
    pub(super) fn is_drained(&self) -> bool {
        self.pending.is_empty() && self.pty.as_ref().is_none_or(|pty| pty.unread().unwrap_or(0) == 0)
    }

    /// Sends a piece of a frame that will never be whole.
    pub(super) fn send_piece(&mut self, piece: &[u8]) -> io::Result<()> {
        if let Some(pty) = &mut self.pty {
            self.handed += pty.send(piece)? as u64;
            self.accepted = self.handed;
        }
        Ok(())
    }

    /// Pulls the cable. Whatever nobody has read is lost with it and counted.
    pub(super) fn unplug(&mut self, ledger: &Ledger) -> io::Result<()> {
        let Some(pty) = self.pty.take() else { return Ok(()) };
        let read = self.handed - pty.unread()? as u64;
        let lost = self.handed_ends.iter().filter(|end| **end > read).count();
        ledger.add(self.instrument, Count::LostInCable, lost as u64);
        // The link goes first, so that nobody opens a terminal that is about to vanish.
        fs::remove_file(&self.link)?;
        self.pending.clear();
        self.open_ends.clear();
        self.handed_ends.clear();
        self.accepted = self.handed;
        Ok(())
    }
}
