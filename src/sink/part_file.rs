//! Files of parts: making, knowing again, cutting to length.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use super::fault::explain;
use super::part::Part;

/// Device and inode.
pub(super) type Identity = (u64, u64);

/// Which file this is, whatever its name.
pub(super) fn identity(file: &File, path: &Path) -> io::Result<Identity> {
    let found = file.metadata().map_err(|error| explain("look at", path, &error))?;
    Ok((found.dev(), found.ino()))
}

/// Makes a new file and the directories above it; `None` if the name is taken.
pub(super) fn create(path: &Path) -> io::Result<Option<File>> {
    make_parents(path)?;
    match OpenOptions::new().read(true).write(true).create_new(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(explain("create", path, &error)),
    }
}

/// Makes the directories above `path`.
pub(super) fn make_parents(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            std::fs::create_dir_all(parent).map_err(|error| explain("create the directory", parent, &error))
        }
        _ => Ok(()),
    }
}

/// Opens the file of a claimed name and empties it, if a step that never was committed made it: it is the very file
/// `made`, or it begins as we are about to `begin` (header and first row, whose times and sequence number no other run
/// has), as far as it goes. `None`: it is someone else's.
pub(super) fn adopt(path: &Path, begin: &[u8], made: Option<Identity>) -> io::Result<Option<File>> {
    let failed = |error: io::Error| explain("open", path, &error);
    // Not through a link, and no device or pipe.
    if !path.symlink_metadata().map_err(failed)?.is_file() {
        return Ok(None);
    }
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let compared = usize::try_from(length).unwrap_or(usize::MAX).min(begin.len());
    let mut found = vec![0; compared];
    file.read_exact_at(&mut found, 0).map_err(failed)?;
    if made != Some(identity(&file, path)?) && found != begin[..compared] {
        return Ok(None);
    }
    file.set_len(0).map_err(failed)?;
    Ok(Some(file))
}

/// Opens the part again and cuts off what no commit covers. The inner error says why it is no longer what we wrote.
pub(super) fn reopen(part: &Part, path: &Path) -> io::Result<Result<File, String>> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Err("is gone".into())),
        Err(error) => return Err(explain("open", path, &error)),
    };
    if identity(&file, path)? != (part.device, part.inode) {
        return Ok(Err("is another file now".into()));
    }
    let length = file.metadata().map_err(|error| explain("look at", path, &error))?.len();
    if length < part.length {
        return Ok(Err(format!("has {length} bytes, though {} were written", part.length)));
    }
    if length > part.length {
        file.set_len(part.length).map_err(|error| explain("cut", path, &error))?;
    }
    Ok(Ok(file))
}

/// Makes the file durable, and its name too if it is new. Returns whether the file still has a name.
pub(super) fn sync(file: &File, path: &Path, is_new: bool) -> io::Result<bool> {
    let failed = |error: io::Error| explain("make durable", path, &error);
    file.sync_data().map_err(failed)?;
    let has_name = file.metadata().map_err(failed)?.nlink() > 0;
    if is_new && has_name {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
    }
    Ok(has_name)
}
