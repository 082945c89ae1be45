//! Typed access to the fields of one message, in place.

use super::{FieldType, Header, Schema};

/// One field's value, whatever its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Not there.
    Missing,
    /// A float.
    F64(f64),
    /// An integer.
    I64(i64),
    /// False or true.
    Bool(bool),
    /// UTC in nanoseconds since 1970.
    Time(i64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

const MISSING: i64 = i64::MIN;

/// A message to read.
///
/// The payload may lie in memory that another process wrote: lengths found in it are clamped, text
/// is checked, so no content can make a read leave the payload.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    schema: &'a Schema,
    header: &'a Header,
    payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// Views `payload` through `schema`.
    ///
    /// # Panics
    /// If the payload is shorter than the schema says.
    pub fn new(schema: &'a Schema, header: &'a Header, payload: &'a [u8]) -> Self {
        Self { schema, header, payload: &payload[..schema.payload_size()] }
    }

    /// The schema it is laid out by.
    pub fn schema(&self) -> &'a Schema {
        self.schema
    }

    /// Times, sequence number and origin.
    pub fn header(&self) -> &'a Header {
        self.header
    }

    /// The raw payload.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Field `index` as a float; integers and booleans are converted, anything else and a missing
    /// value are NaN.
    ///
    /// # Panics
    /// If there is no field `index`; so do all accessors.
    pub fn f64(&self, index: usize) -> f64 {
        match self.value(index) {
            Value::F64(value) => value,
            #[expect(clippy::cast_precision_loss, reason = "a float is what the caller asked for")]
            Value::I64(value) => value as f64,
            Value::Bool(value) => f64::from(u8::from(value)),
            _ => f64::NAN,
        }
    }

    /// Field `index` if it is an integer, a time or a boolean and not missing.
    pub fn i64(&self, index: usize) -> Option<i64> {
        match self.value(index) {
            Value::I64(value) | Value::Time(value) => Some(value),
            Value::Bool(value) => Some(i64::from(value)),
            _ => None,
        }
    }

    /// Field `index` as text; empty where it is missing or no text, cut at the first byte that is
    /// not UTF-8.
    pub fn text(&self, index: usize) -> &'a str {
        match self.value(index) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    /// Field `index` as bytes, of `Text` and `Bytes` alike; empty where it is missing.
    pub fn bytes(&self, index: usize) -> &'a [u8] {
        match self.schema.fields()[index].kind {
            FieldType::Text { max } | FieldType::Bytes { max } => self.blob(index, max),
            _ => &[],
        }
    }

    /// Field `index`, whatever its type.
    pub fn value(&self, index: usize) -> Value<'a> {
        match self.schema.fields()[index].kind {
            FieldType::F64 => {
                let value = f64::from_ne_bytes(self.word(index));
                if value.is_nan() { Value::Missing } else { Value::F64(value) }
            }
            FieldType::I64 => self.integer(index).map_or(Value::Missing, Value::I64),
            FieldType::Time => self.integer(index).map_or(Value::Missing, Value::Time),
            FieldType::Bool => self.integer(index).map_or(Value::Missing, |value| Value::Bool(value != 0)),
            FieldType::Text { max } => match self.blob(index, max) {
                [] => Value::Missing,
                bytes => Value::Text(valid_prefix(bytes)),
            },
            FieldType::Bytes { max } => match self.blob(index, max) {
                [] => Value::Missing,
                bytes => Value::Bytes(bytes),
            },
        }
    }

    fn integer(&self, index: usize) -> Option<i64> {
        let value = i64::from_ne_bytes(self.word(index));
        (value != MISSING).then_some(value)
    }

    fn word(&self, index: usize) -> [u8; 8] {
        let at = self.schema.offset(index);
        let mut word = [0; 8];
        word.copy_from_slice(&self.payload[at..at + 8]);
        word
    }

    fn blob(&self, index: usize, max: u16) -> &'a [u8] {
        let at = self.schema.offset(index);
        let claimed = u16::from_ne_bytes([self.payload[at], self.payload[at + 1]]);
        &self.payload[at + 2..at + 2 + usize::from(claimed.min(max))]
    }
}

