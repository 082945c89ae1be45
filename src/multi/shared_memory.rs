//! Memory with a name, for processes that are no relatives.
//!
//! The bytes are at the beginning of the file; a page behind them says who made it. It is whole before it gets its name, so nobody can
//! find half of one.

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use super::array::OutOfBounds;
use super::family;
use super::member::NAMES;
use super::object;
use super::plain::{bytes_of, value_of};
use crate::sys::fork::own_pid;
use crate::sys::lock;
use crate::sys::memfd;
use crate::sys::mmap::Mapping;
use crate::sys::named_memory;
use crate::sys::rlimit;

/// Where names are.
const DIR: &str = "/dev/shm";
const PAGE: usize = 4096;
const MAGIC: u64 = u64::from_le_bytes(*b"pinring1");

crate::multi::pod! {
    /// The page behind the bytes.
    #[derive(Debug, PartialEq, Eq)]
    struct Maker {
        magic: u64,
        /// Bytes before this page that are used.
        size: u64,
        pid: u32,
        /// Not 0: it stays when its maker ends.
        persistent: u32,
        /// When the maker was started, in clock ticks after the boot: a pid alone may be another's by now.
        started: u64,
        /// In which numbering the pid is one: a container has its own.
        namespace: u64,
    }
}

/// Why there is no named memory.
///
/// ```
/// use pinring::multi::{SharedMemory, SharedMemoryError};
///
/// let name = format!("example-{}", std::process::id());
/// assert!(matches!(SharedMemory::attach(&name), Err(SharedMemoryError::NotFound(_))));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SharedMemoryError {
    /// A name is one to 255 bytes without `/` and NUL, and not `.` or `..`.
    #[error("`{0}` cannot be the name of shared memory: one to 255 bytes, no `/`, no NUL")]
    BadName(String),
    /// There cannot be memory of no bytes.
    #[error("shared memory needs a size")]
    NoSize,
    /// There is one of that name, and its maker lives or wants it to stay.
    #[error("there is shared memory called `{0}` already")]
    AlreadyExists(String),
    /// There is none of that name.
    #[error("there is no shared memory called `{0}`")]
    NotFound(String),
    /// There is a file of that name that was not made by this.
    #[error("/dev/shm/{0} is no shared memory of pinring")]
    Foreign(String),
    /// The system refused.
    #[error("/dev/shm/{name}: {source}")]
    System {
        /// Its name.
        name: String,
        /// What the system answered.
        source: io::Error,
    },
}

/// Memory with a name in `/dev/shm`, for programs that did not start each other; those that did are better served by
/// [`Array`](super::Array) and [`Blob`](super::Blob), which leave no file behind.
///
/// The name is gone when whoever made it drops it, and nobody else's drop removes it; those that have attached it keep the memory. If the
/// maker was killed the launcher removes the name. If that was killed, too, or the name is older than [`init`](super::init), it stays, and
/// the next one to create it may have it: the memory says who made it. Only the same user can open it.
///
/// Others change it at any time and there is no lock in it, so its bytes are copied in and out; [`Self::as_ptr`] is for who brings a
/// protocol of its own.
///
/// ```
/// use pinring::multi::SharedMemory;
///
/// let name = format!("measurements-{}", std::process::id());
/// let made = SharedMemory::create(&name, 1024)?;
/// let found = SharedMemory::attach(&name)?;
/// made.write(10, b"hello")?;
/// let mut bytes = [0; 5];
/// found.read(10, &mut bytes)?;
/// assert_eq!((&bytes, found.size()), (b"hello", 1024));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[doc(alias = "multiprocessing.shared_memory.SharedMemory")]
pub struct SharedMemory {
    name: String,
    fd: OwnedFd,
    mapping: Mapping,
    size: usize,
    /// It may be its maker's: then its drop removes the name.
    made_here: bool,
}

impl SharedMemory {
    /// Makes memory of `size` zeroed bytes under a name that no other has, or whose maker has died.
    ///
    /// # Errors
    /// If the name is taken or cannot be one, the size is 0, or the system refuses: there is no room in `/dev/shm`, say, or no `/proc`.
    pub fn create(name: &str, size: usize) -> Result<Self, SharedMemoryError> {
        let path = path_of(name)?;
        let size = NonZeroUsize::new(size).ok_or(SharedMemoryError::NoSize)?.get();
        let system = |source| SharedMemoryError::System { name: name.to_owned(), source };
        let (fd, mapping) = make(size).map_err(system)?;
        // Before it has the name: whoever is killed after that leaves it behind.
        family::own().into_iter().for_each(|own| own.set_flag(NAMES));
        loop {
            match named_memory::give_name(&fd, &path) {
                Ok(()) => break,
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(system(error)),
                Err(_) if remove_stale(&path).map_err(system)? => {}
                Err(_) => return Err(SharedMemoryError::AlreadyExists(name.to_owned())),
            }
        }
        Ok(Self { name: name.to_owned(), fd, mapping, size, made_here: true })
    }

