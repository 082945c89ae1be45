//! Decodes lines of values with a separator between them: CSV, tab or blank separated.

use std::cell::RefCell;
use std::time::UNIX_EPOCH;

use super::frame_input::frame_input;
use crate::message::{Field, FieldType, Record, RecordMut, Schema};
use crate::pipeline::{Emitter, Input, Output, PlanError, Stage};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelimitedKind {
    /// A number.
    F64,
    /// A whole number.
    I64,
    /// Text of at most `max` bytes; a line with a longer one is rejected.
    Text {
        /// Most bytes.
        max: u16,
    },
    /// UTC, as RFC 3339 (`2026-11-20T08:15:00.5Z`; `T` may be a blank and `Z` left out) or as seconds since 1970 with
    /// decimals.
    Time,
}

impl DelimitedKind {
    const fn field_type(self) -> FieldType {
        match self {
            Self::F64 => FieldType::F64,
            Self::I64 => FieldType::I64,
            Self::Text { max } => FieldType::Text { max },
            Self::Time => FieldType::Time,
        }
    }
}

/// One column taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelimitedField {
    /// Name of the field it becomes.
    pub name: String,
    /// Its unit, empty for none.
    pub unit: String,
    /// What it holds; an empty column is a missing value.
    pub kind: DelimitedKind,
    /// Which column, 0 being the first; `None` takes this field's place in the list.
    pub index: Option<usize>,
    /// What stands in front of the value (`T=`) and is taken off; a line without it is rejected.
    pub prefix: Option<String>,
}

/// A checksum in digits at the end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineChecksum {
    /// As NMEA 0183 has it: `*` and two hexadecimal digits, the exclusive or of all characters before the `*`
    /// without a leading `$` or `!`.
    Xor,
}

/// How lines are taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelimitedSettings {
    /// One ASCII character. A blank stands for any run of blanks.
    pub separator: char,
    /// What the line must begin with (`WX,`); taken off before it is split.
    pub starts_with: Option<String>,
    /// Whether lines that begin otherwise are for somebody else: passed over, not rejected.
    pub skip_others: bool,
    /// The checksum, taken off before the line is split; a line where it is wrong or lacks is rejected.
    pub checksum: Option<LineChecksum>,
    /// The columns taken.
    pub fields: Vec<DelimitedField>,
}

/// Decodes one line into one message; columns may be quoted as in RFC 4180.
pub struct Delimited {
    settings: DelimitedSettings,
    scratch: RefCell<Scratch>,
}

