//! Plain old data: what can lie in memory that processes share.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Plain old data: a value is its bytes, and any bytes are a value. [`pod!`](crate::multi::pod) makes a struct of such fields one.
///
/// # Safety
/// No references or pointers, no padding, and every bit pattern is a valid value.
///
/// ```
/// use pinring::multi::{Mutex, pod};
///
/// pod! {
///     struct Limits {
///         low: f32,
///         high: f32,
///     }
/// }
/// let limits = Mutex::new(Limits { low: -1.0, high: 1.0 })?;
/// limits.lock().unwrap().high = 2.0;
/// # Ok::<(), std::io::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not plain data",
    note = "numbers, arrays of them and `pod!` structs are: no pointers, no gaps, and any bytes are a value",
    note = "as a message, anything else that serde knows goes into a `Serde<{Self}>`",
    note = "work that never returns (`!`) says another type: `|| -> () {{ loop {{ .. }} }}`"
)]
pub unsafe trait Pod: Copy + Send + 'static {}

macro_rules! plain {
    ($($number:ty),*) => { $(
        // SAFETY: a number has no padding, and any bits are one.
        unsafe impl Pod for $number {}
    )* };
}
plain!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64, ());

// SAFETY: elements without padding lie in an array without gaps.
unsafe impl<T: Pod, const N: usize> Pod for [T; N] {}

/// Makes a struct [`Pod`]: all of its fields must be, and there may be no gaps between them (checked when it is compiled).
///
/// ```
/// pinring::multi::pod! {
///     #[derive(Debug, PartialEq)]
///     pub struct Point {
///         pub x: f64,
///         pub y: f64,
///     }
/// }
/// let here = Point { x: 1.0, y: 2.0 };
/// let there = here;
/// assert_eq!(here, there);
/// ```
#[macro_export]
macro_rules! multi_pod {
    ($(#[$attribute:meta])* $visible:vis struct $name:ident { $($(#[$of:meta])* $field_visible:vis $field:ident: $kind:ty),* $(,)? }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy)]
        #[repr(C)]
        $visible struct $name { $($(#[$of])* $field_visible $field: $kind),* }

        const _: () = {
            const fn is_pod<T: $crate::multi::Pod>() -> usize { ::core::mem::size_of::<T>() }
            assert!(0 $(+ is_pod::<$kind>())* == ::core::mem::size_of::<$name>(), "there are gaps between the fields");
        };
        // SAFETY: all fields are `Pod` and there are no gaps, as just checked.
        #[allow(unsafe_code)]
        unsafe impl $crate::multi::Pod for $name {}
    };
}
pub use crate::multi_pod as pod;

/// Whether a message of that type is plain data: what is written of it is the value itself. Public in a module that is not, so that nobody
/// else can say it of a type of theirs.
#[derive(Clone, Copy, Debug)]
pub struct Plain<T>(bool, PhantomData<T>);

impl<T> Plain<T> {
    pub(super) const NO: Self = Self(false, PhantomData);

    pub(super) const fn holds(self) -> bool {
        self.0
    }
}

impl<T: Pod> Plain<T> {
    pub(super) const YES: Self = Self(true, PhantomData);
}

/// The bytes of a value.
pub(super) fn bytes_of<T: Pod>(value: &T) -> &[u8] {
    // SAFETY: `Pod` promises that there is no padding, so all bytes are initialised; the slice borrows the value.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// The value that these bytes are.
pub(super) fn value_of<T: Pod>(bytes: &[u8]) -> Option<T> {
    if bytes.len() != size_of::<T>() {
        return None;
    }
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: both have that many bytes, as just checked, and do not overlap: one is our own.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), value.as_mut_ptr().cast(), bytes.len()) };
    // SAFETY: all bytes are written, and `Pod` promises that any are a value.
    Some(unsafe { value.assume_init() })
}
