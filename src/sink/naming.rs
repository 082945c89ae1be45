//! What files are called and when the next one begins.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use super::calendar::{DAY, Moment};
use super::fault::explain;
use super::part::Part;
use crate::pipeline::PlanError;

/// A piece of a path template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Input,
    Date,
    Time,
}

/// The path template and the limits of a part.
#[derive(Clone, Debug)]
pub(super) struct Naming {
    pieces: Vec<Piece>,
    size: Option<u64>,
    every_ns: Option<i64>,
}

/// Room in a path for the number that keeps it apart from an earlier file: `-999999`.
const NUMBER_ROOM: usize = 7;

impl Naming {
    /// Reads the template; see [`CsvOptions`](super::CsvOptions) for what it may hold.
    ///
    /// # Errors
    /// An unknown placeholder, an open brace, no file name; a limit of zero.
    pub(super) fn new(template: &str, size: Option<u64>, every: Option<Duration>) -> Result<Self, PlanError> {
        if size == Some(0) {
            return Err(PlanError::key("rotate_size", "must be 1 byte or more"));
        }
        let every_ns = match every {
            None => None,
            Some(every) => {
                Some(i64::try_from(every.as_nanos()).ok().filter(|every| *every > 0).ok_or_else(|| {
                    PlanError::key("rotate_every", "must be longer than 0 and shorter than 292 years")
                })?)
            }
        };
        Ok(Self { pieces: parse(template)?, size, every_ns })
    }

    /// Whether each input gets its own file.
    pub(super) fn is_per_input(&self) -> bool {
        self.pieces.contains(&Piece::Input)
    }

    /// The path without a number, for a part of `input` that begins at `utc_ns`.
    pub(super) fn expand(&self, input: &str, utc_ns: i64) -> String {
        let Moment { year, month, day, hour, minute, second, .. } = Moment::from_utc_ns(utc_ns);
        let expand = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Input => input.into(),
            Piece::Date => format!("{year:04}-{month:02}-{day:02}"),
            Piece::Time => format!("{hour:02}{minute:02}{second:02}"),
        };
        self.pieces.iter().map(expand).collect()
    }

    /// Checks that the state can hold every path of `input`.
    ///
    /// # Errors
    /// The name cannot be part of a path, or the path is too long.
    pub(super) fn check(&self, input: &str) -> Result<(), PlanError> {
        if self.is_per_input() && input.contains(['/', '\0']) {
            return Err(PlanError::input(format!("`{input}` cannot be part of a file's name; rename the node")));
        }
        let path = self.expand(input, 0);
        let most = Part::MAX_PATH - NUMBER_ROOM;
        if path.len() > most {
            return Err(PlanError::key("path", format!("`{path}` is longer than {most} bytes")));
        }
        Ok(())
    }

    /// Whether a message of `utc_ns` belongs to a part after `part`, to which `pending` bytes are about to be added.
    ///
    /// A message that is late by up to one day or period (inputs overtake each other) still goes into the open part; one
    /// further back means that the clock was set.
    pub(super) fn is_due(&self, part: &Part, pending: usize, utc_ns: i64) -> bool {
        let (day, period) = self.times(utc_ns);
        let beyond = |now: i64, open: i64| now > open || now < open.saturating_sub(1);
        let full = self.size.is_some_and(|size| part.length + pending as u64 >= size);
        full || beyond(day, part.day) || beyond(period, part.period)
    }

    /// Day and rotation period of a moment, 0 where they do not matter.
    pub(super) fn times(&self, utc_ns: i64) -> (i64, i64) {
        let day = if self.pieces.contains(&Piece::Date) { utc_ns.div_euclid(DAY) } else { 0 };
        (day, self.every_ns.map_or(0, |every| utc_ns.div_euclid(every)))
    }
}

