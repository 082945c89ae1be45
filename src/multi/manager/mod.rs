//! A process that holds objects for others, on this machine or over a network: Python's `Manager`.
//!
//! Each call of a proxy is one request and one answer over an authenticated connection ([`net`](super::net)); what travels are the
//! bytes that serde and postcard make of declared types, so a peer can send a wrong value but run nothing. Nobody who dies takes
//! anything along: the server notices the end of a client's connections and frees what it held.

mod access;
mod builder;
mod client;
mod error;
mod process;
mod proxy;
mod server;
mod service;
mod wire;

pub use access::Manager;
pub use builder::ManagerBuilder;
pub use error::ManagerError;
pub use proxy::{
    Proxy, RArray, RBarrier, RDict, REvent, RList, RLock, RLockGuard, RNamespace, RPermit, RQueue, RSemaphore,
    RService, RValue, Wire,
};
pub use service::{Service, ServiceError, answer};
pub use wire::ManagerStats;
