//! One sequence of CSV files, exactly once whatever kills the worker.
//!
//! Rows gather in a buffer; `flush` writes them behind the committed length and notes the new length, the commit makes both
//! true. A step that is repeated writes the same bytes to the same place, and what a dead step left behind the committed
//! length is cut off by `resume`.
//!
//! A new file takes two steps, so that no crash leaves a file that nobody knows:
//!
//! ```text
//!              admit: no file, or it is full          admit: make it
//!   (1) writing ------------------------------> (2) claimed ---------> (1) writing the next
//!         ^      name chosen, `next` committed      | the name was taken meanwhile: choose another
//!         `-----------------------------------------'
//! ```
//!
//! A crash before the commit of (2) leaves nothing behind. After it, every incarnation knows the name: what it finds there
//! is its own, left by a step that made the file and died before its commit, and is emptied and used; see
//! [`part_file::adopt`] for how it tells that from another program's file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytemuck::Zeroable;

use super::csv_row::Row;
use super::fault::explain;
use super::naming::{Naming, free, numbered};
use super::part::{Ledger, Part};
use super::part_file::{self, Identity};
use crate::message::Record;
use crate::sys::clock::monotonic_ns;

/// What is open and what waits to be written. Nothing here outlives the worker, nor needs to.
#[derive(Debug)]
pub(super) struct Lane {
    /// What `{input}` stands for.
    pub(super) input: String,
    row: Row,
    file: Option<File>,
    buffer: Vec<u8>,
    /// Rows in the buffer.
    rows: u64,
    /// The step under way claimed a name and must end.
    is_claiming: bool,
    /// The claimed name was committed before the last `resume`: a file there may be ours.
    may_be_ours: bool,
    /// The file this incarnation made last.
    made: Option<Identity>,
    /// The file is no longer where we wrote it.
    is_lost: bool,
    /// The file's name is not yet durable.
    is_new: bool,
    /// An fsync failed since the last commit.
    is_doubtful: bool,
    /// Since when data wait for an fsync, CLOCK_MONOTONIC in ns.
    pub(super) dirty_since: Option<u64>,
}

impl Lane {
    pub(super) fn new(input: &str, row: Row) -> Self {
        Self {
            input: input.into(),
            row,
            file: None,
            buffer: Vec::new(),
            rows: 0,
            is_claiming: false,
            may_be_ours: false,
            made: None,
            is_lost: false,
            is_new: false,
            is_doubtful: false,
            dirty_since: None,
        }
    }

    /// Brings the file back to what the ledger says.
    pub(super) fn resume(&mut self, ledger: &mut Ledger) -> io::Result<()> {
        self.buffer.clear();
        self.rows = 0;
        self.file = None;
        self.is_claiming = false;
        self.is_lost = false;
        self.may_be_ours = ledger.next.path().is_some();
        let Some(path) = ledger.current.path() else { return Ok(()) };
        match part_file::reopen(&ledger.current, path)? {
            Ok(file) => {
                self.file = Some(file);
                self.is_new = true;
                if self.is_doubtful {
                    ledger.doubt();
                } else {
                    // What the predecessor had written was perhaps not durable yet.
                    self.dirty_since.get_or_insert_with(monotonic_ns);
                }
            }
            Err(why) => {
                self.tell_loss(&ledger.current, path, &why);
                ledger.lose_current();
            }
        }
        Ok(())
    }

    fn tell_loss(&self, part: &Part, path: &Path, why: &str) {
        log::error!(
            "{}: {} {why}; someone changed it while it was written. {} rows were in it; a new file follows",
            self.input,
            path.display(),
            part.rows
        );
    }

    /// Whether the message can be written now; if not, the step must end and be committed first.
    pub(super) fn admit(
        &mut self,
        place: usize,
        record: &Record<'_>,
        ledger: &mut Ledger,
        naming: &Naming,
    ) -> io::Result<bool> {
        if self.is_claiming {
            return Ok(false);
        }
        let utc_ns = record.header().utc_ns;
        if ledger.next.path().is_some() {
            if self.begin(place, record, ledger)? {
                return Ok(true);
            }
        } else if self.file.is_some() && !self.is_lost && !naming.is_due(&ledger.current, self.buffer.len(), utc_ns) {
            return Ok(true);
        }
        self.claim(ledger, naming, utc_ns)?;
        Ok(false)
    }