fn parse(template: &str) -> Result<Vec<Piece>, PlanError> {
    let wrong = |message: String| PlanError::key("path", message);
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        let Some(length) = rest[start..].find('}') else {
            return Err(wrong(format!("`{template}`: a `{{` is not closed")));
        };
        pieces.push(Piece::Literal(rest[..start].into()));
        pieces.push(match &rest[start + 1..start + length] {
            "input" => Piece::Input,
            "date" => Piece::Date,
            "time" => Piece::Time,
            other => {
                let known = "{input}, {date} (UTC, 2026-01-31) and {time} (UTC, 235959)";
                return Err(wrong(format!("`{template}`: {{{other}}} is unknown; there are {known}")));
            }
        });
        rest = &rest[start + length + 1..];
    }
    pieces.push(Piece::Literal(rest.into()));
    if template.is_empty() || template.ends_with('/') || template.contains('\0') {
        return Err(wrong(format!("`{template}` names no file")));
    }
    Ok(pieces)
}

/// `path` with `-number` before its extension; number 1 is the path itself.
pub(super) fn numbered(path: &str, number: u64) -> String {
    if number <= 1 {
        return path.into();
    }
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    // A dot that begins the name hides the file; it begins no extension.
    match path[name..].rfind('.') {
        Some(dot) if dot > 0 => format!("{}-{number}{}", &path[..name + dot], &path[name + dot..]),
        _ => format!("{path}-{number}"),
    }
}

/// The first number from `first` on whose path does not exist.
///
/// # Errors
/// The system cannot tell, or the path has become too long.
pub(super) fn free(path: &str, first: u64) -> io::Result<(String, u64)> {
    let mut number = first.max(1);
    loop {
        let candidate = numbered(path, number);
        match Path::new(&candidate).symlink_metadata() {
            Ok(_) => number += 1,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((candidate, number)),
            Err(error) => return Err(explain("look for", Path::new(&candidate), &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(template: &str) -> Naming {
        Naming::new(template, None, Some(Duration::from_secs(3600))).unwrap()
    }

    #[test]
    fn placeholders_are_filled_in() {
        let at = 1_767_225_599_000_000_000;
        assert_eq!(naming("d/{input}-{date}T{time}Z.csv").expand("gps", at), "d/gps-2025-12-31T235959Z.csv");
        assert_eq!(naming("plain").expand("gps", at), "plain");
    }

    #[test]
    fn a_template_that_makes_no_sense_is_refused() {
        let refused = |template| Naming::new(template, None, None).unwrap_err().message;
        assert!(refused("{node}.csv").contains("{node} is unknown; there are {input}"));
        assert!(refused("{date.csv").contains("not closed"));
        assert!(refused("data/").contains("names no file"));
        let zero = Naming::new("a", Some(0), None).unwrap_err();
        assert_eq!(zero.key, Some("rotate_size"));
        let zero = Naming::new("a", None, Some(Duration::ZERO)).unwrap_err();
        assert_eq!(zero.key, Some("rotate_every"));
        assert!(naming(&"x".repeat(250)).check("a").is_err());
        assert!(naming("{input}").check("a/b").is_err());
    }

    #[test]
    fn the_number_goes_before_the_extension() {
        assert_eq!(numbered("d.x/gps.csv", 2), "d.x/gps-2.csv");
        assert_eq!(numbered("d.x/gps", 3), "d.x/gps-3");
        assert_eq!(numbered(".hidden", 4), ".hidden-4");
        assert_eq!(numbered("gps.csv", 1), "gps.csv");
    }

    #[test]
    fn a_late_message_does_not_turn_the_page_back() {
        let naming = naming("{date}.csv");
        let hour = 3_600_000_000_000;
        let (day, period) = naming.times(48 * hour);
        let part = Part::named("x", 1, day, period);
        let due = |utc_ns| naming.is_due(&part, 0, utc_ns);
        assert!(!due(48 * hour) && !due(49 * hour - 1) && !due(48 * hour - 1));
        assert!(due(49 * hour), "the next hour");
        assert!(due(40 * hour), "the clock was set back");
    }
}
