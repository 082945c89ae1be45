//! A message as a line for people.

use std::fmt;

use super::{Record, Value};

impl fmt::Display for Record<'_> {
    /// `#7 n=5 name="x" raw=00ff`: the sequence number, then every field that is there. Text is quoted and escaped, so that
    /// nothing a device sends can steer a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.header().seq)?;
        for (index, field) in self.schema().fields().iter().enumerate() {
            match self.value(index) {
                Value::Missing => continue,
                Value::F64(value) => write!(f, " {}={value}", field.name)?,
                Value::I64(value) | Value::Time(value) => write!(f, " {}={value}", field.name)?,
                Value::Bool(value) => write!(f, " {}={value}", field.name)?,
                Value::Text(text) => write!(f, " {}={text:?}", field.name)?,
                Value::Bytes(bytes) => {
                    write!(f, " {}=", field.name)?;
                    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                }
            }
            f.write_str(&field.unit)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::message::{Field, FieldType, Header, Record, RecordMut, Schema};

    #[test]
    fn a_message_is_one_line() {
        let fields = vec![
            Field::new("speed", "m/s", FieldType::F64),
            Field::new("missing", "", FieldType::I64),
            Field::new("raw", "", FieldType::Bytes { max: 8 }),
            Field::new("line", "", FieldType::Text { max: 16 }),
        ];
        let schema = Schema::new(fields).unwrap();
        let (mut header, mut payload) = (Header { seq: 7, ..Header::default() }, vec![0; schema.payload_size()]);
        let mut record = RecordMut::new(&schema, &mut header, &mut payload);
        record.clear();
        record.set_f64(0, 1.5);
        record.set_bytes(2, &[0, 255]);
        record.set_text(3, "a\u{1b}[2J");
        let shown = Record::new(&schema, &header, &payload).to_string();
        assert_eq!(shown, "#7 speed=1.5m/s raw=00ff line=\"a\\u{1b}[2J\"");
    }
}
