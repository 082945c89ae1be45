//! Functions and closures that capture nothing have no bytes: whoever knows their type has them.

/// A value of a type without a size.
///
/// # Safety
/// Somebody must have had one, and `F` be [`Copy`] for that reason: a type may have no values at all.
pub(super) unsafe fn conjure<F: Copy>() -> F {
    const { assert!(size_of::<F>() == 0, "what is made from its type alone must not capture anything") };
    // SAFETY: nothing is read, for there is nothing; a dangling pointer is aligned. That there is such a value is the caller's promise.
    unsafe { std::ptr::NonNull::<F>::dangling().as_ptr().read() }
}
