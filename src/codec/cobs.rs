//! Consistent Overhead Byte Stuffing: frames without a zero byte, ended by one.
//!
//! Cheshire and Baker, *Consistent Overhead Byte Stuffing*, IEEE/ACM Transactions on Networking 7(2), 1999. Each
//! block is a code byte `n` (1 to 255) and `n - 1` bytes that are not zero; a block shorter than 255 stands for its
//! bytes and a zero, except at the end of the frame.

/// Ends a frame.
pub(super) const DELIMITER: u8 = 0;

/// Most bytes that a frame of `len` bytes becomes, without the delimiter.
pub(super) const fn max_encoded(len: usize) -> usize {
    len + len / 254 + 1
}

/// Appends `frame` encoded, with the delimiter behind it.
pub fn cobs_encode(frame: &[u8], out: &mut Vec<u8>) {
    let mut rest = frame;
    loop {
        let run = rest.iter().take(254).take_while(|&&byte| byte != DELIMITER).count();
        out.push(u8::try_from(run + 1).expect("a run has at most 254 bytes"));
        out.extend_from_slice(&rest[..run]);
        // A full block stands for no zero, so nothing must follow it at the end of the frame.
        let is_end = run == rest.len();
        rest = if run == 254 { &rest[run..] } else { rest.get(run + 1..).unwrap_or_default() };
        if is_end {
            break;
        }
        if run == 254 && rest.is_empty() {
            break;
        }
    }
    out.push(DELIMITER);
}

/// Decodes in place what stood before the delimiter; the length, or `None` if a block reaches beyond the end.
pub(super) fn decode(bytes: &mut [u8]) -> Option<usize> {
    let (mut from, mut to) = (0, 0);
    while from < bytes.len() {
        let code = bytes[from];
        let run = usize::from(code).checked_sub(1)?;
        if from + 1 + run > bytes.len() {
            return None;
        }
        bytes.copy_within(from + 1..from + 1 + run, to);
        from += 1 + run;
        to += run;
        if code != 255 && from < bytes.len() {
            bytes[to] = 0;
            to += 1;
        }
    }
    Some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the paper and of Wikipedia's article, which cover every edge of a block.
    #[test]
    fn published_examples_encode_and_decode() {
        let run = |range: std::ops::RangeInclusive<u8>| range.collect::<Vec<_>>();
        let cases: Vec<(Vec<u8>, Vec<u8>)> = vec![
            (vec![], vec![1, 0]),
            (vec![0], vec![1, 1, 0]),
            (vec![0, 0], vec![1, 1, 1, 0]),
            (vec![0, 0x11, 0], vec![1, 2, 0x11, 1, 0]),
            (vec![0x11, 0x22, 0, 0x33], vec![3, 0x11, 0x22, 2, 0x33, 0]),
            (vec![0x11, 0, 0, 0], vec![2, 0x11, 1, 1, 1, 0]),
            (run(1..=254), [vec![255], run(1..=254), vec![0]].concat()),
            (run(0..=254), [vec![1, 255], run(1..=254), vec![0]].concat()),
            (run(1..=255), [vec![255], run(1..=254), vec![2, 255, 0]].concat()),
            ([run(2..=255), vec![0]].concat(), [vec![255], run(2..=255), vec![1, 1, 0]].concat()),
            ([run(3..=255), vec![0, 1]].concat(), [vec![254], run(3..=255), vec![2, 1, 0]].concat()),
        ];
        for (plain, wire) in cases {
            let mut encoded = Vec::new();
            cobs_encode(&plain, &mut encoded);
            assert_eq!(encoded, wire, "encoding {plain:?}");
            assert!(encoded.len() <= max_encoded(plain.len()) + 1);
            encoded.pop();
            let len = decode(&mut encoded).unwrap();
            assert_eq!(encoded[..len], plain);
        }
    }

    #[test]
    fn a_block_beyond_the_end_is_refused() {
        assert_eq!(decode(&mut [5, 1, 2]), None);
        assert_eq!(decode(&mut [2, 1, 0]), None, "a zero cannot be a code");
    }
}
