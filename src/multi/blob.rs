//! Large data that go from one process to another without being copied.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};

use super::arena::{Kind, Words};
use super::object::{Handle, Object, Role};
use super::passing::{Passed, passed_in_messages};
use super::plain::Pod;
use super::room::Room;
use super::word::Word64;

#[derive(Debug)]
#[repr(C)]
struct Head {
    /// [Of an element](Room::FORM).
    form: Word64,
    /// How many elements.
    len: Word64,
}

// SAFETY: words only.
unsafe impl Words for Head {}

fn create<T: Pod>(len: usize, fill: impl FnOnce(Room<T>)) -> io::Result<Handle> {
    let head = size_of::<Head>();
    Handle::create(Kind::Blob, Room::<T>::bytes(head, len)?, Role::First, |object| {
        let words: &Head = object.body();
        words.form.set(Room::<T>::FORM);
        words.len.set(len as u64);
        fill(Room::of(object, head, len));
    })
}

fn room<T: Pod>(object: Object) -> Option<Room<T>> {
    let words: &Head = object.body();
    let is_of_this_type = words.form.get() == Room::<T>::FORM;
    let len = is_of_this_type.then(|| usize::try_from(words.len.get()).ok()).flatten()?;
    Some(Room::of(object, size_of::<Head>(), len))
}

/// Large data that one process at a time has: in a message, or captured by what is spawned, it goes to another without being copied,
/// whatever its size. A slice of its elements.
///
/// The memory is the system's again when the blob is dropped, or its process has ended.
///
/// ```
/// use pinring::multi::{Blob, Process};
///
/// let child = Process::spawn(|| Blob::from_slice(&[1.5f32; 100_000]).unwrap())?;
/// let result: Blob<f32> = child.join()?;
/// assert_eq!(result.iter().sum::<f32>(), 150_000.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Blob<T: Pod> {
    handle: Handle,
    room: Room<T>,
}

impl<T: Pod> Blob<T> {
    /// Makes one of `len` elements whose bytes are zero.
    ///
    /// # Errors
    /// As [`Mutex::new`](super::Mutex::new).
    pub fn zeroed(len: usize) -> io::Result<Self> {
        Self::create(len, |_| {})
    }

    /// Makes one of a copy of these elements.
    ///
    /// # Errors
    /// As [`Mutex::new`](super::Mutex::new).
    pub fn from_slice(elements: &[T]) -> io::Result<Self> {
        Self::create(elements.len(), |room| {
            // SAFETY: nobody else has seen the object yet, it is mapped, and any bytes are a `Pod`.
            unsafe { room.all().as_mut() }.copy_from_slice(elements);
        })
    }

    fn create(len: usize, fill: impl FnOnce(Room<T>)) -> io::Result<Self> {
        Self::adopt(create(len, fill)?).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// From now on it is read-only, and any number of processes can have it.
    pub fn share(self) -> SharedBlob<T> {
        SharedBlob { handle: self.handle.another(Role::Second), room: self.room }
    }
}

impl<T: Pod> Deref for Blob<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: mapped `Pod`s, kept by the handle, which is the only one of its role in the family: a message takes it away from who
        // sends it, and is received once.
        unsafe { self.room.all().as_ref() }
    }
}

impl<T: Pod> DerefMut for Blob<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`, and the blob is borrowed for writing.
        unsafe { self.room.all().as_mut() }
    }
}

/// Large data that any number of processes have and none can change: made by [`Blob::share`]. A clone is another handle to the same; the
/// memory is the system's again when the last is gone.
///
/// ```
/// use pinring::multi::{Blob, Process};
///
/// let table = Blob::from_slice(&[3u64; 1 << 16])?.share();
/// let theirs = table.clone();
/// let sum = Process::spawn(move || theirs.iter().sum::<u64>())?.join()?;
/// assert_eq!(sum, 3 << 16);
/// assert_eq!(table[7], 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SharedBlob<T: Pod> {
    handle: Handle,
    room: Room<T>,
}

impl<T: Pod> Clone for SharedBlob<T> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), ..*self }
    }
}

impl<T: Pod> Deref for SharedBlob<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: mapped `Pod`s, kept by the handle. Who could write was consumed when it was shared.
        unsafe { self.room.all().as_ref() }
    }
}

macro_rules! blobs {
    ($($name:ident $role:ident),*) => { $(
        impl<T: Pod> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("len", &self.len()).finish_non_exhaustive()
            }
        }

        impl<T: Pod> Passed for $name<T> {
            const KIND: Kind = Kind::Blob;
            const ROLE: Role = Role::$role;

            fn handle(&self) -> &Handle {
                &self.handle
            }

            fn adopt(handle: Handle) -> Option<Self> {
                room(handle.object()).map(|room| Self { handle, room })
            }
        }

        passed_in_messages!($name<T: Pod>);
    )* };
}
blobs!(Blob First, SharedBlob Second);
