//! Python's tutorial of `multiprocessing.Pool`: squares by `map` and by `apply_async`.
//!
//! `cargo run --example multi_squares`

use pinring::multi::Pool;

// def job(x): return x*x
fn job(x: i64) -> i64 {
    x * x
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // pool = mp.Pool(): a process on each core.
    let pool = Pool::new()?;
    // res = pool.map(job, range(10))
    println!("{:?}", pool.map(job, 0..10)?);
    // res = pool.apply_async(job, (2,)); print(res.get())
    println!("{}", pool.apply_async(job, 2)?.get()?);
    // multi_res = [pool.apply_async(job, (i,)) for i in range(10)]
    let results = (0..10).map(|i| pool.apply_async(job, i)).collect::<Result<Vec<_>, _>>()?;
    // print([res.get() for res in multi_res])
    println!("{:?}", results.into_iter().map(|result| result.get()).collect::<Result<Vec<_>, _>>()?);
    pool.close();
    pool.join();
    Ok(())
}
