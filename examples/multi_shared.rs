//! Python's tutorial of `Value` and `Array`: a child changes a number and a row of numbers, and its parent sees it.
//!
//! `cargo run --example multi_shared`

use std::f64::consts::PI;

use pinring::multi::{Array, Process, Value};

// def f(n, a): n.value = math.pi; for i in range(len(a)): a[i] = -a[i]
fn f(n: &Value<f64>, a: &Array<i32>) {
    n.set(PI);
    // One lock for the whole row, not one for each element.
    for x in a.lock().expect("nobody died with it").iter_mut() {
        *x = -*x;
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // num = Value('d', 0.0); arr = Array('i', range(10))
    let num = Value::new(0.0)?;
    let arr = Array::from_iter(0..10)?;
    let (n, a) = (num.clone(), arr.clone());
    // p = Process(target=f, args=(num, arr)); p.start(); p.join()
    Process::spawn(move || f(&n, &a))?.join()?;
    println!("{}", num.get());
    println!("{:?}", &arr.lock().map_err(|error| error.to_string())?[..]);
    Ok(())
}
