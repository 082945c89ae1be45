//! How values and times are written as text, the same in every sink. Appends to a buffer, allocates nothing of its own.

use std::io::Write;

use super::calendar::Moment;

/// Writing into a `Vec` cannot fail.
const INFALLIBLE: &str = "a Vec takes every byte";

/// UTC nanoseconds as RFC 3339 with nine decimals: `2026-01-31T12:00:00.000000001Z`.
pub(super) fn push_utc(buffer: &mut Vec<u8>, utc_ns: i64) {
    let Moment { year, month, day, hour, minute, second, nanosecond } = Moment::from_utc_ns(utc_ns);
    write!(buffer, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanosecond:09}Z")
        .expect(INFALLIBLE);
}

/// Nanoseconds as seconds with nine decimals: exact, where a float would lose digits after 104 days.
pub(super) fn push_seconds(buffer: &mut Vec<u8>, ns: u64) {
    write!(buffer, "{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000).expect(INFALLIBLE);
}

/// The shortest decimal that reads back as the same float; with an exponent where it would be long. Infinities
/// are `inf` and `-inf`, as C, Python and Rust read them.
pub(super) fn push_f64(buffer: &mut Vec<u8>, value: f64) {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() || (1e-5..1e16).contains(&size) {
        write!(buffer, "{value}").expect(INFALLIBLE);
    } else {
        write!(buffer, "{value:e}").expect(INFALLIBLE);
    }
}

/// A whole number.
pub(super) fn push_i64(buffer: &mut Vec<u8>, value: i64) {
    write!(buffer, "{value}").expect(INFALLIBLE);
}

/// A whole number that has no sign.
pub(super) fn push_u64(buffer: &mut Vec<u8>, value: u64) {
    write!(buffer, "{value}").expect(INFALLIBLE);
}

/// `true` or `false`.
pub(super) fn push_bool(buffer: &mut Vec<u8>, value: bool) {
    buffer.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Two lower-case hexadecimal digits a byte.
pub(super) fn push_hex(buffer: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            buffer.push(b"0123456789abcdef"[usize::from(digit)]);
        }
    }
}

/// A JSON string with its quotes, every character escaped that must be (RFC 8259).
pub(super) fn push_json_string(buffer: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(buffer, text).expect(INFALLIBLE);
}

/// Text in quotes with control characters escaped, so that nothing a device sends can steer a terminal.
pub(super) fn push_quoted(buffer: &mut Vec<u8>, text: &str) {
    write!(buffer, "{text:?}").expect(INFALLIBLE);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn f64_text(value: f64) -> String {
        let mut buffer = Vec::new();
        push_f64(&mut buffer, value);
        String::from_utf8(buffer).unwrap()
    }

    proptest! {
        #[test]
        fn a_float_reads_back_as_itself(value in prop::num::f64::ANY.prop_filter("a number", |value| !value.is_nan())) {
            let text = f64_text(value);
            prop_assert!(text.len() <= 24, "{text}");
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }

    #[test]
    fn usual_floats_are_written_as_people_write_them() {
        let texts = [21.5, -0.25, 3.0, 1e-4, 1e300, 1.5e-7, f64::NEG_INFINITY].map(f64_text);
        assert_eq!(texts, ["21.5", "-0.25", "3", "0.0001", "1e300", "1.5e-7", "-inf"]);
    }

    #[test]
    fn seconds_keep_every_nanosecond() {
        let mut buffer = Vec::new();
        push_seconds(&mut buffer, u64::MAX);
        buffer.push(b' ');
        push_seconds(&mut buffer, 1);
        buffer.push(b' ');
        push_utc(&mut buffer, 1_767_182_400_000_000_001);
        assert_eq!(buffer, *b"18446744073.709551615 0.000000001 2025-12-31T12:00:00.000000001Z");
    }

    #[test]
    fn bytes_are_hexadecimal() {
        let mut buffer = Vec::new();
        push_hex(&mut buffer, &[0x00, 0xA5, 0xFF]);
        assert_eq!(buffer, *b"00a5ff");
    }
}
