//! Python's `multiprocessing`, without its faults.

#[allow(unsafe_code)]
mod arena;
mod bell;
#[allow(unsafe_code)]
mod child;
mod cpu;
mod error;
mod family;
mod info;
mod launcher;
mod logging;
mod manager;
mod member;
#[allow(unsafe_code)]
mod message;
mod net;
mod object;
mod pipe;
mod pool;
#[allow(unsafe_code)]
mod process;
mod queue;
mod sweep;
mod wait;
mod word;

pub use child::{at_exit, exit, run_exit_hooks};
pub use cpu::{Core, available_cores, cpu_count};
pub use error::{
    BarrierError, Death, DecodeError, ExitStatus, GetError, JoinError, LockError, LockResult, PanicInfo, PutError,
    RecvError, SpawnError, TooLarge,
};
pub use family::init;
pub use info::{ParentProcess, ProcessInfo, active_children, current_process, parent_process};
pub use logging::log_to_stderr;
pub use manager::{
    Manager, ManagerBuilder, ManagerError, ManagerStats, Proxy, RArray, RBarrier, RDict, REvent, RList, RLock,
    RLockGuard, RNamespace, RPermit, RQueue, RSemaphore, RService, RValue, Service, ServiceError, Wire, answer,
};
pub use message::{Message, Pod, Reader, Serde, Writer, pod};
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
pub use wait::{Waitable, wait};
