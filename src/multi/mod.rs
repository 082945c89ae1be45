//! Python's `multiprocessing`, typed, and with a defined outcome when a participant dies.
//!
//! | Python | here | what differs, and why |
//! |---|---|---|
//! | `Process(target=f, args=...)`, `start()` | [`Process::spawn`], [`Process::builder`] | made is started: there is no process that was not; it returns a value |
//! | `set_start_method`, forkserver | [`init`], [`Process::spawn_fn`] | a fork where that is safe; else the *launcher* forks, a process without threads |
//! | `join(timeout)`, then look | [`Process::join_timeout`] | gives the handle back: a timeout cannot be overlooked |
//! | `exitcode`, `terminate`, `kill`, `sentinel` | the same | how it ended is known to any number of joiners; nothing stays a zombie |
//! | `current_process`, `parent_process`, `active_children` | [`current_process`], [`parent_process`], [`active_children`] | |
//! | `cpu_count` | [`cpu_count`], [`available_cores`] | the second knows affinity, cpuset and quota, and counts physical cores |
//! | `Pipe` | [`pipe()`], [`duplex`] | typed; the end is seen without closing copies, and a peer that died is named |
//! | `connection.wait` | [`wait()`] | also queues and events; for sockets poll(2), with [`Process::sentinel`]: see [`Waitable`] |
//! | `Connection.send_bytes`, `Listener`, `Client` | [`BytesConn`], [`Listener`], [`connect`] | a handshake has a time limit; nothing is unpickled |
//! | `Queue`, `SimpleQueue` | [`queue()`], [`Queue`] | `put` returns when the value is there: no thread, no `join_thread`, `empty` is true to its name; bounded |
//! | `SimpleQueue` from one to one | [`spsc::queue`] | at the speed of a [ring](crate::ring): neither end can be cloned |
//! | `JoinableQueue`, `task_done` | [`Consumer::lease`], [`Leased::ack`] | what a dead consumer had in hand comes again, marked with its attempt |
//! | none | [`Shutdown`], the end of `for value in &consumer` | no sentinels |
//! | `Lock`, `RLock` | [`Lock`], [`ReentrantLock`], [`Mutex`], [`ReentrantMutex`] | released by a guard, by nobody else; an owner's death is told to the next |
//! | `Semaphore`, `BoundedSemaphore` | [`Semaphore`] | permits of the dead come back |
//! | `Condition`, `Event`, `Barrier` | [`Condvar`], [`Event`], [`Barrier`] | a dead sleeper keeps nobody waiting |
//! | `Value`, `Array` | [`Value`], [`Array`] | `update` and `fetch_add` lose nothing; parts of an array without a lock |
//! | `shared_memory`, `ShareableList` | [`SharedMemory`], [`Blob`], [`SharedBlob`] | a name says whose it is: a dead one's is taken over, nobody else's is deleted |
//! | `Pool` | [`Pool`] | one worker per physical core; a task whose worker died says so, or is [tried again](Retry) |
//! | none (`pebble`'s `timeout`) | [`TaskBuilder::deadline`], [`IMap::deadline`], [`MapBuilder::deadline`] | who is at it at the deadline is killed and replaced |
//! | `initializer=` with state | [`PoolBuilder::build_with`] | may capture, and keeps a value in each worker |
//! | `AsyncResult`, `Future` | [`AsyncResult`] | can be cancelled; a callback harms nobody |
//! | `Manager` | [`Manager`] | compare-and-exchange; what a dead client held is freed; values, not code, on the wire |
//! | `log_to_stderr` | [`log_to_stderr`] | lines are whole |
//! | `atexit` | [`at_exit`], [`exit`] | not inherited |
//!
//! # What goes from one process to another
//!
//! A [`Message`]: numbers, arrays, tuples, `Option`, `Result`, structs made by [`pod!`]; anything that serde can write in a [`Serde`]; the
//! objects of this module themselves, a [manager's proxies](Proxy) among them. Large data goes by handle, in a [`Blob`].
//!
//! # Who holds what
//!
//! All processes that descend from the one that called [`init`] share one memory. Each object in it counts, per process, who holds it. What
//! the work of a [`Process::spawn`] has captured is the child's from then on; all else stays the parent's. When a process ends, however it
//! does, the launcher gives back what it held, undoes what it had begun, and wakes those who may have waited for it.
//!
//! # What a process is born with
//!
//! One that is forked ([`Process::spawn`]) is a copy of its parent. One that is launched ([`Process::spawn_fn`], a pool's worker) is a copy
//! of the program as it was at [`init`]: its statics, working directory and environment are of that moment, and of the descriptors that
//! were open then it has 0, 1 and 2; one that a static holds can be neither read nor written. In both a panic is shown as one line, by a panic hook that
//! takes the place of the program's; set another in the child, or in the [`init`](PoolBuilder::init) of a pool. (With `RUST_BACKTRACE=1`
//! the line is followed by the backtrace.) What is forked by other means, as by `libc::fork`, is no process of the family, and must not use
//! what it has inherited of it.
//!
//! # What it costs
//!
//! An object takes pages of the shared memory, one of 4 KiB at least: a million locks are better a [`Mutex`] of an array, or parts of an
//! [`Array`]. The memory is given back when the last holder of the object goes.
//!
//! # What is not promised
//!
//! If the launcher itself is killed, its parent, the *guardian*, goes on in its place at once. A process that was started in that very
//! moment may end with it before it has begun, which [`Process::join`] tells. The guardian has none of its own: if both are killed,
//! processes can be forked but not launched, and nothing is given back any more. Whoever waits for one that dies then waits for ever, except
//! for a task of a pool, which is [broken](TaskError::Broken) then. A pool's workers, and others that were launched to end with their
//! parent, still end when nobody else of the program is left. A stopped process (SIGSTOP) is not dead: others wait for it, a manager's
//! clients [as long as they like](Manager::set_silence_limit). A family has at most 253 processes besides its first at a time,
//! those that stand by for the next start among them, and [`Pool`] tasks must not capture anything, which is seen when the program is built (not by `cargo check`).

