//! Decodes binary frames: numbers at byte offsets, of any type, byte order, scale and bit range.

use super::frame_input::frame_input;
use super::linear::Linear;
use crate::codec::Endian;
use crate::message::{Field, FieldType, Record, RecordMut, Schema};
use crate::pipeline::{Emitter, Input, Output, PlanError, Stage};

/// How a number is stored in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of Rust's types")]
pub enum BinaryKind {
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
    F32,
    F64,
}

impl BinaryKind {
    /// Bytes it takes.
    pub const fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    const fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    const fn is_signed(self) -> bool {
        matches!(self, Self::I8 | Self::I16 | Self::I32 | Self::I64)
    }
}

/// One number in a frame.
///
/// A float, and an integer with a scale or an offset, becomes an `f64`: `raw * scale + offset`. An integer without
/// both becomes an `i64`, where a `u64` above `i64::MAX` saturates to that and `i64::MIN` is the missing value.
#[derive(Clone, Debug, PartialEq)]
pub struct BinaryField {
    /// Name of the field it becomes.
    pub name: String,
    /// Its unit, after scaling; empty for none.
    pub unit: String,
    /// How it is stored.
    pub kind: BinaryKind,
    /// Order of its bytes.
    pub endian: Endian,
    /// Offset of its first byte in the frame as the source gives it (without sync and length bytes).
    pub at: usize,
    /// Lowest and highest bit to take, 0 being the least significant, both included; `None` takes all. Of a signed
    /// type the highest bit taken is the sign.
    pub bits: Option<(u8, u8)>,
    /// Factor, 1 for none.
    pub scale: f64,
    /// Added after scaling, 0 for none.
    pub offset: f64,
}

impl BinaryField {
    /// Whether it becomes an integer.
    #[expect(clippy::float_cmp, reason = "only the very defaults mean that nothing is scaled")]
    fn is_integer(&self) -> bool {
        !self.kind.is_float() && self.scale == 1.0 && self.offset == 0.0
    }

    fn end(&self) -> usize {
        self.at.saturating_add(self.kind.size())
    }

    /// The raw bits, in the low end of the word.
    fn raw(&self, frame: &[u8]) -> u64 {
        let bytes = &frame[self.at..self.end()];
        let fold = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
        match self.endian {
            Endian::Little => bytes.iter().rev().fold(0, fold),
            Endian::Big => bytes.iter().fold(0, fold),
        }
    }

    /// The bits taken, as an integer wide enough for every type.
    fn integer(&self, frame: &[u8]) -> i128 {
        let all = u8::try_from(8 * self.kind.size() - 1).unwrap_or(63);
        let (low, high) = self.bits.unwrap_or((0, all));
        let width = u32::from(high - low) + 1;
        let value = (self.raw(frame) >> low) & (u64::MAX >> (64 - width));
        let is_negative = self.kind.is_signed() && value >> (width - 1) == 1;
        i128::from(value) - if is_negative { 1 << width } else { 0 }
    }

    fn decode(&self, frame: &[u8], index: usize, linear: &Linear, out: &mut RecordMut<'_>) {
        let raw = match self.kind {
            BinaryKind::F32 => {
                f64::from(f32::from_bits(u32::try_from(self.raw(frame)).expect("an f32 has four bytes")))
            }
            BinaryKind::F64 => f64::from_bits(self.raw(frame)),
            _ => {
                let value = self.integer(frame);
                if self.is_integer() {
                    return out.set_i64(index, i64::try_from(value).unwrap_or(i64::MAX));
                }
                #[expect(clippy::cast_precision_loss, reason = "a scaled value is a float")]
                let value = value as f64;
                value
            }
        };
        out.set_f64(index, linear.apply(raw));
    }

