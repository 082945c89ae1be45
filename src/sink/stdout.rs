//! Standard output: for people, or for the next program in a pipe.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;

use super::{column, text};
use crate::message::{Record, Value};
use crate::pipeline::{Input, PlanError, Sink};

/// How a message is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `2026-01-31T12:00:00.000000000Z  gps  lat=48.1 deg  lon=11.5 deg`; a missing value is `-`, text is quoted.
    #[default]
    Text,
    /// One JSON object a line: `time` (RFC 3339), `mono_s` (seconds since boot), `seq`, `node`, then the fields. A missing
    /// value and an infinity are `null`, bytes are a hexadecimal string. A field that is called like one of the first four is
    /// prefixed with `data_`.
    Json,
}

/// Writes each message as a line to standard output, at once.
///
/// A pipe cannot be cut back: what was written by a step that a crash kept from its commit is written again, so
/// lines come at least once, in order, and `seq` tells a repeated one. When the reader has gone (`pinring run x.toml |
/// head`) what still comes is dropped and counted; if there is no other sink, the run ends.
#[derive(Debug)]
pub struct Stdout {
    format: Format,
    /// For each input what stands around its values.
    labels: Vec<Labels>,
    out: Option<File>,
    buffer: Vec<u8>,
    deserted: bool,
}

#[derive(Debug)]
struct Labels {
    node: Vec<u8>,
    /// For each field what comes before and after its value.
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Stdout {
    /// A sink that writes in that format.
    pub fn new(format: Format) -> Self {
        Self { format, labels: Vec::new(), out: None, buffer: Vec::new(), deserted: false }
    }

    fn push_text(buffer: &mut Vec<u8>, labels: &Labels, record: &Record<'_>) {
        text::push_utc(buffer, record.header().utc_ns);
        buffer.extend_from_slice(&labels.node);
        for (index, (before, after)) in labels.fields.iter().enumerate() {
            buffer.extend_from_slice(before);
            match record.value(index) {
                Value::Missing => {
                    buffer.push(b'-');
                    continue;
                }
                Value::F64(value) => text::push_f64(buffer, value),
                Value::I64(value) => text::push_i64(buffer, value),
                Value::Bool(value) => text::push_bool(buffer, value),
                Value::Time(value) => text::push_utc(buffer, value),
                Value::Text(value) => text::push_quoted(buffer, value),
                Value::Bytes(value) => text::push_hex(buffer, value),
            }
            buffer.extend_from_slice(after);
        }
    }

    fn push_json(buffer: &mut Vec<u8>, labels: &Labels, record: &Record<'_>) {
        buffer.extend_from_slice(b"{\"time\":");
        quoted(buffer, |buffer| text::push_utc(buffer, record.header().utc_ns));
        buffer.extend_from_slice(b",\"mono_s\":");
        text::push_seconds(buffer, record.header().arrived_ns);
        buffer.extend_from_slice(b",\"seq\":");
        text::push_u64(buffer, record.header().seq);
        buffer.extend_from_slice(&labels.node);
        for (index, (before, _)) in labels.fields.iter().enumerate() {
            buffer.extend_from_slice(before);
            match record.value(index) {
                Value::F64(value) if value.is_finite() => text::push_f64(buffer, value),
                Value::Missing | Value::F64(_) => buffer.extend_from_slice(b"null"),
                Value::I64(value) => text::push_i64(buffer, value),
                Value::Bool(value) => text::push_bool(buffer, value),
                Value::Time(value) => quoted(buffer, |buffer| text::push_utc(buffer, value)),
                Value::Text(value) => text::push_json_string(buffer, value),
                Value::Bytes(value) => quoted(buffer, |buffer| text::push_hex(buffer, value)),
            }
        }
        buffer.push(b'}');
    }
}

fn quoted(buffer: &mut Vec<u8>, inner: impl FnOnce(&mut Vec<u8>)) {
    buffer.push(b'"');
    inner(buffer);
    buffer.push(b'"');
}

fn json_labels(input: &Input<'_>) -> Labels {
    let json = |prefix: &str, text: &str, suffix: &str| {
        let mut label = prefix.as_bytes().to_vec();
        text::push_json_string(&mut label, text);
        label.extend_from_slice(suffix.as_bytes());
        label
    };
    let names = column::names(input.schema, &["time", "mono_s", "seq", "node"]);
    Labels {
        node: json(",\"node\":", input.name, ""),
        fields: names.iter().map(|name| (json(",", name, ":"), Vec::new())).collect(),
    }
}

fn text_labels(input: &Input<'_>) -> Labels {
    let label = |field: &crate::message::Field| {
        let unit = if field.unit.is_empty() { String::new() } else { format!(" {}", field.unit) };
        (format!("  {}=", field.name).into_bytes(), unit.into_bytes())
    };
    Labels { node: format!("  {}", input.name).into_bytes(), fields: input.schema.fields().iter().map(label).collect() }
}

impl Sink for Stdout {
    fn kind(&self) -> &'static str {
        "stdout"
    }

    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<usize, PlanError> {
        let labels = match self.format {
            Format::Text => text_labels,
            Format::Json => json_labels,
        };
        self.labels = inputs.iter().map(labels).collect();
        Ok(0)
    }

