//! One file's columns, and a message as a row of them.

use super::{column, text};
use crate::message::{Record, Schema, Value};

/// Ends a row. RFC 4180 says CRLF; its own readers take both, but with CRLF awk, cut, join and a shell's `read` see a stray
/// `\r` in the last column.
const LINE_END: u8 = b'\n';

/// The columns of one file.
#[derive(Debug)]
pub(super) struct Row {
    /// The header line with its end.
    header: Vec<u8>,
    /// For each input of a shared file its name and a comma, quoted as need be.
    names: Vec<Vec<u8>>,
    writer: csv_core::Writer,
}

impl Row {
    /// Columns `seq,time_utc,time_mono_s` and the fields with their units; before them `input` where several
    /// inputs (`names`) share the file.
    pub(super) fn new(schema: &Schema, names: &[&str]) -> Self {
        let fixed = ["input", "seq", "time_utc", "time_mono_s"];
        let fixed = if names.is_empty() { &fixed[1..] } else { &fixed[..] };
        let writer = csv_core::Writer::new();
        let mut header = fixed.join(",").into_bytes();
        for (name, field) in column::names(schema, fixed).into_iter().zip(schema.fields()) {
            header.push(b',');
            let title = if field.unit.is_empty() { name } else { format!("{name} [{}]", field.unit) };
            push_text(&writer, &mut header, &title);
        }
        header.push(LINE_END);
        let quoted = |name: &&str| {
            let mut quoted = Vec::new();
            push_text(&writer, &mut quoted, name);
            quoted.push(b',');
            quoted
        };
        Self { header, names: names.iter().map(quoted).collect(), writer }
    }

    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    /// Appends one row. `place` is the input's place among those that share the file.
    pub(super) fn push(&self, buffer: &mut Vec<u8>, place: usize, record: &Record<'_>) {
        if let Some(name) = self.names.get(place) {
            buffer.extend_from_slice(name);
        }
        let header = record.header();
        text::push_u64(buffer, header.seq);
        buffer.push(b',');
        text::push_utc(buffer, header.utc_ns);
        buffer.push(b',');
        text::push_seconds(buffer, header.arrived_ns);
        for index in 0..record.schema().fields().len() {
            buffer.push(b',');
            match record.value(index) {
                Value::Missing => {}
                Value::F64(value) => text::push_f64(buffer, value),
                Value::I64(value) => text::push_i64(buffer, value),
                Value::Bool(value) => text::push_bool(buffer, value),
                Value::Time(value) => text::push_utc(buffer, value),
                Value::Text(value) => push_text(&self.writer, buffer, value),
                Value::Bytes(value) => text::push_hex(buffer, value),
            }
        }
        buffer.push(LINE_END);
    }
}

/// Text as a CSV field: in quotes, with quotes doubled, where it holds a comma, a quote or a line's end.
fn push_text(writer: &csv_core::Writer, buffer: &mut Vec<u8>, text: &str) {
    if !writer.should_quote(text.as_bytes()) {
        buffer.extend_from_slice(text.as_bytes());
        return;
    }
    buffer.push(b'"');
    let start = buffer.len();
    buffer.resize(start + 2 * text.len(), 0);
    let (_, _, written) = csv_core::quote(text.as_bytes(), &mut buffer[start..], b'"', b'"', true);
    buffer.truncate(start + written);
    buffer.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Field, FieldType, Header, RecordMut};

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("lat", "deg", FieldType::F64),
            Field::new("seq", "", FieldType::I64),
            Field::new("ok", "", FieldType::Bool),
            Field::new("at", "", FieldType::Time),
            Field::new("id, name", "", FieldType::Text { max: 30 }),
            Field::new("raw", "", FieldType::Bytes { max: 4 }),
        ])
        .unwrap()
    }

    fn row(row: &Row, place: usize, fill: impl FnOnce(&mut RecordMut<'_>)) -> String {
        let schema = schema();
        let mut header = Header { seq: 7, utc_ns: 1_500_000_000, arrived_ns: 2_000_000_001, ..Header::default() };
        let mut payload = vec![0; schema.payload_size()];
        let mut record = RecordMut::new(&schema, &mut header, &mut payload);
        record.clear();
        fill(&mut record);
        let mut buffer = Vec::new();
        row.push(&mut buffer, place, &Record::new(&schema, &header, &payload));
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn the_header_has_units_and_no_name_twice() {
        let one = Row::new(&schema(), &[]);
        let expected = "seq,time_utc,time_mono_s,lat [deg],data_seq,ok,at,\"id, name\",raw\n";
        assert_eq!(String::from_utf8_lossy(one.header()), expected);
        let shared = Row::new(&schema(), &["a", "b"]);
        assert_eq!(String::from_utf8_lossy(shared.header()), format!("input,{expected}"));
    }

    #[test]
    fn every_type_has_its_text() {
        let text = row(&Row::new(&schema(), &[]), 0, |record| {
            record.set_f64(0, 48.117_3);
            record.set_i64(1, -3);
            record.set_bool(2, false);
            record.set_i64(3, 0);
            record.set_text(4, "roof");
            record.set_bytes(5, &[0xDE, 0xAD]);
        });
        let expected = "7,1970-01-01T00:00:01.500000000Z,2.000000001,48.1173,-3,false,\
                        1970-01-01T00:00:00.000000000Z,roof,dead\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_would_break_a_row_is_quoted_and_missing_is_empty() {
        let shared = Row::new(&schema(), &["a,b", "c"]);
        let text = row(&shared, 0, |record| {
            record.set_text(4, "say \"x\",\r\ny");
        });
        assert_eq!(text, "\"a,b\",7,1970-01-01T00:00:01.500000000Z,2.000000001,,,,,\"say \"\"x\"\",\r\ny\",\n");
        assert!(row(&shared, 1, |_| {}).starts_with("c,7,"));
    }
}