    /// Opens memory that another has made.
    ///
    /// # Errors
    /// If there is none of that name, it was not made by [`Self::create`], or the system refuses.
    #[doc(alias = "open")]
    pub fn attach(name: &str) -> Result<Self, SharedMemoryError> {
        let path = path_of(name)?;
        let system = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => SharedMemoryError::NotFound(name.to_owned()),
            _ => SharedMemoryError::System { name: name.to_owned(), source },
        };
        let (fd, mapping, maker) =
            open(&path).map_err(system)?.ok_or_else(|| SharedMemoryError::Foreign(name.to_owned()))?;
        let size = usize::try_from(maker.size).unwrap_or(0);
        Ok(Self { name: name.to_owned(), fd, mapping, size, made_here: false })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Keeps the name: neither the drop nor the end of its maker removes it, until [`Self::unlink`].
    pub fn persist(&self) {
        let maker = Maker { persistent: 1, ..read_maker(&self.mapping) };
        write_maker(&self.mapping, maker);
    }

    /// Removes the name now. Those that have attached it keep the memory.
    ///
    /// # Errors
    /// If the name is not there any more, or is another's, or the system refuses.
    pub fn unlink(mut self) -> Result<(), SharedMemoryError> {
        self.made_here = false;
        match self.remove() {
            Ok(true) => Ok(()),
            Ok(false) => Err(SharedMemoryError::NotFound(self.name.clone())),
            Err(source) => Err(SharedMemoryError::System { name: self.name.clone(), source }),
        }
    }

    /// Whether the name was this memory's.
    fn remove(&self) -> io::Result<bool> {
        let path = Path::new(DIR).join(&self.name);
        let is_ours = match named_memory::named(&path) {
            Ok(other) => named_memory::identity(&other)? == named_memory::identity(&self.fd)?,
            Err(_) => false,
        };
        if is_ours {
            fs::remove_file(path)?;
        }
        Ok(is_ours)
    }

    /// Copies bytes out of it, from `at` on.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn read(&self, at: usize, bytes: &mut [u8]) -> Result<(), OutOfBounds> {
        let place = self.place(at, bytes.len())?;
        // SAFETY: so many bytes are mapped there, as just checked, and `bytes` is our caller's own memory. That others may write meanwhile
        // gives mixed bytes, of which any are valid.
        unsafe { place.as_ptr().copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    /// Copies bytes into it, from `at` on.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn write(&self, at: usize, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let place = self.place(at, bytes.len())?;
        // SAFETY: so many bytes are mapped there, as just checked, and no reference to them is ever made.
        unsafe { place.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    fn place(&self, at: usize, len: usize) -> Result<NonNull<u8>, OutOfBounds> {
        let end = at.checked_add(len).filter(|end| *end <= self.size);
        end.ok_or(OutOfBounds { index: at.saturating_add(len).saturating_sub(1), len: self.size })?;
        // SAFETY: within the mapping, which has the size and a page more.
        Ok(unsafe { self.mapping.start().add(at) })
    }

    /// Its first byte, at the beginning of a page. Valid as long as this lives; others read and write there at any time.
    #[doc(alias = "buf")]
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.mapping.start()
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        let maker = read_maker(&self.mapping);
        if !self.made_here || maker.persistent != 0 || maker.pid != own_pid().unsigned_abs() {
            return;
        }
        match object::heir() {
            // It lives on in a child, which is its maker from now on.
            Some(heir) => {
                family::member(heir).set_flag(NAMES);
                let pid = family::member(heir).pid();
                write_maker(&self.mapping, Maker { pid, started: start_of(pid), ..maker });
            }
            None => drop(self.remove()),
        }
    }
}

fn path_of(name: &str) -> Result<PathBuf, SharedMemoryError> {
    let is_good = (1..=255).contains(&name.len()) && !name.contains(['/', '\0']) && name != "." && name != "..";
    is_good.then(|| Path::new(DIR).join(name)).ok_or_else(|| SharedMemoryError::BadName(name.to_owned()))
}

fn make(size: usize) -> io::Result<(OwnedFd, Mapping)> {
    let pid = own_pid().unsigned_abs();
    let started = start_of(pid);
    if started == 0 {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "/proc is not mounted, which tells whether its maker lives",
        ));
    }
    let used = size.checked_next_multiple_of(PAGE).and_then(|used| used.checked_add(PAGE));
    let total = used.and_then(NonZeroUsize::new).ok_or(io::ErrorKind::OutOfMemory)?;
    rlimit::allow_file_of(total.get())?;
    let fd = named_memory::unnamed(Path::new(DIR))?;
    fs::File::from(fd.try_clone()?).set_len(total.get() as u64)?;
    // Else a lack of memory would be a SIGBUS at the first touch.
    memfd::set_aside(&fd, 0, total.get())?;
    let mapping = Mapping::of(&fd, total)?;
    write_maker(
        &mapping,
        Maker { magic: MAGIC, size: size as u64, pid, persistent: 0, started, namespace: namespace() },
    );
    Ok((fd, mapping))
}

