//! The servers that this process knows, so that a proxy that comes in a message is asked the way that there is.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::super::error::ManagerError;
use super::pool::Client;
use crate::multi::net::{Addr, AuthKey};

/// What this process has connected to by itself.
static KNOWN: Mutex<Vec<Weak<Client>>> = Mutex::new(Vec::new());
/// What it was told of in messages: kept, as the next message may be about the same.
static TOLD: Mutex<Vec<Arc<Client>>> = Mutex::new(Vec::new());

/// From now on it is known.
pub(in super::super) fn introduce(client: &Arc<Client>) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|client| client.strong_count() > 0);
    known.push(Arc::downgrade(client));
}

/// The way to that server, which is asked for its number.
pub(super) fn find(address: &Addr, key: &AuthKey, incarnation: u64) -> Result<Arc<Client>, ManagerError> {
    let is_that = |client: &Arc<Client>| client.address() == address && client.incarnation() == Some(incarnation);
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).find(is_that);
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = known.or_else(|| told.iter().find(|client| is_that(client)).cloned()) {
        return Ok(client);
    }
    let client = Arc::new(Client::connect(address, key)?);
    if !is_that(&client) {
        let (address, object) = (address.to_string(), format!("the manager at {address} that a proxy is of"));
        return Err(ManagerError::ServerDied { address, object });
    }
    // One server at a time is at an address.
    told.retain(|client| client.address() != address);
    told.push(Arc::clone(&client));
    Ok(client)
}
