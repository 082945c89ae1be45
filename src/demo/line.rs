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
    /// Of these, all up to the end of the last whole frame (or of a piece sent on purpose).
    whole: u64,
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
            whole: 0,
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
        while let Some(end) = self.open_ends.front().copied().filter(|end| *end <= self.handed) {
            if self.handed_ends.len() == REMEMBERED {
                self.handed_ends.pop_front();
            }
            self.open_ends.pop_front();
            self.handed_ends.push_back(end);
            self.whole = end;
            ledger.add(self.instrument, Count::Sent, 1);
        }
        Ok(())
    }

    /// Whether nothing is pending and all that was sent has been read.
    pub(super) fn is_drained(&self) -> io::Result<bool> {
        let is_read = match &self.pty {
            Some(pty) => !pty.has_unread()?,
            None => true,
        };
        Ok(is_read && self.pending.is_empty())
    }

    /// Sends a piece of a frame that will never be whole. Where frames are still pending, the line is full and ends within
    /// one of them anyway; then nothing is sent.
    pub(super) fn send_piece(&mut self, piece: &[u8], ledger: &Ledger) -> io::Result<()> {
        let Some(pty) = self.pty.as_mut().filter(|_| self.pending.is_empty()) else { return Ok(()) };
        let count = pty.send(piece)?;
        if count > 0 {
            ledger.add(self.instrument, Count::Cut, 1);
            self.handed += count as u64;
            (self.accepted, self.whole) = (self.handed, self.handed);
        }
        Ok(())
    }

    /// Pulls the cable, and counts what is lost with it: in the cable, what nobody has read; in the instrument, which has
    /// no other power, what the line had not taken.
    ///
    /// Exact while no more is unread than the terminal's own buffer holds (4 KiB): more could be read by somebody else
    /// between two of our looks.
    pub(super) fn unplug(&mut self, ledger: &Ledger) -> io::Result<()> {
        let Some(mut pty) = self.pty.take() else { return Ok(()) };
        // The link goes first, so that nobody opens a terminal that is about to vanish.
        fs::remove_file(&self.link)?;
        let read = self.handed - pty.take_unread()? as u64;
        let lost = self.handed_ends.iter().filter(|end| **end > read).count();
        let torn = u64::from(self.handed > self.whole);
        ledger.add(self.instrument, Count::LostInCable, lost as u64);
        ledger.add(self.instrument, Count::Cut, torn);
        ledger.add(self.instrument, Count::NotAccepted, self.open_ends.len() as u64 - torn);
        self.pending.clear();
        self.open_ends.clear();
        self.handed_ends.clear();
        (self.accepted, self.whole) = (self.handed, self.handed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tty;
    use std::fs::File;
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;
    use std::time::Duration;

    struct Rig {
        folder: tempfile::TempDir,
        ledger: Ledger,
        line: Line,
    }

    fn rig(memory: usize) -> Rig {
        let folder = tempfile::tempdir().unwrap();
        let line = Line::plug(Instrument::Weather, folder.path(), memory).unwrap();
        Rig { folder, ledger: Ledger::new().unwrap(), line }
    }

    impl Rig {
        fn open(&self) -> File {
            let flags = tty::NO_CONTROLLING_TTY | tty::NON_BLOCKING;
            File::options().read(true).custom_flags(flags).open(self.folder.path().join("weather")).unwrap()
        }

        fn count(&self, count: Count) -> u64 {
            self.ledger.get(Instrument::Weather, count)
        }

        fn send(&mut self, number: u64) {
            self.line.send(format!("{number:09}\n").as_bytes(), &self.ledger).unwrap();
        }
    }

    /// Reads `count` bytes, however many pieces the kernel hands them over in.
    fn read(file: &mut File, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            let mut buffer = vec![0; count - bytes.len()];
            match file.read(&mut buffer) {
                Ok(count) => bytes.extend(&buffer[..count]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        bytes
    }

    /// Frames are ten bytes long: nine digits and the line's end.
    fn numbers(bytes: &[u8]) -> Vec<u64> {
        assert_eq!(bytes.len() % 10, 0, "a frame came out in part");
        bytes.chunks(10).map(|frame| std::str::from_utf8(&frame[..9]).unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn a_full_line_delays_frames_and_neither_tears_nor_reorders_them() {
        let mut rig = rig(1000);
        let mut file = rig.open();
        (0..20_000).for_each(|number| rig.send(number));
        assert!(rig.line.pending.len() > 990, "nobody reads, so all is full");
        let refused = rig.count(Count::NotAccepted);
        assert!(refused > 0);
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        while !rig.line.is_drained().unwrap() {
            rig.line.flush(&rig.ledger).unwrap();
            match file.read(&mut buffer) {
                Ok(count) => bytes.extend(&buffer[..count]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        let seen = numbers(&bytes);
        assert_eq!(seen.len() as u64, rig.count(Count::Sent));
        assert_eq!(seen.len() as u64 + refused, 20_000);
        assert!(seen.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn frames_nobody_read_are_lost_with_the_cable_and_counted() {
        let mut rig = rig(1000);
        let mut file = rig.open();
        (0..30).for_each(|number| rig.send(number));
        // Twelve frames and a part of the next.
        read(&mut file, 125);
        rig.line.send_piece(b"0000", &rig.ledger).unwrap();
        rig.line.unplug(&rig.ledger).unwrap();
        let counts = [Count::Sent, Count::LostInCable, Count::Cut, Count::NotAccepted].map(|count| rig.count(count));
        assert_eq!(counts, [30, 18, 1, 0]);
        assert_eq!(file.read(&mut [0; 8]).unwrap(), 0, "a line that was pulled has ended");
    }

    #[test]
    fn a_cable_pulled_from_a_full_line_loses_what_was_in_it_and_behind_it() {
        let mut rig = rig(1000);
        for number in 0..20_000 {
            rig.send(number);
            if rig.line.pending.len() > 900 {
                // The kernel gets time to move on what it can.
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        let (sent, refused, open) = (rig.count(Count::Sent), rig.count(Count::NotAccepted), rig.line.open_ends.len());
        assert!(sent > 500 && open > 50, "{sent} {open}");
        // A full line takes no half frame on top.
        let handed = rig.line.handed;
        rig.line.send_piece(b"0000", &rig.ledger).unwrap();
        assert_eq!(rig.line.handed, handed);
        rig.line.unplug(&rig.ledger).unwrap();
        assert_eq!(rig.count(Count::LostInCable), sent, "more than FIONREAD can see");
        assert_eq!(rig.count(Count::Cut), u64::from(handed % 10 != 0));
        assert_eq!(rig.count(Count::NotAccepted) + rig.count(Count::Cut), refused + open as u64);
    }

    #[test]
    fn after_it_is_plugged_in_again_the_link_leads_to_a_fresh_line() {
        let mut rig = rig(1000);
        let old = rig.open();
        rig.send(1);
        rig.line.unplug(&rig.ledger).unwrap();
        assert!(!rig.folder.path().join("weather").exists());
        rig.line.plug_in().unwrap();
        rig.send(2);
        rig.send(3);
        assert!(!rig.line.is_drained().unwrap());
        assert_eq!(numbers(&read(&mut rig.open(), 20)), [2, 3]);
        assert!(rig.line.is_drained().unwrap());
        drop(old);
    }
}
