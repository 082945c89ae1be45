//! Any bytes must be a value of a `pod!` struct, and all of its bytes part of a field.
//~ padding: E0080 there are gaps between the fields
//~ pointer: E0277 `*const u8` is not plain data
//~ pointer: E0277 `*const u8` cannot be sent between threads safely
//~ reference: E0277 `&'static u8` is not plain data
//~ string: E0277 `String` is not plain data
//~ string: E0204 Copy` cannot be implemented
//~ boolean: E0277 `bool` is not plain data
//~ enumeration: E0277 `Colour` is not plain data
//~ handle: E0277 Event` is not plain data
//~ handle: E0204 Copy` cannot be implemented

use pinring::multi::{Event, pod};

#[derive(Clone, Copy)]
enum Colour {
    Red,
}

#[cfg(not(wrong))]
type Field = [u8; 8];
#[cfg(wrong = "padding")]
type Field = u8;
#[cfg(wrong = "pointer")]
type Field = *const u8;
#[cfg(wrong = "reference")]
type Field = &'static u8;
#[cfg(wrong = "string")]
type Field = String;
#[cfg(wrong = "boolean")]
type Field = bool;
#[cfg(wrong = "enumeration")]
type Field = Colour;
#[cfg(wrong = "handle")]
type Field = Event;

pod! {
    struct Reading {
        at: u64,
        field: Field,
    }
}

fn main() {}
