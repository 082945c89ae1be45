//! Bytes in, requests out.

/// Cuts what a client sends into requests, and never holds more than one of them and what was pushed last.
#[derive(Debug)]
pub(super) struct Lines {
    limit: usize,
    bytes: Vec<u8>,
    /// So many of them hold no newline: a long request that comes in small pieces is looked through once.
    searched: usize,
}

/// What the bytes so far amount to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The start of a request at most.
    Nothing,
    /// A whole request, without its newline.
    Request(String),
    /// More than a request may have. What follows has no borders any more.
    TooLong,
    /// A line that is no UTF-8.
    NotText,
}

impl Lines {
    /// Requests have at most `limit` bytes, the newline not counted.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, bytes: Vec::new(), searched: 0 }
    }

    /// Takes in what came. Memory is bounded only if this is not called while [`Self::is_due`].
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether [`Self::cut`] has something to say.
    pub(super) fn is_due(&mut self) -> bool {
        self.end().is_some() || self.bytes.len() > self.limit
    }

    /// Takes out what comes first.
    pub(super) fn cut(&mut self) -> Cut {
        let end = self.end();
        if end.unwrap_or(self.bytes.len()) > self.limit {
            return Cut::TooLong;
        }
        let Some(end) = end else { return Cut::Nothing };
        let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
        self.searched = 0;
        line.pop();
        String::from_utf8(line).map_or(Cut::NotText, Cut::Request)
    }

    /// Where the first newline is.
    fn end(&mut self) -> Option<usize> {
        let end = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n').map(|at| at + self.searched);
        self.searched = end.unwrap_or(self.bytes.len());
        end
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 8;

    /// Everything up to the first thing that is no request, as the server takes it: nothing is pushed while something is due.
    fn fed(chunks: &[&[u8]]) -> Vec<Cut> {
        let mut lines = Lines::new(LIMIT);
        let mut seen = Vec::new();
        for chunk in chunks {
            lines.push(chunk);
            assert!(lines.held() <= LIMIT + chunk.len());
            while lines.is_due() {
                seen.push(lines.cut());
                if !matches!(seen.last(), Some(Cut::Request(_))) {
                    return seen;
                }
            }
            assert_eq!(lines.cut(), Cut::Nothing);
        }
        seen
    }

    /// The same, said as simply as possible.
    fn expected(bytes: &[u8]) -> Vec<Cut> {
        let mut seen = Vec::new();
        let mut parts = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(line) = parts.next() {
            let is_last = parts.peek().is_none();
            match std::str::from_utf8(line) {
                _ if line.len() > LIMIT => seen.push(Cut::TooLong),
                _ if is_last => {}
                Ok(text) => seen.push(Cut::Request(text.to_owned())),
                Err(_) => seen.push(Cut::NotText),
            }
            if !matches!(seen.last(), None | Some(Cut::Request(_))) {
                break;
            }
        }
        seen
    }

    fn chunks<'b>(mut bytes: &'b [u8], sizes: &[usize]) -> Vec<&'b [u8]> {
        let mut all = Vec::new();
        for size in sizes {
            let (chunk, rest) = bytes.split_at((*size).min(bytes.len()));
            all.push(chunk);
            bytes = rest;
        }
        all.push(bytes);
        all
    }

    #[test]
    fn the_limit_is_exact() {
        assert_eq!(fed(&[b"12345678\n"]), [Cut::Request("12345678".into())]);
        assert_eq!(fed(&[b"123456789\n"]), [Cut::TooLong]);
        assert_eq!(fed(&[b"12345678"]), []);
        assert_eq!(fed(&[b"12345678", b"9"]), [Cut::TooLong]);
    }

    fn mostly_lines() -> impl Strategy<Value = Vec<u8>> {
        let byte =
            prop_oneof![6 => b'a'..=b'c', 2 => Just(b'\n'), 1 => Just(0xc3_u8), 1 => Just(0xa9_u8), 1 => any::<u8>()];
        proptest::collection::vec(byte, 0..64)
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_requests(bytes in mostly_lines(), sizes in proptest::collection::vec(0..12_usize, 0..32)) {
            prop_assert_eq!(fed(&chunks(&bytes, &sizes)), expected(&bytes));
        }
    }

    #[test]
    fn a_hundred_thousand_random_strings_are_cut_as_they_should() {
        let mut random = 88_172_645_463_325_252_u64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        for _ in 0..100_000 {
            let words: Vec<u64> = (0..next() % 6).map(|_| next()).collect();
            let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            // Random bytes alone are nearly never a line, nor text.
            for byte in &mut bytes {
                *byte = if next() % 5 == 0 { b'\n' } else { *byte & 0x7f | (u8::from(next() % 16 == 0) << 7) };
            }
            let sizes: Vec<usize> = (0..4).map(|_| usize::try_from(next() % 16).unwrap()).collect();
            assert_eq!(fed(&chunks(&bytes, &sizes)), expected(&bytes), "{bytes:?} in {sizes:?}");
        }
    }
}
