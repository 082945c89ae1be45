//! What a process may be given, and that it is joined once.
//~ after_join: E0382 `process`
//~ joined_twice: E0382 `process`
//~ after_timeout: E0382 `process`
//~ not_send: E0277 `Rc<u64>` cannot be sent between threads safely
//~ borrows: E0373 closure may outlive the current function
//~ borrowed_handle: E0597 `number` does not live long enough
//~ returns_string: E0277 `String` cannot go from one process to another
//~ returns_string: E0277 `String` is not plain data
//~ never_returns: E0277 `!` cannot go from one process to another
//~ never_returns: E0277 `!` is not plain data
//~ takes_string: E0277 `String` cannot go from one process to another
//~ takes_string: E0277 `String` is not plain data
//~ launched_captures: E0080 must not capture

use std::rc::Rc;
use std::time::Duration;

use pinring::multi::{Process, Serde};

fn main() {
    let number = 5u64;
    let shared = Rc::new(number);
    #[cfg(not(wrong))]
    let _child = Process::spawn(move || number + 1);
    #[cfg(wrong = "borrows")]
    let _child = Process::spawn(|| number + 1);
    #[cfg(wrong = "borrowed_handle")]
    let _child = Process::spawn({
        let borrowed = &number;
        move || *borrowed + 1
    });
    #[cfg(wrong = "not_send")]
    let _child = Process::spawn(move || *shared + 1);
    #[cfg(wrong = "returns_string")]
    let _child = Process::spawn(|| String::new());

    #[cfg(wrong = "never_returns")]
    let _child = Process::spawn(|| loop {});
    #[cfg(not(wrong))]
    let _child = Process::spawn(|| -> () { loop {} });

    #[cfg(not(wrong))]
    let _child = Process::spawn_fn(|text: Serde<String>| text.0.len() as u64, Serde("four".to_owned()));
    #[cfg(wrong = "takes_string")]
    let _child = Process::spawn_fn(|text: String| text.len() as u64, "four".to_owned());
    #[cfg(wrong = "launched_captures")]
    let _child = Process::spawn_fn(move |more: u64| number + more, 1u64);

    let process = Process::spawn(|| 1u64).unwrap();
    #[cfg(wrong = "after_timeout")]
    let _result = process.join_timeout(Duration::ZERO);
    let _pid = process.pid();
    let _result = process.join();
    #[cfg(wrong = "after_join")]
    let _pid = process.pid();
    #[cfg(wrong = "joined_twice")]
    let _result = process.join();
}