fn valid_prefix(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// A message being written.
#[derive(Debug)]
pub struct RecordMut<'a> {
    schema: &'a Schema,
    header: &'a mut Header,
    payload: &'a mut [u8],
}

impl<'a> RecordMut<'a> {
    /// Views `payload` through `schema`; what it holds is left as it is, see [`Self::clear`].
    ///
    /// # Panics
    /// If the payload is shorter than the schema says.
    pub fn new(schema: &'a Schema, header: &'a mut Header, payload: &'a mut [u8]) -> Self {
        let size = schema.payload_size();
        Self { schema, header, payload: &mut payload[..size] }
    }

    /// The schema it is laid out by.
    pub fn schema(&self) -> &Schema {
        self.schema
    }

    /// Times, sequence number and origin.
    pub fn header(&mut self) -> &mut Header {
        self.header
    }

    /// Makes every field missing.
    pub fn clear(&mut self) {
        for index in 0..self.schema.fields().len() {
            self.set_missing(index);
        }
    }

    /// Makes field `index` missing.
    ///
    /// # Panics
    /// If there is no field `index`; so do all setters.
    pub fn set_missing(&mut self, index: usize) {
        match self.schema.fields()[index].kind {
            FieldType::F64 => self.put_word(index, f64::NAN.to_ne_bytes()),
            FieldType::I64 | FieldType::Time | FieldType::Bool => self.put_word(index, MISSING.to_ne_bytes()),
            FieldType::Text { .. } | FieldType::Bytes { .. } => self.put_blob(index, 0, &[]),
        }
    }

