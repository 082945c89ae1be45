//! The nodes that the forking tests share: as small as they can be, so that many steps fit between two kills.

use std::io;
use std::path::Path;

use pinring::message::{Field, FieldType, Header, Record, Schema};
use pinring::pipeline::{Emitter, Input, Output, PlanError, Poll, Sink, Source, SourceIo, Stage};

use super::length_file::LengthFile;

/// A number, and what a [`Sum`] has made of all up to it.
fn numbers() -> Schema {
    Schema::new(vec![Field::new("n", "", FieldType::I64), Field::new("sum", "", FieldType::I64)]).unwrap()
}

/// Emits 1, 2, 3 ... `last`, at most eight in one step, and waits `pause_ns` after every `burst`.
pub(crate) struct Count {
    pub(crate) last: i64,
    pub(crate) burst: i64,
    pub(crate) pause_ns: u64,
    /// Messages a second for which the rings are made.
    pub(crate) rate: f64,
}

impl Count {
    /// Without a pause.
    pub(crate) fn to(last: i64) -> Self {
        Self { last, burst: i64::MAX, pause_ns: 0, rate: 1000.0 }
    }

    /// Until the system stops.
    pub(crate) fn bursts(burst: i64, pause_ns: u64) -> Self {
        Self { last: i64::MAX, burst, pause_ns, rate: 10_000.0 }
    }
}

impl Source for Count {
    fn kind(&self) -> &'static str {
        "count"
    }

    fn plan(&mut self) -> Result<Output, PlanError> {
        Ok(Output { schema: numbers(), state_size: 8, max_per_step: 8, rate: self.rate })
    }

    fn resume(&mut self, _: &mut [u8], _: &mut dyn SourceIo) -> io::Result<()> {
        Ok(())
    }

    fn poll(&mut self, state: &mut [u8], out: &mut Emitter<'_>, io: &mut dyn SourceIo) -> io::Result<Poll> {
        let count: &mut i64 = &mut bytemuck::cast_slice_mut(state)[0];
        out.stamp(Header { arrived_ns: io.now_ns(), utc_ns: io.utc_ns(), ..Header::default() });
        while out.room() > 0 {
            if *count == self.last || io.is_draining() {
                return Ok(Poll::Finished);
            }
            *count += 1;
            let n = *count;
            out.emit(|record| record.set_i64(0, n));
            if n % self.burst == 0 {
                return Ok(Poll::Until(io.now_ns() + self.pause_ns));
            }
        }
        Ok(Poll::Ready)
    }
}

/// Adds up what passes.
pub(crate) struct Sum;

impl Stage for Sum {
    fn kind(&self) -> &'static str {
        "sum"
    }

    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<Output, PlanError> {
        Ok(Output { schema: inputs[0].schema.clone(), state_size: 8, max_per_step: 1, rate: inputs[0].rate })
    }

    fn process(&self, _: usize, record: &Record<'_>, state: &mut [u8], out: &mut Emitter<'_>) {
        let sum: &mut i64 = &mut bytemuck::cast_slice_mut(state)[0];
        let n = record.i64(0).unwrap();
        *sum = sum.wrapping_add(n);
        let sum = *sum;
        out.emit(|record| {
            record.set_i64(0, n);
            record.set_i64(1, sum);
        });
    }
}

/// What [`Rows`] records of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct Row {
    /// Its number in its lane.
    pub(crate) seq: u64,
    pub(crate) n: i64,
    pub(crate) sum: i64,
    /// When its source committed it.
    pub(crate) sent_ns: u64,
}

/// Writes each message as a [`Row`].
pub(crate) struct Rows {
    file: LengthFile,
    /// 0: none.
    fail_every: u64,
    writes: u64,
}

impl Rows {
    pub(crate) fn new(path: &Path) -> Self {
        Self { file: LengthFile::new(path), fail_every: 0, writes: 0 }
    }

    /// Every so many writes fail on purpose.
    pub(crate) fn failing_every(self, writes: u64) -> Self {
        Self { fail_every: writes, ..self }
    }

    /// All rows of a file.
    pub(crate) fn read(path: &Path) -> Vec<Row> {
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(bytes.len() % size_of::<Row>(), 0, "the file ends within a message");
        bytes.chunks_exact(size_of::<Row>()).map(bytemuck::pod_read_unaligned).collect()
    }
}

impl Sink for Rows {
    fn kind(&self) -> &'static str {
        "rows"
    }

    fn plan(&mut self, _: &[Input<'_>]) -> Result<usize, PlanError> {
        Ok(8)
    }

    fn resume(&mut self, state: &mut [u8]) -> io::Result<()> {
        self.file.resume(state)
    }

    fn write(&mut self, _: usize, record: &Record<'_>, _: &mut [u8]) -> io::Result<()> {
        self.writes += 1;
        if self.fail_every > 0 && self.writes % self.fail_every == 0 {
            return Err(io::Error::other("an error on purpose"));
        }
        let Header { seq, sent_ns, .. } = *record.header();
        let row = Row { seq, n: record.i64(0).unwrap(), sum: record.i64(1).unwrap_or(0), sent_ns };
        self.file.buffer.extend_from_slice(bytemuck::bytes_of(&row));
        Ok(())
    }

    fn flush(&mut self, state: &mut [u8]) -> io::Result<()> {
        self.file.flush(state)
    }
}
