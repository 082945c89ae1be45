//! Numbers as people read them.

/// Nanoseconds with a unit that leaves at most four digits: `850 ns`, `12 us`, `3.4 ms`, `2.1 s`.
pub fn nanos(nanoseconds: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let value = nanoseconds as f64;
    match nanoseconds {
        0 => "-".into(),
        1..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => scaled(value / 1e3, "us"),
        1_000_000..1_000_000_000 => scaled(value / 1e6, "ms"),
        _ => scaled(value / 1e9, "s"),
    }
}

/// Bytes with a binary unit.
pub fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let value = count as f64;
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => scaled(value / 1024.0, "KiB"),
        1_048_576..1_073_741_824 => scaled(value / 1_048_576.0, "MiB"),
        _ => scaled(value / 1_073_741_824.0, "GiB"),
    }
}

/// A rate.
pub fn per_second(rate: f64) -> String {
    if rate >= 100.0 { format!("{rate:.0}") } else { format!("{rate:.1}") }
}

/// A count with thousands apart: `12 345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(" ")
}

fn scaled(value: f64, unit: &str) -> String {
    if value >= 9.95 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_few_digits() {
        let shown = [0, 850, 1_500, 12_345, 999_999, 3_400_000, 2_100_000_000].map(nanos);
        assert_eq!(shown, ["-", "850 ns", "1.5 us", "12 us", "1000 us", "3.4 ms", "2.1 s"]);
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1 000", "1 234 567"]);
    }

    #[test]
    fn bytes_have_binary_units() {
        assert_eq!([10, 2_048, 30_000_000].map(bytes), ["10 B", "2.0 KiB", "29 MiB"]);
    }
}