    /// Sets a numeric field; an `I64` takes the nearest integer, `Bool` whether it is not zero. NaN
    /// makes it missing.
    ///
    /// # Panics
    /// If the field is not numeric.
    pub fn set_f64(&mut self, index: usize, value: f64) {
        if value.is_nan() {
            return self.set_missing(index);
        }
        match self.schema.fields()[index].kind {
            FieldType::F64 => self.put_word(index, value.to_ne_bytes()),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "`as` saturates, which is the nearest integer there is"
            )]
            FieldType::I64 => self.put_word(index, (value.round() as i64).to_ne_bytes()),
            FieldType::Bool => self.put_word(index, i64::from(value != 0.0).to_ne_bytes()),
            kind => panic!("field {index} is {kind}, not a number"),
        }
    }

    /// Sets an integer, time, boolean or float field.
    ///
    /// # Panics
    /// If the field is text or bytes.
    pub fn set_i64(&mut self, index: usize, value: i64) {
        match self.schema.fields()[index].kind {
            FieldType::I64 | FieldType::Time => self.put_word(index, value.to_ne_bytes()),
            FieldType::Bool => self.put_word(index, i64::from(value != 0).to_ne_bytes()),
            #[expect(clippy::cast_precision_loss, reason = "the field is a float")]
            FieldType::F64 => self.put_word(index, (value as f64).to_ne_bytes()),
            kind => panic!("field {index} is {kind}, not an integer"),
        }
    }

    /// Sets a boolean field (or a numeric one to 0 or 1).
    ///
    /// # Panics
    /// If the field is text or bytes.
    pub fn set_bool(&mut self, index: usize, value: bool) {
        self.set_i64(index, i64::from(value));
    }

    /// Sets a text field, cut at a character's boundary if it is too long. Returns whether all of
    /// it fitted.
    ///
    /// # Panics
    /// If the field is no text.
    pub fn set_text(&mut self, index: usize, text: &str) -> bool {
        let FieldType::Text { max } = self.schema.fields()[index].kind else {
            panic!("field {index} is {}, not text", self.schema.fields()[index].kind);
        };
        let mut end = text.len().min(usize::from(max));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.put_blob(index, end, text.as_bytes());
        end == text.len()
    }

    /// Sets a `Bytes` or `Text` field to raw bytes, cut if they are too many. Returns whether all of
    /// them fitted.
    ///
    /// # Panics
    /// If the field is neither text nor bytes.
    pub fn set_bytes(&mut self, index: usize, bytes: &[u8]) -> bool {
        let (FieldType::Text { max } | FieldType::Bytes { max }) = self.schema.fields()[index].kind else {
            panic!("field {index} is {}, not bytes", self.schema.fields()[index].kind);
        };
        let len = bytes.len().min(usize::from(max));
        self.put_blob(index, len, bytes);
        len == bytes.len()
    }

    /// Copies field `from` of another record into field `to`; the types must be the same.
    ///
    /// # Panics
    /// If the types differ.
    pub fn copy_field(&mut self, to: usize, record: &Record<'_>, from: usize) {
        let kind = self.schema.fields()[to].kind;
        assert_eq!(kind, record.schema.fields()[from].kind, "fields {from} and {to} differ in type");
        let (source, target) = (record.schema.offset(from), self.schema.offset(to));
        let size = kind.stored_size();
        self.payload[target..target + size].copy_from_slice(&record.payload[source..source + size]);
    }

    fn put_word(&mut self, index: usize, word: [u8; 8]) {
        let at = self.schema.offset(index);
        self.payload[at..at + 8].copy_from_slice(&word);
    }

    fn put_blob(&mut self, index: usize, len: usize, bytes: &[u8]) {
        let at = self.schema.offset(index);
        let stored = u16::try_from(len).unwrap_or(u16::MAX);
        self.payload[at..at + 2].copy_from_slice(&stored.to_ne_bytes());
        self.payload[at + 2..at + 2 + len].copy_from_slice(&bytes[..len]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Field;

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("f", "m", FieldType::F64),
            Field::new("i", "", FieldType::I64),
            Field::new("b", "", FieldType::Bool),
            Field::new("t", "", FieldType::Time),
            Field::new("s", "", FieldType::Text { max: 5 }),
            Field::new("x", "", FieldType::Bytes { max: 3 }),
        ])
        .unwrap()
    }

    #[test]
    fn what_was_set_is_read_back() {
        let (schema, mut header) = (schema(), Header::default());
        let mut payload = vec![0xAA; schema.payload_size()];
        let mut record = RecordMut::new(&schema, &mut header, &mut payload);
        record.clear();
        record.set_f64(0, 1.5);
        record.set_i64(1, -7);
        record.set_bool(2, true);
        record.set_i64(3, 1_000);
        assert!(!record.set_text(4, "abcd\u{e9}"), "the last character is cut as a whole");
        assert!(record.set_bytes(5, &[1, 2, 3]));
        let record = Record::new(&schema, &header, &payload);
        assert_eq!(record.f64(0), 1.5);
        assert_eq!((record.i64(1), record.f64(1)), (Some(-7), -7.0));
        assert_eq!(record.value(2), Value::Bool(true));
        assert_eq!(record.value(3), Value::Time(1_000));
        assert_eq!(record.text(4), "abcd");
        assert_eq!(record.bytes(5), [1, 2, 3]);
    }

    #[test]
    fn a_cleared_record_has_every_field_missing() {
        let (schema, mut header) = (schema(), Header::default());
        let mut payload = vec![0x55; schema.payload_size()];
        RecordMut::new(&schema, &mut header, &mut payload).clear();
        let record = Record::new(&schema, &header, &payload);
        assert!((0..6).all(|index| record.value(index) == Value::Missing));
    }

    #[test]
    fn a_length_that_lies_is_clamped() {
        let (schema, header) = (schema(), Header::default());
        let payload = vec![0xFF; schema.payload_size()];
        let record = Record::new(&schema, &header, &payload);
        assert_eq!(record.bytes(5).len(), 3);
        assert_eq!(record.text(4), "", "0xFF is no UTF-8");
    }
}
