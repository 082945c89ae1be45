//! A file whose committed length is the state of a sink: the least that is exactly once.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What a sink of this kind needs between its steps. Its state is one word.
pub(crate) struct LengthFile {
    path: PathBuf,
    file: Option<File>,
    /// What the step has written so far.
    pub(crate) buffer: Vec<u8>,
}

impl LengthFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None, buffer: Vec::new() }
    }

    /// Cuts what does not count.
    pub(crate) fn resume(&mut self, state: &[u8]) -> io::Result<()> {
        let file = File::options().create(true).truncate(false).write(true).open(&self.path)?;
        file.set_len(bytemuck::cast_slice(state)[0])?;
        self.buffer.clear();
        self.file = Some(file);
        Ok(())
    }

    /// Writes the step's bytes behind what counts.
    pub(crate) fn flush(&mut self, state: &mut [u8]) -> io::Result<()> {
        let length: &mut u64 = &mut bytemuck::cast_slice_mut(state)[0];
        self.file.as_ref().unwrap().write_all_at(&self.buffer, *length)?;
        *length += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
