//! A guard is where the lock is held, and the only way to what it guards.
//~ string_within: E0277 `String` is not plain data
//~ to_a_process: E0277 cannot be sent between threads safely
//~ to_a_thread: E0277 cannot be sent between threads safely
//~ outlives: E0505 cannot move out of `mutex`
//~ reference_outlives: E0505 cannot move out of `guard`
//~ without_guard: E0614 cannot be dereferenced
//~ released_by_hand: E0599 no method named `release`
//~ wait_without_guard: E0308 mismatched types
//~ array_guard_outlives: E0505 cannot move out of `array`
//~ permit_outlives: E0505 cannot move out of `semaphore`
//~ permit_to_a_process: E0597 `semaphore` does not live long enough

use pinring::multi::{Array, Condvar, Lock, Mutex, Process, Semaphore};

fn main() {
    #[cfg(wrong = "string_within")]
    let _mutex = Mutex::new(String::new());
    let mutex = Mutex::new(0i64).unwrap();
    let forever: &'static Mutex<i64> = Box::leak(Box::new(mutex.clone()));
    let kept = forever.lock().unwrap();
    #[cfg(wrong = "to_a_process")]
    let kept = Process::spawn(move || drop(kept));
    #[cfg(wrong = "to_a_thread")]
    let kept = std::thread::spawn(move || drop(kept));
    drop(kept);

    let mut guard = mutex.lock().unwrap();
    #[cfg(wrong = "outlives")]
    drop(mutex);
    let inside = &mut *guard;
    #[cfg(wrong = "reference_outlives")]
    drop(guard);
    *inside += 1;
    #[cfg(wrong = "without_guard")]
    let _value = *mutex;
    #[cfg(wrong = "wait_without_guard")]
    let _woken = Condvar::new().unwrap().wait(&mutex);
    #[cfg(not(wrong))]
    let _woken = Condvar::new().unwrap().wait(guard);

    let lock = Lock::new().unwrap();
    let held = lock.acquire().unwrap();
    #[cfg(wrong = "released_by_hand")]
    lock.release();
    drop(held);

    let array = Array::<u8>::zeroed(4).unwrap();
    let mut bytes = array.lock().unwrap();
    #[cfg(wrong = "array_guard_outlives")]
    drop(array);
    bytes[0] = 1;

    let semaphore = Semaphore::new(1).unwrap();
    let permit = semaphore.acquire();
    #[cfg(wrong = "permit_outlives")]
    drop(semaphore);
    #[cfg(wrong = "permit_to_a_process")]
    let permit = Process::spawn(move || drop(permit));
    drop(permit);
}
