//! Where control sockets are: one name for who listens and who looks for it.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::sys::unix_socket::fits;

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
        Self {
            service: variable("RUNTIME_DIRECTORY"),
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
            None => format!("/tmp/pinring-{}", self.uid).into(),
        }
    }

    /// Where somebody who asks looks.
    fn search(&self) -> Vec<PathBuf> {
        let mut all = vec![self.home(), SERVICES.into()];
        // Every service has a directory of its own.
        all.extend(std::fs::read_dir(SERVICES).into_iter().flatten().flatten().map(|entry| entry.path()));
        all.extend(self.session.iter().map(|session| session.join("pinring")));
        all.push(format!("/tmp/pinring-{}", self.uid).into());
        all.dedup();
        all
    }

    /// The path for the socket of system `name`; its directory is made, for its owner alone.
    ///
    /// # Errors
    /// If the directory cannot be made or belongs to somebody else, or the path is too long for a socket.
    pub fn prepare(&self, name: &str) -> io::Result<PathBuf> {
        let home = self.home();
        let path = home.join(format!("{name}.sock"));
        if !fits(&path) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is too long for a socket (108 bytes)"));
        }
        match std::fs::DirBuilder::new().mode(0o700).create(&home) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        // Somebody else may have made it in /tmp, to stand between us and who asks.
        let meta = std::fs::symlink_metadata(&home)?;
        if !meta.is_dir() || meta.uid() != self.uid {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the directory belongs to somebody else"));
        }
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
            let name = wanted.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
            let paths = self.search().into_iter().map(|dir| dir.join(format!("{name}.sock")));
            return paths.into_iter().find(|path| is_alive(path)).ok_or(FindError::Named(name));
        }
        let mut alive: Vec<PathBuf> = self.search().iter().flat_map(|dir| sockets(dir)).collect();
        alive.sort();
        alive.dedup();
        match alive.len() {
            0 => Err(FindError::Nobody),
            1 => Ok(alive.remove(0)),
            _ => {
                let name = |path: &PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                Err(FindError::Several(alive.iter().map(name).collect()))
            }
        }
    }
}

fn sockets(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "sock") && is_alive(path)).collect()
}

fn is_alive(path: &Path) -> bool {
    // One that is not for us counts: the answer will say so.
    !matches!(UnixStream::connect(path), Err(error)
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
}
