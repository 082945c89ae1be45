//! Memory that processes share.
//~ value_of_string: E0277 `String` is not plain data
//~ value_by_reference: E0614 cannot be dereferenced
//~ fraction_added: E0599 `fetch_add`
//~ barrier_of_none: E0308 mismatched types
//~ blob_after_send: E0382 `blob`
//~ shared_blob_written: E0594 cannot assign
//~ part_cloned: E0599 no method named `clone`
//~ part_of_another_type: E0308 mismatched types

use std::num::NonZeroUsize;

use pinring::multi::{Array, Barrier, Blob, Value, queue};

fn main() {
    let number = Value::new(1i64).unwrap();
    number.fetch_add(1);
    let fraction = Value::new(1.5f64).unwrap();
    fraction.update(|value| *value += 1.0);
    #[cfg(wrong = "fraction_added")]
    fraction.fetch_add(1.0);
    #[cfg(wrong = "value_of_string")]
    let _text = Value::new(String::new());
    #[cfg(wrong = "value_by_reference")]
    let _one = *number;

    let _barrier = Barrier::new(NonZeroUsize::MIN);
    #[cfg(wrong = "barrier_of_none")]
    let _barrier = Barrier::new(0);

    let (producer, _consumer) = queue::<Blob<f64>>(1).unwrap();
    let blob = Blob::from_slice(&[1.0, 2.0]).unwrap();
    producer.put(blob).unwrap();
    #[cfg(wrong = "blob_after_send")]
    let _first = blob[0];
    let mut shared = Blob::from_slice(&[1.0, 2.0]).unwrap().share();
    #[cfg(wrong = "shared_blob_written")]
    (shared[0] = 2.0);

    let array = Array::from_slice(&[1u8, 2, 3]).unwrap();
    #[cfg(wrong = "part_of_another_type")]
    array.set(0, 1.5).unwrap();
    let mut parts = array.split_even(2).unwrap();
    parts[0][0] = 4;
    #[cfg(wrong = "part_cloned")]
    let _twice = parts[0].clone();
}
