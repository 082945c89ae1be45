//! Where a step's outputs are built before the commit gives them to the rings.

use bytemuck::{Pod, Zeroable};

use crate::message::{Header, Record, RecordMut, Schema};

/// What a node has done since its first start. Part of its committed state, so it stays exact over
/// every crash: a message counted is a message handled, once.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Counters {
    /// Messages (stages, sinks) or bytes (sources) taken in.
    pub taken: u64,
    /// Messages emitted; the newest `seq`. For a sink: messages recorded.
    pub emitted: u64,
    /// Messages or frames refused: checksum, syntax, length.
    pub rejected: u64,
    /// Frames cut off: by an unplugged port or the end of the input.
    pub cut: u64,
    /// Bytes that belonged to no frame.
    pub stray_bytes: u64,
    /// Times the outside world was lost (port gone, file not writable) and found again.
    pub reconnects: u64,
    /// Bytes a serial driver reports as overrun: lost before we could read them.
    pub overruns: u64,
    /// Framing and parity errors a serial driver reports.
    pub line_errors: u64,
}

/// Collects what one step emits.
#[derive(Debug)]
pub struct Emitter<'a> {
    schema: &'a Schema,
    slots: &'a mut [u8],
    stride: usize,
    used: usize,
    counters: &'a mut Counters,
    template: Header,
}

impl<'a> Emitter<'a> {
    /// Bytes between two messages of `schema` in a slot buffer.
    pub fn stride(schema: &Schema) -> usize {
        (Header::SIZE + schema.payload_size()).next_multiple_of(8)
    }

    /// Builds into `slots`, a buffer of whole [strides](Self::stride), aligned to eight bytes.
    pub fn new(schema: &'a Schema, slots: &'a mut [u8], counters: &'a mut Counters) -> Self {
        Self { stride: Self::stride(schema), schema, slots, used: 0, counters, template: Header::default() }
    }

    /// How many more messages this step may emit.
    pub fn room(&self) -> usize {
        self.slots.len() / self.stride - self.used
    }

    /// Messages emitted in this step.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether this step has emitted nothing yet.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Sets times and origin of the messages that follow. A source says when the bytes were read; the
    /// worker's loop calls it with each input's header before a stage sees it.
    pub fn stamp(&mut self, header: Header) {
        self.template = header;
    }

    /// What the loop writes into every message emitted in this step, just before the commit.
    pub(super) fn finish(&mut self, mut stamp: impl FnMut(&mut Header)) {
        for slot in self.slots.chunks_exact_mut(self.stride).take(self.used) {
            stamp(bytemuck::from_bytes_mut(&mut slot[..Header::SIZE]));
        }
    }

    /// Emits one message: `fill` gets a record with every field missing. A source's message gets
    /// its own number as `frame`.
    ///
    /// # Panics
    /// If the node emits more than it said in `plan`.
    pub fn emit(&mut self, fill: impl FnOnce(&mut RecordMut<'_>)) {
        assert!(self.room() > 0, "the node emits more messages in one step than its plan said");
        let (header, payload) = self.slots[self.used * self.stride..][..self.stride].split_at_mut(Header::SIZE);
        let header: &mut Header = bytemuck::from_bytes_mut(header);
        *header = self.template;
        self.counters.emitted += 1;
        header.seq = self.counters.emitted;
        if header.frame == 0 {
            // A source's own message: no input has given it a number yet.
            header.frame = low_half(header.seq);
        }
        let mut record = RecordMut::new(self.schema, header, payload);
        record.clear();
        fill(&mut record);
        self.used += 1;
    }

    /// What the node has done so far; a source adds what only it knows (bytes, cut frames).
    pub fn counters(&mut self) -> &mut Counters {
        self.counters
    }

    /// Counts one refused input.
    pub fn reject(&mut self) {
        self.counters.rejected += 1;
    }

    /// The messages emitted so far, as the consumer will see them.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.slots.chunks_exact(self.stride).take(self.used).map(|slot| {
            let (header, payload) = slot.split_at(Header::SIZE);
            Record::new(self.schema, bytemuck::from_bytes(header), payload)
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what `frame` holds")]
fn low_half(seq: u64) -> u32 {
    seq as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Field, FieldType};

    #[test]
    fn messages_are_numbered_without_a_gap() {
        let schema = Schema::new(vec![Field::new("x", "", FieldType::F64)]).unwrap();
        let mut buffer = vec![0u64; 2 * Emitter::stride(&schema) / 8];
        let mut counters = Counters { emitted: 41, ..Counters::default() };
        let mut out = Emitter::new(&schema, bytemuck::cast_slice_mut(&mut buffer), &mut counters);
        assert_eq!(out.room(), 2);
        out.emit(|record| record.set_f64(0, 1.0));
        out.emit(|_| {});
        let seen: Vec<_> = out.records().map(|record| (record.header().seq, record.f64(0))).collect();
        assert_eq!(seen[0], (42, 1.0));
        assert_eq!(seen[1].0, 43);
        assert!(seen[1].1.is_nan());
        assert_eq!(out.room(), 0);
    }
}
