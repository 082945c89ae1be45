//! Looks into the recorded files, as a reader would who does not trust the recorder.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// What a CSV file of ours holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Sequence numbers of the first and last row; `None` for no row.
    pub range: Option<(u64, u64)>,
    /// The first place where the sequence is broken: line number, number found, number expected.
    pub broken: Option<(u64, u64, u64)>,
}

impl Rows {
    /// How many rows there are, if the sequence is whole.
    pub fn count(&self) -> u64 {
        self.range.map_or(0, |(first, last)| last + 1 - first)
    }
}

/// Reads a file and checks that its first column counts up by one from row to row.
///
/// # Errors
/// If the file cannot be read, or a row does not begin with a number.
pub fn check_rows(path: &Path) -> io::Result<Rows> {
    let mut rows = Rows { range: None, broken: None };
    for (line, text) in (1..).zip(BufReader::new(File::open(path)?).lines()).skip(1) {
        let text = text?;
        let number = text.split(',').next().and_then(|column| column.parse::<u64>().ok());
        let number = number.ok_or_else(|| {
            let message = format!("{}:{line}: the row has no sequence number", path.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        let (first, expected) = rows.range.map_or((number, number), |(first, last)| (first, last + 1));
        if number != expected && rows.broken.is_none() {
            rows.broken = Some((line, number, expected));
        }
        rows.range = Some((first, number));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Rows {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.csv");
        std::fs::write(&path, text).unwrap();
        check_rows(&path).unwrap()
    }

    #[test]
    fn a_gap_and_a_repeat_are_found() {
        assert_eq!(check("seq,x\n1,a\n2,b\n3,c\n"), Rows { range: Some((1, 3)), broken: None });
        assert_eq!(check("seq,x\n1,a\n3,c\n").broken, Some((3, 3, 2)));
        assert_eq!(check("seq,x\n1,a\n1,a\n").broken, Some((3, 1, 2)));
        assert_eq!(check("seq,x\n").count(), 0);
    }
}
