//! What a proxy holds of its object.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::error::ManagerError;
use super::super::wire::{Blob, Items, Op, Reply};
use super::pool::Client;
use crate::multi::object::is_bequeathing;
use crate::sys::fork;

/// Who is asked.
#[derive(Clone, Copy)]
pub(in super::super) struct Target {
    pub(in super::super) id: u64,
    /// What an error calls it.
    pub(in super::super) kind: &'static str,
}

impl Target {
    /// The server itself.
    pub(in super::super) const SERVER: Self = Self { id: super::super::wire::SERVER, kind: "manager" };
}

/// A lease of one object. The clones of a proxy share it.
pub(in super::super) struct Handle {
    client: Arc<Client>,
    target: Target,
    pid: i32,
}

impl Handle {
    /// The lease that the server has just given this process.
    pub(in super::super) fn new(client: Arc<Client>, target: Target) -> Self {
        Self { client, target, pid: fork::own_pid() }
    }

    pub(in super::super) fn target(&self) -> Target {
        self.target
    }

    pub(in super::super) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Asks the object.
    pub(in super::super) fn ask<R>(
        &self,
        op: Op<'_>,
        read: impl FnOnce(Reply<'_>) -> Option<R>,
    ) -> Result<R, ManagerError> {
        self.client.ask(self.target, op, read)
    }

    /// Asks for something of which only the success matters.
    pub(in super::super) fn tell(&self, op: Op<'_>) -> Result<(), ManagerError> {
        self.ask(op, |_| Some(()))
    }

    pub(in super::super) fn ask_flag(&self, op: Op<'_>) -> Result<bool, ManagerError> {
        self.ask(op, |reply| if let Reply::Flag(flag) = reply { Some(flag) } else { None })
    }

    pub(in super::super) fn ask_count(&self, op: Op<'_>) -> Result<usize, ManagerError> {
        self.ask(op, |reply| if let Reply::Count(count) = reply { usize::try_from(count).ok() } else { None })
    }

    pub(in super::super) fn ask_bytes(&self, op: Op<'_>) -> Result<Vec<u8>, ManagerError> {
        self.ask(op, |reply| if let Reply::Bytes(bytes) = reply { Some(bytes.0.to_vec()) } else { None })
    }

    pub(in super::super) fn ask_value<T: DeserializeOwned>(&self, op: Op<'_>) -> Result<T, ManagerError> {
        self.ask(op, |reply| if let Reply::Bytes(bytes) = reply { value(bytes) } else { None })
    }

    /// Asks for something that may be there, as bytes.
    pub(in super::super) fn ask_maybe_bytes(&self, op: Op<'_>) -> Result<Option<Vec<u8>>, ManagerError> {
        self.ask(op, |reply| match reply {
            Reply::Maybe(bytes) => Some(bytes.map(|bytes| bytes.0.to_vec())),
            _ => None,
        })
    }

    /// Asks for something that may be there.
    pub(in super::super) fn ask_maybe<T: DeserializeOwned>(&self, op: Op<'_>) -> Result<Option<T>, ManagerError> {
        self.ask(op, |reply| match reply {
            Reply::Maybe(Some(bytes)) => value(bytes).map(Some),
            Reply::Maybe(None) => Some(None),
            _ => None,
        })
    }

    pub(in super::super) fn ask_many<T: DeserializeOwned>(&self, op: Op<'_>) -> Result<Vec<T>, ManagerError> {
        self.ask(op, |reply| match reply {
            Reply::Many(all) => all.into_iter().map(value).collect(),
            _ => None,
        })
    }

    /// The bytes of a value.
    pub(in super::super) fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Vec<u8>, ManagerError> {
        postcard::to_stdvec(value).map_err(|error| self.codec(&error.to_string()))
    }

    /// Appends a value to what will be the bytes of [`Items`].
    pub(in super::super) fn append<T: Serialize>(&self, value: &T, items: &mut Vec<u8>) -> Result<(), ManagerError> {
        Items::append(&self.encode(value)?, items).map_err(|error| self.codec(&error.to_string()))
    }

    /// The value of bytes.
    pub(in super::super) fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, ManagerError> {
        value(Blob(bytes)).ok_or_else(|| self.codec("the bytes are of another type"))
    }

    fn codec(&self, reason: &str) -> ManagerError {
        ManagerError::Codec { object: self.client.name(self.target), reason: reason.to_owned() }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // What a child was forked with is its parent's; its own use of it is leased until its end. What was given to a child the parent
        // keeps for it, as the child has not used it yet.
        if self.pid == fork::own_pid() && !is_bequeathing() {
            self.client.release(self.target.id);
        }
    }
}

/// The value of bytes.
pub(in super::super) fn value<T: DeserializeOwned>(bytes: Blob<'_>) -> Option<T> {
    super::super::wire::read(bytes.0)
}
