//! What single values may be.

use std::time::Duration;

use toml::de::DeValue;

use crate::ring::Wait;

/// A value of a configuration, read with an eye on what people write by mistake.
pub(super) trait FromValue: Sized {
    /// What is expected, to complete `expected ...`.
    fn expected() -> String;
    /// The value, if it is one.
    fn from_value(value: &DeValue<'_>) -> Option<Self>;
}

/// What was found, in words.
pub(super) fn found(value: &DeValue<'_>) -> String {
    let cut = |text: &str| text.chars().take(40).collect::<String>();
    match value {
        DeValue::String(text) => format!("the text \"{}\"", cut(text)),
        DeValue::Integer(number) => format!("the whole number {}", cut(number.as_str())),
        DeValue::Float(number) => format!("the number {}", cut(number.as_str())),
        DeValue::Boolean(value) => format!("{value}"),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

/// A whole number of the file.
pub(super) fn integer(value: &DeValue<'_>) -> Option<i128> {
    let number = value.as_integer()?;
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}

macro_rules! whole_numbers {
    ($($type:ty),*) => { $(
        impl FromValue for $type {
            fn expected() -> String {
                format!("a whole number from {} to {}, without quotes", <$type>::MIN, <$type>::MAX)
            }
            fn from_value(value: &DeValue<'_>) -> Option<Self> {
                integer(value).and_then(|number| <$type>::try_from(number).ok())
            }
        }
    )* };
}

whole_numbers!(u8, u16, u32, u64, usize);

impl FromValue for f64 {
    fn expected() -> String {
        "a number, without quotes".into()
    }

    fn from_value(value: &DeValue<'_>) -> Option<Self> {
        let text = match value {
            DeValue::Float(number) => number.as_str(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            _ => return None,
        };
        text.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

impl FromValue for bool {
    fn expected() -> String {
        "true or false, without quotes".into()
    }

    fn from_value(value: &DeValue<'_>) -> Option<Self> {
        value.as_bool()
    }
}

impl FromValue for String {
    fn expected() -> String {
        "a text in quotes".into()
    }

    fn from_value(value: &DeValue<'_>) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl FromValue for char {
    fn expected() -> String {
        "one character in quotes".into()
    }

    fn from_value(value: &DeValue<'_>) -> Option<Self> {
        let mut characters = value.as_str()?.chars();
        characters.next().filter(|_| characters.next().is_none())
    }
}

impl FromValue for Duration {
    fn expected() -> String {
        "a time with its unit in quotes, such as \"500ms\", \"10s\" or \"1h 30m\"".into()
    }

    fn from_value(value: &DeValue<'_>) -> Option<Self> {
        humantime::parse_duration(value.as_str()?).ok()
    }
}

impl FromValue for Wait {
    fn expected() -> String {
        "\"sleep\", \"busy\", or a time to look before sleeping, such as \"20us\"".into()
    }

    fn from_value(value: &DeValue<'_>) -> Option<Self> {
        match value.as_str()? {
            "sleep" => Some(Self::Sleep),
            "busy" => Some(Self::Busy),
            time => humantime::parse_duration(time).ok().map(Self::SpinThenSleep),
        }
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) u64);

impl FromValue for Bytes {
    fn expected() -> String {
        "a size with its unit in quotes, such as \"64KiB\", \"10MB\" or \"1GB\"".into()
    }

    fn from_value(value: &DeValue<'_>) -> Option<Self> {
        let text = value.as_str()?.trim();
        let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..digits].parse().ok()?;
        let unit: u64 = match text[digits..].trim() {
            "B" => 1,
            "kB" | "KB" => 1000,
            "KiB" => 1 << 10,
            "MB" => 1_000_000,
            "MiB" => 1 << 20,
            "GB" => 1_000_000_000,
            "GiB" => 1 << 30,
            _ => return None,
        };
        number.checked_mul(unit).map(Self)
    }
}

/// Bytes written as pairs of hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hex(pub(super) Vec<u8>);

impl FromValue for Hex {
    fn expected() -> String {
        "bytes as hexadecimal digits in quotes, such as \"AA 55\"".into()
    }

    fn from_value(value: &DeValue<'_>) -> Option<Self> {
        let digits: Vec<u8> = value.as_str()?.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let whole = digits.len() % 2 == 0 && digits.iter().all(u8::is_ascii_hexdigit);
        digits.chunks(2).map(pair).collect::<Option<Vec<u8>>>().filter(|_| whole).map(Self)
    }
}