/// `None`: it is something else.
fn open(path: &Path) -> io::Result<Option<(OwnedFd, Mapping, Maker)>> {
    let fd = named_memory::named(path)?;
    let file = fs::File::from(fd.try_clone()?).metadata()?;
    let total = usize::try_from(file.len()).ok().filter(|len| file.is_file() && *len >= 2 * PAGE && len % PAGE == 0);
    let Some(total) = total.and_then(NonZeroUsize::new) else { return Ok(None) };
    let mapping = Mapping::of(&fd, total)?;
    let maker = read_maker(&mapping);
    let is_ours = maker.magic == MAGIC && usize::try_from(maker.size).is_ok_and(|size| size <= total.get() - PAGE);
    Ok(is_ours.then_some((fd, mapping, maker)))
}

/// Removes the names that the process `pid` has left behind, which has ended.
pub(super) fn remove_names_of(pid: u32) {
    for entry in fs::read_dir(DIR).into_iter().flatten().flatten() {
        let path = entry.path();
        if maker_of(&path).is_some_and(|maker| maker.pid == pid) {
            // It tells whether it is that process, and not one before it that had the number.
            let _ = remove_stale(&path);
        }
    }
}

/// Who made what is called so; `None` if it is something else. Reads, and does not map: what is another's may shrink meanwhile.
fn maker_of(path: &Path) -> Option<Maker> {
    let file = fs::File::from(named_memory::named(path).ok()?);
    let last = file.metadata().ok().filter(fs::Metadata::is_file)?.len().checked_sub(PAGE as u64)?;
    let mut bytes = [0; size_of::<Maker>()];
    file.read_exact_at(&mut bytes, last).ok()?;
    value_of(&bytes).filter(|maker: &Maker| maker.magic == MAGIC)
}

/// Removes what its maker left behind by being killed; whether the name may be free now.
fn remove_stale(path: &Path) -> io::Result<bool> {
    let found = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        other => other.ok().flatten(),
    };
    let Some((fd, _, maker)) = found else { return Ok(false) };
    // The same for the maker and for us, else its pid says nothing.
    let is_stale = maker.persistent == 0
        && maker.namespace == namespace()
        && maker.started != 0
        && start_of(maker.pid) != maker.started;
    if !is_stale {
        return Ok(false);
    }
    // One at a time: else the second would remove what the first has put there.
    match lock::try_exclusive(fd.as_fd()) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            std::thread::sleep(std::time::Duration::from_millis(1));
            return Ok(true);
        }
        other => other?,
    }
    let is_there = |other: OwnedFd| Some(named_memory::identity(other).ok()? == named_memory::identity(&fd).ok()?);
    if named_memory::named(path).ok().and_then(is_there) == Some(true) {
        fs::remove_file(path)?;
    }
    Ok(true)
}

fn maker_place(mapping: &Mapping) -> NonNull<u8> {
    // SAFETY: every mapping that is made here ends with a page for it.
    unsafe { mapping.start().add(mapping.len() - PAGE) }
}

fn read_maker(mapping: &Mapping) -> Maker {
    let mut bytes = [0; size_of::<Maker>()];
    // SAFETY: within the last page of the mapping; any bytes are valid, also mixed ones.
    unsafe { maker_place(mapping).as_ptr().copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
    value_of(&bytes).unwrap_or(Maker { magic: 0, size: 0, pid: 0, persistent: 0, started: 0, namespace: 0 })
}

fn write_maker(mapping: &Mapping, maker: Maker) {
    let bytes = bytes_of(&maker);
    // SAFETY: within the last page of the mapping, to which no reference is ever made.
    unsafe { maker_place(mapping).as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

/// When that process was started, in clock ticks after the boot; 0 if it has ended.
fn start_of(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name may hold anything; the 22nd field of proc_pid_stat(5) is the 20th after it.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    if after.trim_start().starts_with(['Z', 'X']) {
        return 0;
    }
    after.split_whitespace().nth(19).and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// A number of the numbering that pids are of.
fn namespace() -> u64 {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let digits: String = link.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}
