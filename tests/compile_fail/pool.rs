//! A worker was forked long before its task came: a task is code alone, and its argument a message.
//~ captures: E0080 must not capture
//~ map_captures: E0080 must not capture
//~ init_captures: E0080 must not capture
//~ barrier_captures: E0080 must not capture
//~ borrows: E0373 closure may outlive the current function
//~ takes_str: E0277 `&str` cannot go from one process to another
//~ takes_str: E0277 `&str` is not plain data
//~ returns_vec: E0277 `Vec<u64>` cannot go from one process to another
//~ returns_vec: E0277 `Vec<u64>` is not plain data
//~ result_twice: E0382 `result`
//~ after_join: E0382 `pool`
//~ typed_borrows: E0597 `factor` does not live long enough

use std::num::NonZeroUsize;

use pinring::multi::{Barrier, Pool, Serde};

fn main() {
    let factor = 3u64;
    let pool = Pool::with_processes(2).unwrap();
    let _squares = pool.map(|x: u64| x * x, 0..10);
    #[cfg(wrong = "captures")]
    let _result = pool.apply(move |x: u64| x * factor, 1);
    #[cfg(wrong = "map_captures")]
    let _result = pool.map(move |x: u64| x * factor, 0..10);
    #[cfg(wrong = "borrows")]
    let _result = pool.apply(|x: u64| x * factor, 1);
    #[cfg(wrong = "takes_str")]
    let _result = pool.apply(|x: &str| x.len() as u64, "four");
    #[cfg(wrong = "returns_vec")]
    let _result = pool.apply(|x: u64| vec![x], 1);
    #[cfg(not(wrong))]
    let _result = pool.apply(|x: u64| Serde::<_, 240>(vec![x]), 1);

    let _init = Pool::builder().init(|_| Ok(()));
    #[cfg(wrong = "init_captures")]
    let _init = Pool::builder().init(move |_| if factor == 3 { Ok(()) } else { Err(String::new()) });
    let _typed = Pool::builder().build_with(move |_| factor, |factor, x: u64| x * *factor);
    #[cfg(wrong = "typed_borrows")]
    let _typed = Pool::builder().build_with(
        {
            let factor = &factor;
            move |_| *factor
        },
        |factor, x: u64| x * *factor,
    );
    let _barrier = Barrier::with_action(NonZeroUsize::MIN, || ());
    #[cfg(wrong = "barrier_captures")]
    let _barrier = Barrier::with_action(NonZeroUsize::MIN, move || drop(factor));

    let result = pool.apply_async(|x: u64| x + 1, 1).unwrap();
    let _value = result.get();
    #[cfg(wrong = "result_twice")]
    let _value = result.get();
    let _stats = pool.join();
    #[cfg(wrong = "after_join")]
    let _result = pool.apply(|x: u64| x + 1, 1);
}