    fn check(&self, max_frame: usize) -> Result<(), PlanError> {
        let name = &self.name;
        if self.end() > max_frame {
            return Err(PlanError::key(
                "at",
                format!(
                    "field `{name}` takes bytes {} to {} of the frame, which has at most {max_frame}",
                    self.at,
                    self.end() - 1
                ),
            ));
        }
        if !self.scale.is_finite() || self.scale == 0.0 {
            return Err(PlanError::key("scale", format!("field `{name}`: scale must be a number other than 0")));
        }
        if !self.offset.is_finite() {
            return Err(PlanError::key("offset", format!("field `{name}`: offset must be a finite number")));
        }
        let Some((low, high)) = self.bits else { return Ok(()) };
        if self.kind.is_float() {
            return Err(PlanError::key("bits", format!("field `{name}` is a float, which has no bit range")));
        }
        if low > high || usize::from(high) >= 8 * self.kind.size() {
            let last = 8 * self.kind.size() - 1;
            let message =
                format!("field `{name}`: bits {low} to {high}, but they must rise and lie within 0 to {last}");
            return Err(PlanError::key("bits", message));
        }
        Ok(())
    }
}

/// Decodes one frame into one message. Frames too short for all fields are rejected.
#[derive(Clone, Debug)]
pub struct Binary {
    fields: Vec<BinaryField>,
    /// How each field is scaled.
    linear: Vec<Linear>,
    needed: usize,
}

impl Binary {
    /// Decodes these fields, which may overlap.
    pub fn new(fields: Vec<BinaryField>) -> Self {
        let needed = fields.iter().map(BinaryField::end).max().unwrap_or(0);
        let linear = fields.iter().map(|field| Linear::new(field.scale, field.offset)).collect();
        Self { fields, linear, needed }
    }
}

