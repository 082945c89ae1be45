//! Bytes as people type them.

/// The bytes that `text` means: with `hex` pairs of hexadecimal digits (`02 41 03`), else text in which `\r`, `\n`, `\t`, `\0`, `\\` and
/// `\xNN` stand for what they do in C.
pub(super) fn bytes_of(text: &str, hex: bool) -> Result<Vec<u8>, String> {
    if hex {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let pairs = digits.chunks(2).map(|pair| pair_of(pair).ok_or("pairs of hexadecimal digits: 02 41 03"));
        return Ok(pairs.collect::<Result<_, _>>()?);
    }
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let [kind, tail @ ..] = rest else { return Err("a \\ at the end: for the character itself write \\\\".into()) };
        rest = tail;
        bytes.push(match kind {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' if rest.len() >= 2 => {
                let (digits, tail) = rest.split_at(2);
                rest = tail;
                pair_of(digits).ok_or("\\x wants two hexadecimal digits, such as \\x02")?
            }
            _ => return Err("after \\ comes one of r n t 0 \\ or xNN".into()),
        });
    }
    Ok(bytes)
}

fn pair_of(digits: &[u8]) -> Option<u8> {
    let whole = digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit);
    whole.then(|| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_c() {
        assert_eq!(bytes_of(r"AT\r\n\x02\\", false).unwrap(), b"AT\r\n\x02\\");
        assert_eq!(bytes_of("02 4a FF", true).unwrap(), [2, 0x4A, 0xFF]);
        for (text, hex) in [("\\", false), ("\\q", false), ("\\x1", false), ("\\x+1", false), ("1", true), ("zz", true)]
        {
            assert!(bytes_of(text, hex).is_err(), "{text}");
        }
    }
}