/// Buffers of one line's work, made in `plan` so that no line allocates.
struct Scratch {
    parser: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Delimited {
    /// A stage of these settings; they are checked in `plan`.
    pub fn new(settings: DelimitedSettings) -> Self {
        let scratch = Scratch { parser: csv_core::Reader::new(), text: Vec::new(), ends: Vec::new() };
        Self { settings, scratch: RefCell::new(scratch) }
    }

    /// The values of a line without its checksum and beginning; `Ok(None)` passes it over, `Err` rejects it.
    fn body<'a>(&self, line: &'a [u8]) -> Result<Option<&'a [u8]>, BadLine> {
        let start = self.settings.starts_with.as_deref().unwrap_or_default();
        if self.settings.skip_others && !line.starts_with(start.as_bytes()) {
            return Ok(None);
        }
        let line = match self.settings.checksum {
            Some(LineChecksum::Xor) => checked(line).ok_or(BadLine)?,
            None => line,
        };
        line.strip_prefix(start.as_bytes()).map(Some).ok_or(BadLine)
    }

    /// Reads every field; writes them only into a record, so that a first pass without one tells whether all are good.
    fn decode(&self, columns: &Columns<'_>, mut record: Option<&mut RecordMut<'_>>) -> Result<(), BadLine> {
        for (place, field) in self.settings.fields.iter().enumerate() {
            let text = columns.get(field.index.unwrap_or(place)).ok_or(BadLine)?;
            let text = std::str::from_utf8(text).map_err(|_| BadLine)?.trim_ascii();
            let text = if text.is_empty() { text } else { take_prefix(text, field.prefix.as_deref())?.trim_ascii() };
            if text.is_empty() {
                continue;
            }
            let value = parse(text, field.kind)?;
            if let Some(record) = record.as_deref_mut() {
                match value {
                    Cell::F64(value) => record.set_f64(place, value),
                    Cell::Integer(value) => record.set_i64(place, value),
                    Cell::Text(text) => drop(record.set_text(place, text)),
                }
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<u8, PlanError> {
        let settings = &self.settings;
        let separator =
            u8::try_from(settings.separator).ok().filter(|byte| byte.is_ascii() && !b"\"\r\n".contains(byte));
        let Some(separator) = separator else {
            let message = format!(
                "separator = {:?}, but it must be one ASCII character, no quote or line's end",
                settings.separator
            );
            return Err(PlanError::key("separator", message));
        };
        if settings.skip_others && settings.starts_with.is_none() {
            return Err(PlanError::key("skip_others", "skip_others needs starts_with to say which lines are meant"));
        }
        if settings.fields.is_empty() {
            return Err(PlanError::key("field", "no field is named; say what the columns hold"));
        }
        Ok(separator)
    }
}

impl Stage for Delimited {
    fn kind(&self) -> &'static str {
        "delimited"
    }

    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<Output, PlanError> {
        let max_line = frame_input(inputs)?;
        let separator = self.check()?;
        let columns = self.settings.fields.iter().enumerate().map(|(place, field)| field.index.unwrap_or(place));
        // n columns need n - 1 separators; a line of blanks alone has as many columns as bytes.
        if columns.max().is_some_and(|last| last > max_line) {
            return Err(PlanError::key("index", format!("a line of at most {max_line} bytes has no such column")));
        }
        let parser = csv_core::ReaderBuilder::new().delimiter(separator).build();
        *self.scratch.get_mut() = Scratch { parser, text: vec![0; max_line + 1], ends: vec![0; max_line + 2] };
        let fields = &self.settings.fields;
        let fields = fields.iter().map(|field| Field::new(&field.name, &field.unit, field.kind.field_type())).collect();
        Ok(Output { schema: Schema::new(fields)?, state_size: 0, max_per_step: 1, rate: inputs[0].rate })
    }

    fn process(&self, _: usize, record: &Record<'_>, _: &mut [u8], out: &mut Emitter<'_>) {
        let body = match self.body(record.bytes(0)) {
            Ok(None) => return,
            Ok(Some(body)) => body,
            Err(BadLine) => return out.reject(),
        };
        let mut scratch = self.scratch.borrow_mut();
        let is_blank = self.settings.separator == ' ';
        let columns = scratch.split(body).map(|(text, ends)| Columns { text, ends, is_blank });
        match columns {
            Ok(columns) if self.decode(&columns, None).is_ok() => out.emit(|message| {
                let written = self.decode(&columns, Some(message));
                debug_assert!(written.is_ok(), "the pass before found every field good");
            }),
            _ => out.reject(),
        }
    }
}

/// The line cannot be decoded; why is not told, only counted.
struct BadLine;

enum Cell<'a> {
    F64(f64),
    Integer(i64),
    Text(&'a str),
}

/// A line's columns, unquoted.
struct Columns<'a> {
    text: &'a [u8],
    ends: &'a [usize],
    is_blank: bool,
}

impl<'a> Columns<'a> {
    fn get(&self, index: usize) -> Option<&'a [u8]> {
        if !self.is_blank {
            return self.at(index);
        }
        (0..self.ends.len()).filter_map(|at| self.at(at)).filter(|column| !column.is_empty()).nth(index)
    }

    fn at(&self, index: usize) -> Option<&'a [u8]> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.text[start..end])
    }
}

impl Scratch {
    fn split(&mut self, body: &[u8]) -> Result<(&[u8], &[usize]), BadLine> {
        self.parser.reset();
        let (first, used, written, count) = self.parser.read_record(body, &mut self.text, &mut self.ends);
        // A bare CR ends a record, too; what follows would be lost.
        if first != csv_core::ReadRecordResult::InputEmpty || used != body.len() {
            return Err(BadLine);
        }
        let (last, _, more, ends) = self.parser.read_record(&[], &mut self.text[written..], &mut self.ends[count..]);
        match last {
            csv_core::ReadRecordResult::Record => Ok((&self.text[..written + more], &self.ends[..count + ends])),
            _ => Err(BadLine),
        }
    }
}

