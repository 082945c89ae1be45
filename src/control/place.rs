//! Where control sockets are: one name for who listens and who looks for it.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::sys::unix_socket::{connect, fits};

/// Where root's systems and services have their sockets.
const SERVICES: &str = "/run/pinring";

/// What decides where a socket goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// RUNTIME_DIRECTORY, which systemd sets for a service.
    pub service: Option<PathBuf>,
    /// XDG_RUNTIME_DIR, which a login sets.
    pub session: Option<PathBuf>,
    /// The user.
    pub uid: u32,
}

/// Why there is nobody to talk to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// No system of that name runs.
    #[error(
        "no system called `{0}` runs here (or it belongs to another user: try sudo); `pinring run FILE.toml` starts one"
    )]
    Named(String),
    /// No system runs.
    #[error("no system runs here (or it belongs to another user: try sudo); `pinring run FILE.toml` starts one")]
    Nobody,
    /// Several run.
    #[error("several systems run: {}; say which", .0.join(", "))]
    Several(Vec<String>),
}

impl Surroundings {
    /// Of this process.
    pub fn here() -> Self {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        // Several are separated by colons; the first is the unit's main one.
        let first = |path: PathBuf| Some(PathBuf::from(path.to_str()?.split(':').next()?));
        Self {
            service: variable("RUNTIME_DIRECTORY").and_then(first),
            session: variable("XDG_RUNTIME_DIR"),
            uid: crate::sys::fork::own_uid(),
        }
    }

    /// The directory for a new socket.
    pub fn home(&self) -> PathBuf {
        if let Some(service) = &self.service {
            return service.clone();
        }
        match &self.session {
            _ if self.uid == 0 => SERVICES.into(),
            Some(session) => session.join("pinring"),
            None => self.temporary(),
        }
    }

    /// Of somebody without a session. Anybody may make a directory of that name first.
    fn temporary(&self) -> PathBuf {
        format!("/tmp/pinring-{}", self.uid).into()
    }

    /// Where somebody who asks looks.
    fn search(&self) -> Vec<PathBuf> {
        let mut all = vec![self.home(), SERVICES.into()];
        // Every service has a directory of its own.
        all.extend(std::fs::read_dir(SERVICES).into_iter().flatten().flatten().map(|entry| entry.path()));
        all.extend(self.session.iter().map(|session| session.join("pinring")));
        all.push(self.temporary());
        // What is asked would go to who made it.
        all.retain(|dir| *dir != self.temporary() || self.check(dir).is_ok());
        all
    }

    /// Whether only those whom we trust can put something into `home`.
    fn check(&self, home: &Path) -> io::Result<()> {
        let refuse = |why: &str| {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{}: the directory {why}", home.display())))
        };
        let meta = std::fs::symlink_metadata(home)?;
        let forbidden = if home == self.temporary() { 0o077 } else { 0o022 };
        match () {
            () if !meta.is_dir() => refuse("is none, or a symbolic link"),
            () if meta.uid() != self.uid => refuse("belongs to somebody else"),
            () if meta.mode() & forbidden != 0 => refuse("is open to others"),
            () => Ok(()),
        }
    }

    /// The path for the socket of system `name`; its directory is made if it is not there.
    ///
    /// # Errors
    /// PermissionDenied if the directory belongs to somebody else, is a symbolic link, or is one where others can put files; InvalidInput if
    /// `name` is no file name, or the path is too long for a socket; and what the system answered when the directory was made.
    pub fn prepare(&self, name: &str) -> io::Result<PathBuf> {
        let home = self.home();
        let refuse = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if name.is_empty() || name.contains(['/', '\0']) {
            return refuse(format!("{name:?} is no name for a socket"));
        }
        let path = home.join(format!("{name}.sock"));
        if !fits(&path) {
            return refuse(format!("{}: a socket's path has at most 107 bytes; use a shorter name", path.display()));
        }
        // Members of a system's group must get through to its socket; a person's are nobody else's business.
        let mode = if home == Path::new(SERVICES) { 0o755 } else { 0o700 };
        match std::fs::DirBuilder::new().mode(mode).create(&home) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(io::Error::new(error.kind(), format!("{}: {error}", home.display())));
            }
            _ => {}
        }
        // Somebody else may have made it in /tmp, to stand between us and who asks.
        self.check(&home)?;
        Ok(path)
    }

    /// The socket of the system that `wanted` means: its name, its configuration file, or the only one that runs.
    ///
    /// # Errors
    /// See [`FindError`].
    pub fn find(&self, wanted: Option<&Path>) -> Result<PathBuf, FindError> {
        if let Some(wanted) = wanted {
            if wanted.extension().is_some_and(|extension| extension == "sock") {
                return Ok(wanted.to_owned());
            }
            let dirs = self.search();
            let paths = names(wanted).flat_map(|name| dirs.iter().map(move |dir| dir.join(format!("{name}.sock"))));
            let mut alive = paths.filter(|path| is_alive(path));
            let asked = || names(wanted).next().unwrap_or_default();
            return alive.next().ok_or_else(|| FindError::Named(asked()));
        }
        let mut alive: Vec<PathBuf> = self.search().iter().flat_map(|dir| sockets(dir)).collect();
        alive.sort();
        alive.dedup();
        match alive.len() {
            0 => Err(FindError::Nobody),
            1 => Ok(alive.remove(0)),
            _ => Err(FindError::Several(shown(&alive))),
        }
    }
}