    /// (1) to (2): chooses the name of the next part.
    fn claim(&mut self, ledger: &mut Ledger, naming: &Naming, utc_ns: i64) -> io::Result<()> {
        let path = naming.expand(&self.input, utc_ns);
        let current = &ledger.current;
        // Upwards from the open part, even if someone has removed older ones: the highest number is the newest.
        let continues = current.path() == Some(Path::new(&numbered(&path, current.number)));
        let (path, number) = free(&path, if continues { current.number + 1 } else { 1 })?;
        if path.len() > Part::MAX_PATH {
            let error = io::Error::from(io::ErrorKind::InvalidInput);
            return Err(explain("number any further", Path::new(&path), &error));
        }
        let (day, period) = naming.times(utc_ns);
        ledger.next = Part::named(&path, number, day, period);
        self.is_claiming = true;
        self.may_be_ours = false;
        self.made = None;
        Ok(())
    }

    /// (2) to (1): makes the file of the claimed name; `false` if another program has it.
    fn begin(&mut self, place: usize, record: &Record<'_>, ledger: &mut Ledger) -> io::Result<bool> {
        let Some(path) = ledger.next.path() else { return Ok(false) };
        self.buffer.clear();
        self.buffer.extend_from_slice(self.row.header());
        self.row.push(&mut self.buffer, place, record);
        let file = match part_file::create(path)? {
            None if self.may_be_ours => part_file::adopt(path, &self.buffer, self.made)?,
            created => created,
        };
        self.buffer.truncate(self.row.header().len());
        let Some(file) = file else {
            self.buffer.clear();
            return Ok(false);
        };
        let (device, inode) = part_file::identity(&file, path)?;
        self.made = Some((device, inode));
        self.retire(ledger);
        ledger.current = std::mem::replace(&mut ledger.next, Part::zeroed());
        (ledger.current.device, ledger.current.inode) = (device, inode);
        ledger.parts += 1;
        self.file = Some(file);
        self.is_new = true;
        Ok(true)
    }

    /// Makes the part that ends durable: once another is open, no `sync` comes by it again.
    fn retire(&mut self, ledger: &mut Ledger) {
        if let Err(error) = self.sync(ledger) {
            log::error!("{error}");
            ledger.doubt();
        }
        if std::mem::take(&mut self.is_lost) {
            ledger.lose_current();
        }
        self.dirty_since = None;
    }

    pub(super) fn write(&mut self, place: usize, record: &Record<'_>) -> io::Result<()> {
        if self.file.is_none() {
            return Err(io::Error::other("the CSV sink was not asked to admit this message before it was written"));
        }
        self.row.push(&mut self.buffer, place, record);
        self.rows += 1;
        Ok(())
    }

    /// Writes what has gathered behind the committed length.
    pub(super) fn flush(&mut self, ledger: &mut Ledger) -> io::Result<()> {
        self.is_claiming = false;
        self.is_doubtful = false;
        let (Some(file), false) = (&self.file, self.buffer.is_empty()) else { return Ok(()) };
        let part = &mut ledger.current;
        if let Err(error) = file.write_all_at(&self.buffer, part.length) {
            return Err(explain("write", part.path().unwrap_or(Path::new("?")), &error));
        }
        part.length += self.buffer.len() as u64;
        part.rows += self.rows;
        ledger.rows += self.rows;
        self.buffer.clear();
        self.rows = 0;
        self.dirty_since.get_or_insert_with(monotonic_ns);
        Ok(())
    }

    /// Makes what was flushed durable. After a failure the kernel may have thrown the data away and call them clean, so a
    /// second fsync proves nothing: these rows stay in doubt.
    pub(super) fn sync(&mut self, ledger: &mut Ledger) -> io::Result<()> {
        let (Some(_), Some(file), Some(path)) = (self.dirty_since.take(), &self.file, ledger.current.path()) else {
            return Ok(());
        };
        match part_file::sync(file, path, self.is_new) {
            Ok(has_name) => {
                self.is_new = false;
                if !has_name && !self.is_lost {
                    self.is_lost = true;
                    self.tell_loss(&ledger.current, path, "was removed");
                }
                ledger.current.synced_rows = ledger.current.rows;
                Ok(())
            }
            Err(error) => {
                self.is_doubtful = true;
                let rows = ledger.current.rows - ledger.current.synced_rows;
                let message = format!("{error}; its last {rows} rows may not survive a loss of power");
                Err(io::Error::new(error.kind(), message))
            }
        }
    }

    /// The directories of its first part, so that a wrong path is found before anything starts.
    pub(super) fn prepare(&self, naming: &Naming, utc_ns: i64) -> io::Result<()> {
        part_file::make_parents(&PathBuf::from(naming.expand(&self.input, utc_ns)))
    }

    /// Has the next step meet another file, one that fails.
    #[cfg(test)]
    pub(super) fn replace_file(&mut self, file: File) {
        self.file = Some(file);
    }

    #[cfg(test)]
    pub(super) fn buffer_address(&self) -> (*const u8, usize) {
        (self.buffer.as_ptr(), self.buffer.capacity())
    }
}