    fn resume(&mut self, _: &mut [u8]) -> io::Result<()> {
        self.buffer.clear();
        if self.out.is_none() {
            // A descriptor of our own: std's handle has a buffer, which would hold rows back past the commit.
            self.out = Some(File::from(io::stdout().as_fd().try_clone_to_owned()?));
        }
        Ok(())
    }

    fn write(&mut self, input: usize, record: &Record<'_>, _: &mut [u8]) -> io::Result<()> {
        let labels = &self.labels[input];
        match self.format {
            Format::Text => Self::push_text(&mut self.buffer, labels, record),
            Format::Json => Self::push_json(&mut self.buffer, labels, record),
        }
        self.buffer.push(b'\n');
        Ok(())
    }

    fn flush(&mut self, _: &mut [u8]) -> io::Result<()> {
        let Some(out) = &mut self.out else { return Ok(()) };
        let written = out.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => {
                self.deserted = true;
                io::Error::new(error.kind(), "the reader of standard output has gone")
            }
            kind => io::Error::new(kind, format!("cannot write to standard output: {error}")),
        })
    }

    fn is_deserted(&self) -> bool {
        self.deserted
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::message::{Field, FieldType, Header, RecordMut, Schema};

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("lat", "deg", FieldType::F64),
            Field::new("seq", "", FieldType::I64),
            Field::new("id\"\n", "", FieldType::Text { max: 20 }),
            Field::new("raw", "", FieldType::Bytes { max: 4 }),
            Field::new("ok", "", FieldType::Bool),
            Field::new("at", "", FieldType::Time),
        ])
        .unwrap()
    }

    /// A planned sink that writes into the first of the two ends.
    fn sink(format: Format) -> (Stdout, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut sink = Stdout::new(format);
        sink.plan(&[Input { name: "g\"ps", schema: &schema(), rate: 1.0 }]).unwrap();
        sink.out = Some(File::from(OwnedFd::from(ours)));
        sink.resume(&mut []).unwrap();
        (sink, theirs)
    }

    fn give(sink: &mut Stdout, fill: impl FnOnce(&mut RecordMut<'_>)) -> io::Result<()> {
        let schema = schema();
        let mut header = Header { seq: 7, utc_ns: 1, arrived_ns: 1_000_000_002, ..Header::default() };
        let mut payload = vec![0; schema.payload_size()];
        let mut record = RecordMut::new(&schema, &mut header, &mut payload);
        record.clear();
        fill(&mut record);
        sink.write(0, &Record::new(&schema, &header, &payload), &mut [])?;
        sink.flush(&mut [])
    }

    fn line(format: Format, fill: impl FnOnce(&mut RecordMut<'_>)) -> String {
        let (mut sink, mut theirs) = sink(format);
        give(&mut sink, fill).unwrap();
        drop(sink);
        let mut line = String::new();
        theirs.read_to_string(&mut line).unwrap();
        line
    }

    #[test]
    fn json_is_valid_whatever_the_message_holds() {
        let line = line(Format::Json, |record| {
            record.set_f64(0, f64::INFINITY);
            record.set_i64(1, i64::MAX);
            record.set_text(2, "\u{1}\"\\\n\u{e9}");
            record.set_bytes(3, &[0, 0xFF]);
        });
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let expected = serde_json::json!({
            "time": "1970-01-01T00:00:00.000000001Z", "mono_s": 1.000000002, "seq": 7, "node": "g\"ps",
            "lat": null, "data_seq": i64::MAX, "id\"\n": "\u{1}\"\\\n\u{e9}", "raw": "00ff", "ok": null, "at": null
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn text_shows_units_and_cannot_steer_the_terminal() {
        let line = line(Format::Text, |record| {
            record.set_f64(0, 48.5);
            record.set_text(2, "\u{1b}[2J");
            record.set_bool(4, true);
            record.set_i64(5, 0);
        });
        let expected = "1970-01-01T00:00:00.000000001Z  g\"ps  lat=48.5 deg  seq=-  id\"\n=\"\\u{1b}[2J\"  raw=-  ok=true  \
                        at=1970-01-01T00:00:00.000000000Z\n";
        assert_eq!(line, expected);
    }

    #[test]
    fn a_reader_that_has_gone_is_told_as_such() {
        let (mut sink, theirs) = sink(Format::Text);
        drop(theirs);
        let error = give(&mut sink, |_| {}).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert!(error.to_string().contains("has gone") && sink.is_deserted());
    }
}