impl Stage for Binary {
    fn kind(&self) -> &'static str {
        "binary"
    }

    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<Output, PlanError> {
        let max_frame = frame_input(inputs)?;
        if self.fields.is_empty() {
            return Err(PlanError::key("field", "no field is named; say what the frame holds"));
        }
        for field in &self.fields {
            field.check(max_frame)?;
        }
        let kind = |field: &BinaryField| if field.is_integer() { FieldType::I64 } else { FieldType::F64 };
        let fields = self.fields.iter().map(|field| Field::new(&field.name, &field.unit, kind(field))).collect();
        Ok(Output { schema: Schema::new(fields)?, state_size: 0, max_per_step: 1, rate: inputs[0].rate })
    }

    fn process(&self, _: usize, record: &Record<'_>, _: &mut [u8], out: &mut Emitter<'_>) {
        let frame = record.bytes(0);
        if frame.len() < self.needed {
            return out.reject();
        }
        out.emit(|message| {
            for (index, (field, linear)) in self.fields.iter().zip(&self.linear).enumerate() {
                field.decode(frame, index, linear, message);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Header, Value};
    use crate::pipeline::Counters;

    fn field(name: &str, kind: BinaryKind, at: usize) -> BinaryField {
        let (name, unit) = (name.to_owned(), String::new());
        BinaryField { name, unit, kind, endian: Endian::Little, at, bits: None, scale: 1.0, offset: 0.0 }
    }

    fn input_schema(max: u16) -> Schema {
        Schema::new(vec![Field::new("frame", "", FieldType::Bytes { max })]).unwrap()
    }

    fn plan(fields: Vec<BinaryField>, max: u16) -> Result<(Binary, Schema), PlanError> {
        let mut stage = Binary::new(fields);
        let schema = input_schema(max);
        let output = stage.plan(&[Input { name: "imu", schema: &schema, rate: 1.0 }])?;
        Ok((stage, output.schema))
    }

    /// What the stage makes of one frame: its values and what it counted.
    fn decode(fields: Vec<BinaryField>, frame: &[u8], check: impl FnOnce(Option<Record<'_>>, u64)) {
        let (stage, schema) = plan(fields, 32).unwrap();
        let input = input_schema(32);
        let (mut header, mut payload) = (Header::default(), vec![0; input.payload_size()]);
        RecordMut::new(&input, &mut header, &mut payload).set_bytes(0, frame);
        let mut buffer = vec![0u64; Emitter::stride(&schema) / 8];
        let mut counters = Counters::default();
        let mut out = Emitter::new(&schema, bytemuck::cast_slice_mut(&mut buffer), &mut counters);
        stage.process(0, &Record::new(&input, &header, &payload), &mut [], &mut out);
        let rejected = out.counters().rejected;
        let record = out.records().next();
        check(record, rejected);
    }

    #[test]
    fn every_type_is_read_in_both_byte_orders() {
        use BinaryKind::*;
        let kinds = [U8, U16, U32, U64, I8, I16, I32, I64];
        let frame: Vec<u8> = (0xF1..=0xF8).collect();
        for endian in [Endian::Little, Endian::Big] {
            let fields =
                kinds.iter().map(|&kind| BinaryField { endian, ..field(&format!("{kind:?}"), kind, 0) }).collect();
            decode(fields, &frame, |record, _| {
                let record = record.unwrap();
                let expected: [i64; 8] = match endian {
                    Endian::Little => {
                        [0xF1, 0xF2F1, 0xF4F3_F2F1, i64::MAX, -15, -3343, -185_339_151, -506_664_896_818_842_895]
                    }
                    Endian::Big => {
                        [0xF1, 0xF1F2, 0xF1F2_F3F4, i64::MAX, -15, -3598, -235_736_076, -1_012_478_732_780_767_240]
                    }
                };
                let seen: Vec<_> = (0..8).map(|index| record.i64(index).unwrap()).collect();
                assert_eq!(seen, expected, "{endian:?}");
            });
        }
    }

    #[test]
    fn floats_scale_offset_and_bits_are_applied() {
        let mut frame = 1.5f32.to_be_bytes().to_vec();
        frame.extend_from_slice(&(-2.25f64).to_le_bytes());
        frame.extend_from_slice(&0b1011_0110_0000_0111u16.to_le_bytes());
        let fields = vec![
            BinaryField { endian: Endian::Big, ..field("f", BinaryKind::F32, 0) },
            BinaryField { scale: 2.0, offset: 1.0, ..field("d", BinaryKind::F64, 4) },
            BinaryField { bits: Some((8, 13)), ..field("plain", BinaryKind::U16, 12) },
            BinaryField { bits: Some((12, 15)), ..field("signed", BinaryKind::I16, 12) },
            BinaryField { bits: Some((0, 2)), scale: 0.5, ..field("scaled", BinaryKind::U8, 12) },
            BinaryField { scale: 0.01, ..field("centi", BinaryKind::I8, 13) },
        ];
        decode(fields, &frame, |record, _| {
            let record = record.unwrap();
            assert_eq!((record.f64(0), record.f64(1)), (1.5, -3.5));
            assert_eq!((record.i64(2), record.i64(3)), (Some(0b11_0110), Some(-5)));
            assert_eq!((record.value(4), record.value(5)), (Value::F64(3.5), Value::F64(-0.74)));
        });
    }

    #[test]
    fn a_frame_too_short_is_rejected() {
        decode(vec![field("x", BinaryKind::U32, 4)], &[0; 7], |record, rejected| {
            assert!(record.is_none());
            assert_eq!(rejected, 1);
        });
    }

    #[test]
    fn fields_that_cannot_be_are_refused_before_the_start() {
        let float_bits = BinaryField { bits: Some((0, 3)), ..field("x", BinaryKind::F32, 0) };
        let wide_bits = BinaryField { bits: Some((0, 16)), ..field("x", BinaryKind::U16, 0) };
        let zero_scale = BinaryField { scale: 0.0, ..field("x", BinaryKind::U16, 0) };
        for (fields, key) in [
            (vec![field("x", BinaryKind::U32, 5)], "at"),
            (vec![field("x", BinaryKind::U8, usize::MAX)], "at"),
            (vec![float_bits], "bits"),
            (vec![wide_bits], "bits"),
            (vec![zero_scale], "scale"),
            (vec![], "field"),
        ] {
            assert_eq!(plan(fields, 8).unwrap_err().key, Some(key));
        }
        assert_eq!(plan(vec![field("x", BinaryKind::U32, 4)], 8).unwrap().1.to_string(), "x i64");
    }
}
