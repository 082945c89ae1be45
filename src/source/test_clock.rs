//! A clock that tests set, for sources that need nothing else of their worker.

use std::io;
use std::os::fd::BorrowedFd;

use crate::pipeline::SourceIo;

#[derive(Default)]
pub(super) struct Clock {
    pub(super) now_ns: u64,
    pub(super) draining: bool,
}

impl SourceIo for Clock {
    fn now_ns(&self) -> u64 {
        self.now_ns
    }
    fn utc_ns(&self) -> i64 {
        7
    }
    fn is_draining(&self) -> bool {
        self.draining
    }
    fn keep(&mut self, _: BorrowedFd<'_>) -> io::Result<()> {
        Ok(())
    }
    fn forget(&mut self) -> io::Result<()> {
        Ok(())
    }
}
