//! Serial Line IP's framing, RFC 1055: END ends a frame, ESC stands before a replacement of END and of itself.
//!
//! Unlike the sample code of the RFC, an ESC before anything else makes the frame invalid: a
//! measurement is better refused than guessed.

/// Ends a frame; senders put it in front too, which flushes line noise.
pub(super) const END: u8 = 0xC0;
const ESC: u8 = 0xDB;
const ESC_END: u8 = 0xDC;
const ESC_ESC: u8 = 0xDD;

/// Appends `frame` encoded, with END behind it.
pub fn slip_encode(frame: &[u8], out: &mut Vec<u8>) {
    for &byte in frame {
        match byte {
            END => out.extend_from_slice(&[ESC, ESC_END]),
            ESC => out.extend_from_slice(&[ESC, ESC_ESC]),
            _ => out.push(byte),
        }
    }
    out.push(END);
}

/// Decodes in place what stood before END; the length, or `None` if an escape is none of RFC 1055's.
pub(super) fn decode(bytes: &mut [u8]) -> Option<usize> {
    let (mut from, mut to) = (0, 0);
    while from < bytes.len() {
        bytes[to] = match bytes[from] {
            ESC => {
                from += 1;
                match bytes.get(from) {
                    Some(&ESC_END) => END,
                    Some(&ESC_ESC) => ESC,
                    _ => return None,
                }
            }
            byte => byte,
        };
        from += 1;
        to += 1;
    }
    Some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_and_escape_travel_in_disguise() {
        let mut wire = Vec::new();
        slip_encode(&[1, END, 2, ESC, 3], &mut wire);
        assert_eq!(wire, [1, 0xDB, 0xDC, 2, 0xDB, 0xDD, 3, 0xC0]);
        wire.pop();
        let len = decode(&mut wire).unwrap();
        assert_eq!(wire[..len], [1, END, 2, ESC, 3]);
    }

    #[test]
    fn an_escape_of_something_else_is_refused() {
        assert_eq!(decode(&mut [1, ESC, 2]), None);
        assert_eq!(decode(&mut [1, ESC]), None);
    }
}