#[cfg(test)]
mod alone;
#[allow(unsafe_code)]
mod arena;
#[allow(unsafe_code)]
mod array;
#[allow(unsafe_code)]
mod barrier;
mod bell;
#[allow(unsafe_code)]
mod blob;
mod burial;
#[allow(unsafe_code)]
mod child;
mod compound;
mod condvar;
mod cpu;
mod error;
#[allow(unsafe_code)]
mod event;
mod exit_status;
mod family;
#[cfg(test)]
#[cfg(not(miri))]
mod goods_schedules;
mod guardian;
mod info;
mod launcher;
mod left_alone;
mod lock;
mod logging;
mod manager;
mod member;
mod message;
#[allow(unsafe_code)]
mod mutex;
mod net;
#[allow(unsafe_code)]
mod no_size;
mod object;
mod passing;
#[cfg(test)]
#[cfg(not(miri))]
mod peer_schedules;
mod permits;
mod pipe;
#[allow(unsafe_code)]
mod plain;
mod pool;
mod process;
#[allow(unsafe_code)]
mod process_builder;
mod queue;
mod raw_lock;
mod recount;
#[allow(unsafe_code)]
mod reentrant;
#[allow(unsafe_code)]
mod room;
mod rounds;
#[cfg(test)]
#[cfg(not(miri))]
mod schedules;
mod semaphore;
#[allow(unsafe_code)]
mod shared_memory;
pub mod spsc;
mod standby;
mod sweep;
mod thread;
#[cfg(test)]
mod threads;
mod too_large;
mod unit;
#[allow(unsafe_code)]
mod value;
mod wait;
mod waiting;
mod waybill;
mod word;

pub use array::{Array, ArrayGuard, ArrayPart, OutOfBounds};
pub use barrier::Barrier;
pub use blob::{Blob, SharedBlob};
pub use child::{at_exit, exit, run_exit_hooks};
pub use condvar::Condvar;
pub use cpu::{Core, available_cores, cpu_count};
pub use error::{
    BarrierError, Death, DecodeError, ExitStatus, GetError, JoinError, LockError, LockResult, PanicInfo, PutError,
    RecvError, SpawnError, TooLarge,
};
pub use event::Event;
pub use family::{blocks_in_use, init};
pub use info::{ParentProcess, ProcessInfo, active_children, current_process, parent_process};
pub use lock::{Lock, LockGuard, ReentrantLock, ReentrantLockGuard};
pub use logging::log_to_stderr;
pub use manager::{
    Manager, ManagerBuilder, ManagerError, ManagerStats, Proxy, RArray, RBarrier, RDict, REvent, RList, RLock,
    RLockGuard, RNamespace, RPermit, RQueue, RSemaphore, RService, RValue, Service, ServiceError, Wire, answer,
};
pub use message::{Message, Reader, Serde, Writer};
pub use mutex::{Mutex, MutexGuard};
pub use net::{
    AcceptError, Addr, AddrError, AuthKey, BytesConn, HANDSHAKE_LIMIT, Incoming, Listener, MAX_MESSAGE, RecvBytesError,
    SendBytesError, connect, connect_unauthenticated,
};
pub use pipe::{Connection, Receiver, Sender, duplex, pipe};
pub use plain::{Pod, pod};
pub use pool::{
    AsyncResult, IMap, IMapUnordered, MapBuilder, MapError, Pool, PoolBuilder, PoolStats, Retry, TaskBuilder,
    TaskError, TypedPool, WorkerContext, WorkerInfo, task_attempt,
};
pub use process::Process;
pub use process_builder::ProcessBuilder;
pub use queue::{Consumer, Iter, Leased, Producer, Queue, Shutdown, queue};
pub use reentrant::{ReentrantMutex, ReentrantMutexGuard};
pub use semaphore::{Overflow, Permit, Semaphore};
pub use shared_memory::{SharedMemory, SharedMemoryError};
pub use value::{Number, Value};
pub use wait::{Waitable, wait};
