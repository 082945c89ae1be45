//! Reading the small files that a kernel answers with.

use std::fs;
use std::path::{Path, PathBuf};

/// The text of `path` below `root`, without the blanks around it; `None` if it cannot be read or is empty.
pub(super) fn text(root: &Path, path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(root.join(path)).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The number that is all `path` holds.
pub(super) fn number<N: std::str::FromStr>(root: &Path, path: impl AsRef<Path>) -> Option<N> {
    text(root, path)?.parse().ok()
}

/// What is in the folder `path` below `root`, by name; nothing if there is no such folder.
pub(super) fn entries(root: &Path, path: impl AsRef<Path>) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(root.join(path)).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// The name of the file itself.
pub(super) fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The number at the end of a name such as `cpu12`, after `prefix`.
pub(super) fn index(name: &str, prefix: &str) -> Option<usize> {
    name.strip_prefix(prefix)?.parse().ok()
}

/// Whether the device tree calls this a Raspberry Pi.
pub(super) fn is_raspberry(root: &Path) -> bool {
    text(root, "sys/firmware/devicetree/base/compatible").is_some_and(|tree| tree.contains("raspberrypi,"))
}

#[cfg(test)]
pub(super) mod fake {
    use super::*;

    /// A machine that consists of these files.
    pub(in crate::doctor) fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_none_and_not_zero() {
        let root = fake::machine(&[("sys/a", "5\n"), ("sys/b", "\n"), ("sys/c", "x")]);
        let numbers = ["sys/a", "sys/b", "sys/c", "sys/d"].map(|path| number::<u32>(root.path(), path));
        assert_eq!(numbers, [Some(5), None, None, None]);
        assert_eq!(entries(root.path(), "sys").len(), 3);
        assert!(entries(root.path(), "none").is_empty());
    }
}