/// The line in front of its `*hh`, if that is right.
fn checked(line: &[u8]) -> Option<&[u8]> {
    let (body, digits) = line.split_at_checked(line.len().checked_sub(3)?)?;
    let digits = std::str::from_utf8(digits.strip_prefix(b"*")?).ok()?;
    let sent = u8::from_str_radix(digits, 16).ok()?;
    let covered = if body.starts_with(b"$") || body.starts_with(b"!") { &body[1..] } else { body };
    (covered.iter().fold(0, |sum, byte| sum ^ byte) == sent).then_some(body)
}

fn take_prefix<'a>(text: &'a str, prefix: Option<&str>) -> Result<&'a str, BadLine> {
    text.strip_prefix(prefix.unwrap_or_default()).ok_or(BadLine)
}

fn parse(text: &str, kind: DelimitedKind) -> Result<Cell<'_>, BadLine> {
    let cell = match kind {
        DelimitedKind::F64 => text.parse().ok().map(Cell::F64),
        DelimitedKind::I64 => text.parse().ok().map(Cell::Integer),
        DelimitedKind::Text { max } => (text.len() <= usize::from(max)).then_some(Cell::Text(text)),
        DelimitedKind::Time => parse_time(text).map(Cell::Integer),
    };
    cell.ok_or(BadLine)
}

