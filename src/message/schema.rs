//! Names, units and types of the fields on an edge.

use std::fmt;

/// How one field is stored in the payload.
///
/// Every field starts at a multiple of eight bytes. A value that was not there (an empty NMEA
/// field, a gap) is *missing*: NaN for `F64`, `i64::MIN` for `I64`, `Time` and `Bool`, length 0 for
/// `Text` and `Bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// A 64-bit float.
    F64,
    /// A signed 64-bit integer.
    I64,
    /// False or true, stored as the integers 0 and 1.
    Bool,
    /// UTC in nanoseconds since 1970.
    Time,
    /// UTF-8 text of at most `max` bytes.
    Text {
        /// Most bytes it can hold.
        max: u16,
    },
    /// Raw bytes, at most `max`.
    Bytes {
        /// Most bytes it can hold.
        max: u16,
    },
}

impl FieldType {
    /// Bytes it takes in the payload, a multiple of eight.
    ///
    /// `Text` and `Bytes` are a two-byte length followed by the content.
    pub const fn stored_size(self) -> usize {
        match self {
            Self::F64 | Self::I64 | Self::Bool | Self::Time => 8,
            Self::Text { max } | Self::Bytes { max } => (2 + max as usize).next_multiple_of(8),
        }
    }

    /// Whether [`Record::f64`](super::Record::f64) makes sense of it.
    pub const fn is_numeric(self) -> bool {
        matches!(self, Self::F64 | Self::I64 | Self::Bool)
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::F64 => f.write_str("f64"),
            Self::I64 => f.write_str("i64"),
            Self::Bool => f.write_str("bool"),
            Self::Time => f.write_str("time"),
            Self::Text { max } => write!(f, "text[{max}]"),
            Self::Bytes { max } => write!(f, "bytes[{max}]"),
        }
    }
}

/// One named value of a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Name, unique in its schema.
    pub name: String,
    /// Unit as people write it (`m/s`, `degC`), empty where there is none.
    pub unit: String,
    /// How it is stored.
    pub kind: FieldType,
}

impl Field {
    /// A field of that name, unit (empty for none) and type.
    pub fn new(name: impl Into<String>, unit: impl Into<String>, kind: FieldType) -> Self {
        Self { name: name.into(), unit: unit.into(), kind }
    }
}

/// What is wrong with a list of fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// Two fields carry one name.
    #[error("two fields are called `{0}`; give each its own name")]
    DuplicateField(String),
    /// A field has no name.
    #[error("field {0} has no name")]
    EmptyName(usize),
    /// The message would be larger than a slot can be.
    #[error("a message of {size} bytes does not fit into a slot (at most {max} bytes)")]
    TooLarge {
        /// Bytes the fields take.
        size: usize,
        /// The limit.
        max: usize,
    },
}

/// The fields of a message, in order, with the place of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    fields: Vec<Field>,
    offsets: Vec<usize>,
    payload_size: usize,
}

impl Schema {
    /// Largest payload; keeps a slot below one huge page and a length in `u16` sound.
    pub const MAX_PAYLOAD: usize = 64 * 1024;

    /// Lays the fields out in the order given.
    ///
    /// # Errors
    /// Names must be there and differ, and the payload must stay within [`Self::MAX_PAYLOAD`].
    pub fn new(fields: Vec<Field>) -> Result<Self, SchemaError> {
        let mut offsets = Vec::with_capacity(fields.len());
        let mut payload_size = 0;
        for (index, field) in fields.iter().enumerate() {
            if field.name.is_empty() {
                return Err(SchemaError::EmptyName(index));
            }
            if fields[..index].iter().any(|earlier| earlier.name == field.name) {
                return Err(SchemaError::DuplicateField(field.name.clone()));
            }
            offsets.push(payload_size);
            payload_size += field.kind.stored_size();
        }
        if payload_size > Self::MAX_PAYLOAD {
            return Err(SchemaError::TooLarge { size: payload_size, max: Self::MAX_PAYLOAD });
        }
        Ok(Self { fields, offsets, payload_size })
    }

    /// The fields in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Index of the field of that name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// Bytes of one payload, a multiple of eight.
    pub fn payload_size(&self) -> usize {
        self.payload_size
    }

    /// Byte offset of field `index` in the payload.
    ///
    /// # Panics
    /// If there is no such field.
    pub(super) fn offset(&self, index: usize) -> usize {
        self.offsets[index]
    }
}

impl fmt::Display for Schema {
    /// `name [unit] type, ...`, as `pinring check` prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, field) in self.fields.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(&field.name)?;
            if !field.unit.is_empty() {
                write!(f, " [{}]", field.unit)?;
            }
            write!(f, " {}", field.kind)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_lie_at_multiples_of_eight() {
        let schema = Schema::new(vec![
            Field::new("a", "", FieldType::Text { max: 7 }),
            Field::new("b", "m", FieldType::F64),
            Field::new("c", "", FieldType::Bytes { max: 6 }),
        ])
        .unwrap();
        assert_eq!([schema.offset(0), schema.offset(1), schema.offset(2)], [0, 16, 24]);
        assert_eq!(schema.payload_size(), 32);
        assert_eq!(schema.to_string(), "a text[7], b [m] f64, c bytes[6]");
    }

    #[test]
    fn equal_names_are_refused() {
        let twice = vec![Field::new("a", "", FieldType::F64), Field::new("a", "", FieldType::I64)];
        assert_eq!(Schema::new(twice), Err(SchemaError::DuplicateField("a".into())));
    }

    #[test]
    fn a_message_larger_than_a_slot_is_refused() {
        let wide = (0..3).map(|i| Field::new(format!("f{i}"), "", FieldType::Bytes { max: u16::MAX })).collect();
        assert!(matches!(Schema::new(wide), Err(SchemaError::TooLarge { .. })));
    }
}
