//! What has its bytes elsewhere cannot be put into a queue.
//~ str: E0277 `&'static str` cannot go from one process to another
//~ str: E0277 `&'static str` is not plain data
//~ string: E0277 `String` cannot go from one process to another
//~ string: E0277 `String` is not plain data
//~ vec: E0277 `Vec<u8>` cannot go from one process to another
//~ vec: E0277 `Vec<u8>` is not plain data
//~ rc: E0277 `Rc<u64>` cannot go from one process to another
//~ rc: E0277 `Rc<u64>` is not plain data
//~ boxed: E0277 `Box<u64>` cannot go from one process to another
//~ boxed: E0277 `Box<u64>` is not plain data
//~ pointer: E0277 `*const u64` cannot go from one process to another
//~ pointer: E0277 `*const u64` is not plain data
//~ reference: E0277 `&'static u64` cannot go from one process to another
//~ reference: E0277 `&'static u64` is not plain data
//~ within: E0277 `Option<String>` cannot go from one process to another
//~ within: E0277 `Option<String>` is not plain data
//~ of_ones_own: E0277 `Reading` cannot go from one process to another
//~ of_ones_own: E0277 `Reading` is not plain data

use pinring::multi::{Serde, queue};

#[derive(Clone, Copy)]
struct Reading(u64);

#[cfg(not(wrong))]
type Value = (Serde<Vec<String>>, Option<[f64; 3]>, Result<u64, bool>);
#[cfg(wrong = "str")]
type Value = &'static str;
#[cfg(wrong = "string")]
type Value = String;
#[cfg(wrong = "vec")]
type Value = Vec<u8>;
#[cfg(wrong = "rc")]
type Value = std::rc::Rc<u64>;
#[cfg(wrong = "boxed")]
type Value = Box<u64>;
#[cfg(wrong = "pointer")]
type Value = *const u64;
#[cfg(wrong = "reference")]
type Value = &'static u64;
#[cfg(wrong = "within")]
type Value = Option<String>;
#[cfg(wrong = "of_ones_own")]
type Value = Reading;

fn main() {
    let _ends = queue::<Value>(4);
}
