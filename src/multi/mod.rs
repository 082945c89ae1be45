//! Python's `multiprocessing`, without its faults.

mod manager;
mod net;

pub use manager::{
    Manager, ManagerBuilder, ManagerError, ManagerStats, Proxy, RArray, RBarrier, RDict, REvent, RList, RLock,
    RLockGuard, RNamespace, RPermit, RQueue, RSemaphore, RService, RValue, Service, ServiceError, Wire, answer,
};
pub use net::{
    AcceptError, Addr, AddrError, AuthKey, BytesConn, HANDSHAKE_LIMIT, Incoming, Listener, MAX_MESSAGE, RecvBytesError,
    SendBytesError, connect, connect_unauthenticated,
};
