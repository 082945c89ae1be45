//! Python's `multiprocessing`, without its faults.

#[allow(unsafe_code)]
mod arena;
#[allow(unsafe_code)]
mod array;
#[allow(unsafe_code)]
mod barrier;
mod bell;
#[allow(unsafe_code)]
mod blob;
#[allow(unsafe_code)]
mod child;
mod condvar;
mod cpu;
mod error;
#[allow(unsafe_code)]
mod event;
mod family;
mod info;
mod launcher;
mod lock;
mod logging;
mod manager;
mod member;
#[allow(unsafe_code)]
mod message;
#[allow(unsafe_code)]
mod mutex;
mod net;
#[allow(unsafe_code)]
mod no_size;
mod object;
mod passing;
mod permits;
mod pipe;
mod pool;
#[allow(unsafe_code)]
mod process;
mod queue;
mod raw_lock;
#[allow(unsafe_code)]
mod reentrant;
#[allow(unsafe_code)]
mod room;
mod rounds;
mod semaphore;
#[allow(unsafe_code)]
mod shared_memory;
mod sweep;
#[allow(unsafe_code)]
mod value;
mod wait;
mod waiting;
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
pub use message::{Message, Pod, Reader, Serde, Writer, pod};
pub use mutex::{Mutex, MutexGuard};
pub use net::{
    AcceptError, Addr, AddrError, AuthKey, BytesConn, HANDSHAKE_LIMIT, Incoming, Listener, MAX_MESSAGE, RecvBytesError,
    SendBytesError, connect, connect_unauthenticated,
};
pub use pipe::{Connection, Receiver, Sender, duplex, pipe};
pub use pool::{
    AsyncResult, IMap, IMapUnordered, MapBuilder, MapError, Pool, PoolBuilder, PoolStats, Retry, TaskError, TypedPool,
    WorkerContext, WorkerInfo, task_attempt,
};
pub use process::{Process, ProcessBuilder};
pub use queue::{Consumer, Iter, Leased, Producer, Queue, Shutdown, queue};
pub use reentrant::{ReentrantMutex, ReentrantMutexGuard};
pub use semaphore::{Overflow, Permit, Semaphore};
pub use shared_memory::{SharedMemory, SharedMemoryError};
pub use value::{Number, Value};
pub use wait::{Waitable, wait};