/// UTC in ns since 1970.
fn parse_time(text: &str) -> Option<i64> {
    if text.bytes().any(|byte| !byte.is_ascii_digit() && byte != b'.') {
        let since = humantime::parse_rfc3339_weak(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        return i64::try_from(since.as_nanos()).ok();
    }
    let (seconds, decimals) = text.split_once('.').unwrap_or((text, ""));
    let decimals = decimals.get(..9).unwrap_or(decimals);
    let scale = 10i64.pow(9 - u32::try_from(decimals.len()).ok()?);
    let fraction: i64 = if decimals.is_empty() { 0 } else { decimals.parse().ok()? };
    seconds.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction * scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Header, Value};
    use crate::pipeline::Counters;

    fn field(name: &str, kind: DelimitedKind) -> DelimitedField {
        DelimitedField { name: name.into(), unit: String::new(), kind, index: None, prefix: None }
    }

    fn settings(fields: Vec<DelimitedField>) -> DelimitedSettings {
        DelimitedSettings { separator: ',', starts_with: None, skip_others: false, checksum: None, fields }
    }

    /// Each line decoded into its fields as `Debug` shows them, and the number of rejects.
    fn decode(settings: DelimitedSettings, lines: &[&[u8]]) -> (Vec<String>, u64) {
        let input = Schema::new(vec![Field::new("line", "", FieldType::Text { max: 80 })]).unwrap();
        let mut stage = Delimited::new(settings);
        let schema = stage.plan(&[Input { name: "wx", schema: &input, rate: 1.0 }]).unwrap().schema;
        let mut buffer = vec![0u64; lines.len() * Emitter::stride(&schema) / 8];
        let mut counters = Counters::default();
        let mut out = Emitter::new(&schema, bytemuck::cast_slice_mut(&mut buffer), &mut counters);
        for line in lines {
            let (mut header, mut payload) = (Header::default(), vec![0; input.payload_size()]);
            RecordMut::new(&input, &mut header, &mut payload).set_bytes(0, line);
            stage.process(0, &Record::new(&input, &header, &payload), &mut [], &mut out);
        }
        let show = |value: Value<'_>| match value {
            Value::F64(value) => format!("{value}"),
            Value::I64(value) | Value::Time(value) => format!("{value}"),
            Value::Text(text) => text.into(),
            _ => "-".into(),
        };
        let row = |record: Record<'_>| {
            (0..schema.fields().len()).map(|index| show(record.value(index))).collect::<Vec<_>>().join("|")
        };
        let rows = out.records().map(row).collect();
        (rows, counters.rejected)
    }

    fn three() -> Vec<DelimitedField> {
        use DelimitedKind::{F64, I64, Text};
        vec![field("t", F64), field("n", I64), field("s", Text { max: 8 })]
    }

    #[test]
    fn columns_become_fields_and_empty_ones_are_missing() {
        let lines: [&[u8]; 4] = [b"21.5,7,roof", b" -1e3 , -2 ,\"a, \"\"b\"\"\"", b",,", b"1,2,x,more"];
        assert_eq!(
            decode(settings(three()), &lines),
            (vec!["21.5|7|roof".into(), "-1000|-2|a, \"b\"".into(), "-|-|-".into(), "1|2|x".into()], 0)
        );
    }

    #[test]
    fn lines_that_do_not_fit_are_rejected() {
        let lines: [&[u8]; 7] = [b"1,2", b"x,2,s", b"1,2.5,s", b"1,2,123456789", b"1,2,\xFF", b"", b"1,2,s\rx"];
        assert_eq!(decode(settings(three()), &lines), (vec![], 7));
    }

    #[test]
    fn other_lines_are_rejected_or_passed_over_as_asked() {
        let lines: [&[u8]; 3] = [b"WX,1,2,a", b"ID,1,2,a", b"WX,2,3,b"];
        let mut settings = DelimitedSettings { starts_with: Some("WX,".into()), ..settings(three()) };
        let rows = vec!["1|2|a".to_owned(), "2|3|b".to_owned()];
        assert_eq!(decode(settings.clone(), &lines), (rows.clone(), 1));
        settings.skip_others = true;
        assert_eq!(decode(settings, &lines), (rows, 0));
    }

    #[test]
    fn a_wrong_checksum_rejects_the_line() {
        // 31 ^ 2C ^ 32 ^ 2C ^ 61 = 62
        let lines: [&[u8]; 5] = [b"$1,2,a*62", b"$1,2,a*62", b"$1,2,a*6F", b"$1,2,a", b"*"];
        let settings =
            DelimitedSettings { checksum: Some(LineChecksum::Xor), starts_with: Some("$".into()), ..settings(three()) };
        assert_eq!(decode(settings, &lines), (vec!["1|2|a".into(), "1|2|a".into()], 3));
    }

    #[test]
    fn blanks_in_a_row_are_one_separator() {
        let settings = DelimitedSettings { separator: ' ', ..settings(three()) };
        assert_eq!(decode(settings, &[b"  1.0    2  x "]), (vec!["1|2|x".into()], 0));
    }

    #[test]
    fn columns_are_picked_by_index_and_freed_of_their_prefix() {
        let pick = DelimitedField { index: Some(2), prefix: Some("T=".into()), ..field("t", DelimitedKind::F64) };
        let lines: [&[u8]; 3] = [b"a,b,T= 4.5", b"a,b,H=1", b"a,b"];
        assert_eq!(decode(settings(vec![pick]), &lines), (vec!["4.5".into()], 2));
    }

    #[test]
    fn times_are_read_as_rfc_3339_or_seconds() {
        let fields = vec![field("t", DelimitedKind::Time)];
        let lines: [&[u8]; 6] =
            [b"1970-01-02T00:00:00.5Z", b"1970-01-02 00:00:01", b"86400.25", b"3", b"1.2.3", b"yesterday"];
        let rows = ["86400500000000", "86401000000000", "86400250000000", "3000000000"].map(String::from).to_vec();
        assert_eq!(decode(settings(fields), &lines), (rows, 2));
    }

    #[test]
    fn settings_that_cannot_work_name_the_option() {
        let input = Schema::new(vec![Field::new("line", "", FieldType::Text { max: 80 })]).unwrap();
        let far = DelimitedField { index: Some(81), ..field("t", DelimitedKind::F64) };
        for (settings, key) in [
            (DelimitedSettings { separator: '\u{e9}', ..settings(three()) }, "separator"),
            (DelimitedSettings { separator: '"', ..settings(three()) }, "separator"),
            (DelimitedSettings { skip_others: true, ..settings(three()) }, "skip_others"),
            (settings(vec![]), "field"),
            (settings(vec![far]), "index"),
        ] {
            let error = Delimited::new(settings).plan(&[Input { name: "wx", schema: &input, rate: 1.0 }]).unwrap_err();
            assert_eq!(error.key, Some(key));
        }
    }
}