/// What the system may be called that somebody means by its name or by its file.
fn names(wanted: &Path) -> impl Iterator<Item = String> {
    let text = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    // A name may have a dot, too: that of `my.station.toml` is `my.station`.
    let is_file = wanted.extension().is_some_and(|extension| extension == "toml");
    let whole = text(wanted.file_name()).filter(|_| !is_file);
    let stem = text(wanted.file_stem()).filter(|stem| whole.as_ref() != Some(stem));
    whole.into_iter().chain(stem)
}

/// The names of those at `paths`; where that says too little, the paths.
fn shown(paths: &[PathBuf]) -> Vec<String> {
    let name = |path: &PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let is_alone = |path: &PathBuf| paths.iter().filter(|other| name(other) == name(path)).count() == 1;
    paths.iter().map(|path| if is_alone(path) { name(path) } else { path.display().to_string() }).collect()
}

fn sockets(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "sock") && is_alive(path)).collect()
}

fn is_alive(path: &Path) -> bool {
    // One that is not for us counts, and one that is too busy: the answer will say so.
    !matches!(connect(path, None), Err(error)
        if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_its_directory_and_a_person_the_session() {
        let person = Surroundings { service: None, session: Some("/run/user/7".into()), uid: 7 };
        assert_eq!(person.home(), Path::new("/run/user/7/pinring"));
        let service = Surroundings { service: Some("/run/pinring".into()), ..person.clone() };
        assert_eq!(service.home(), Path::new("/run/pinring"));
        assert_eq!(Surroundings { uid: 0, ..person.clone() }.home(), Path::new("/run/pinring"));
        assert_eq!(Surroundings { session: None, ..person }.home(), Path::new("/tmp/pinring-7"));
    }

    #[test]
    fn a_system_is_found_by_name_by_file_or_as_the_only_one() {
        let dir = tempfile::tempdir().unwrap();
        let uid = crate::sys::fork::own_uid();
        let here = Surroundings { service: Some(dir.path().to_owned()), session: None, uid };
        let absent = here.find(Some(Path::new("a.toml")));
        assert_eq!(absent, Err(FindError::Named("a".into())));
        let path = here.prepare("a").unwrap();
        let _a = crate::control::Server::bind(&path, None).unwrap();
        assert_eq!(here.find(Some(Path::new("conf/a.toml"))).as_deref(), Ok(path.as_path()));
        assert_eq!(here.find(Some(Path::new("a"))).as_deref(), Ok(path.as_path()));
    }

    #[test]
    fn a_directory_of_somebody_else_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let uid = crate::sys::fork::own_uid() + 1;
        let here = Surroundings { service: Some(dir.path().to_owned()), session: None, uid };
        assert_eq!(here.prepare("a").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        let long = "x".repeat(100);
        assert_eq!(here.prepare(&long).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_directory_where_others_can_put_files_is_not_used() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let uid = crate::sys::fork::own_uid();
        let mut here = Surroundings { service: Some(dir.path().join("new")), session: None, uid };
        here.prepare("a").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&here.home()), 0o700);
        std::fs::set_permissions(here.home(), PermissionsExt::from_mode(0o777)).unwrap();
        assert!(here.prepare("a").unwrap_err().to_string().contains("open to others"));
        std::fs::set_permissions(here.home(), PermissionsExt::from_mode(0o755)).unwrap();
        here.prepare("a").unwrap();
        symlink(here.home(), dir.path().join("link")).unwrap();
        here.service = Some(dir.path().join("link"));
        assert!(here.prepare("a").unwrap_err().to_string().contains("symbolic link"));
    }

    #[test]
    fn what_is_no_file_name_is_no_system() {
        let dir = tempfile::tempdir().unwrap();
        let here = Surroundings { service: Some(dir.path().into()), session: None, uid: crate::sys::fork::own_uid() };
        for name in ["", "../a", "a\0b"] {
            assert_eq!(here.prepare(name).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn a_name_may_have_dots_and_a_dead_system_is_not_found() {
        let dir = tempfile::tempdir().unwrap();
        let uid = crate::sys::fork::own_uid();
        let here = Surroundings { service: Some(dir.path().to_owned()), session: None, uid };
        let path = here.prepare("my.station").unwrap();
        let dotted = crate::control::Server::bind(&path, None).unwrap();
        for wanted in ["my.station", "conf/my.station.toml", "my.station.conf"] {
            assert_eq!(here.find(Some(Path::new(wanted))).as_deref(), Ok(path.as_path()), "{wanted}");
        }
        drop(dotted);
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert_eq!(here.find(Some(Path::new("my.station"))), Err(FindError::Named("my.station".into())));
    }

    #[test]
    fn several_are_listed_so_that_one_can_be_named() {
        let paths = ["/run/a.sock", "/run/b.sock", "/tmp/a.sock"].map(PathBuf::from);
        assert_eq!(shown(&paths), ["/run/a.sock", "b", "/tmp/a.sock"]);
    }
}
