//! What the system answered, told so that someone at the bench knows what to do.

use std::io::{Error, ErrorKind};
use std::path::Path;

/// `error`, which came of trying to `attempt` (as in "cannot {attempt} PATH"), with the path and advice. Its kind is kept.
pub(super) fn explain(attempt: &str, path: &Path, error: &Error) -> Error {
    let advice = match error.kind() {
        ErrorKind::StorageFull => "; free some space, writing goes on where it stopped",
        ErrorKind::QuotaExceeded => "; this user's quota is used up, raise it or delete something",
        ErrorKind::ReadOnlyFilesystem => {
            "; the filesystem is mounted read-only, which the kernel also does after a medium failed: see dmesg"
        }
        ErrorKind::PermissionDenied => "; give the user pinring runs as the right to write there",
        ErrorKind::FileTooLarge => "; the filesystem takes no larger file, set a size at which to rotate",
        ErrorKind::NotADirectory => "; part of the path is a file",
        ErrorKind::IsADirectory => "; a directory has that name",
        ErrorKind::NotFound => "; is the medium still mounted?",
        _ => "; see dmesg whether the medium or its connection fails",
    };
    Error::new(error.kind(), format!("cannot {attempt} {}: {error}{advice}", path.display()))
}
