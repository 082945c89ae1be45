//! What a check found, how bad that is, and what mends it.

/// How bad a finding is; the worse the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// This machine or this user's rights do not let one look. Never taken for [`Level::Ok`].
    Unknown,
    /// It works; it could be better.
    Note,
    /// It works now, but data or deadlines are at risk.
    Warning,
    /// It will not work.
    Fault,
}

impl Level {
    /// All of them, best first.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Unknown, Self::Note, Self::Warning, Self::Fault];

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check's name: the same word for the same check on every machine.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What is the case, in one sentence.
    pub found: String,
    /// Why that matters.
    pub why: &'static str,
    /// Commands or lines for a file that mend it, as they are to be typed; what follows a `#` is for the reader. Never empty
    /// from [`Level::Warning`] on.
    pub mend: String,
}

impl Finding {
    /// A finding that nothing is to be done about.
    pub(super) fn new(check: &'static str, level: Level, found: impl Into<String>, why: &'static str) -> Self {
        Self { check, level, found: found.into(), why, mend: String::new() }
    }

    /// With what mends it.
    pub(super) fn mend(self, mend: impl Into<String>) -> Self {
        Self { mend: mend.into(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_levels_is_in_order() {
        assert!(Level::ALL.is_sorted());
    }
}
