//! What a check found.

use serde::Serialize;

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It could not be looked at.
    Unknown,
    /// Could be better; matters to some.
    Note,
    /// Will cost data or time sooner or later.
    Warning,
    /// It cannot work like this.
    Fault,
}

impl Level {
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

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How grave it is.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// Why it matters; empty where all is well.
    pub why: String,
    /// The command, or the line, that mends it; empty where nothing is to be mended.
    pub mend: String,
}

impl Finding {
    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, found: found.into(), why: String::new(), mend: String::new() }
    }

    pub(super) fn unknown(check: &'static str, found: impl Into<String>) -> Self {
        Self { level: Level::Unknown, ..Self::ok(check, found) }
    }

    pub(super) fn new(
        check: &'static str,
        level: Level,
        found: impl Into<String>,
        why: &str,
        mend: impl Into<String>,
    ) -> Self {
        Self { check, level, found: found.into(), why: why.to_owned(), mend: mend.into() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::doctor::Patient;

    /// Files of some other machine.
    pub(in crate::doctor) struct Tree(tempfile::TempDir);

    impl Tree {
        pub(in crate::doctor) fn new(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = dir.path().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Self(dir)
        }

        pub(in crate::doctor) fn patient(&self) -> Patient {
            let (ports, directories) = (Vec::new(), Vec::new());
            Patient { root: self.0.path().to_owned(), ports, directories, wants_realtime: false }
        }
    }
}
