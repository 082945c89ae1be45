//! A proxy in a message: where its server is, what that must be told, and which object it is.

use std::sync::Arc;

use super::super::proxy::Sealed;
use super::super::wire::{Op, Reply};
use super::handle::{Handle, Target};
use super::known;
use crate::multi::error::{DecodeError, TooLarge};
use crate::multi::message::{Message, Reader, Serde, Writer};
use crate::multi::net::AuthKey;

/// Address, key, number of the server, number of the object.
type Passport = Serde<(String, Vec<u8>, u64, u64), 240>;

pub(in super::super) const SLOT: usize = Passport::SLOT;

pub(in super::super) fn write(handle: &Handle, out: &mut Writer<'_>) -> Result<(), TooLarge> {
    let client = handle.client();
    let (address, key) = (client.address().to_string(), client.key().as_bytes().to_vec());
    let passport: Passport = Serde((address, key, client.incarnation().unwrap_or(0), handle.target().id));
    passport.encode(out)
}

/// Makes a proxy of this process's own, by asking the server.
pub(in super::super) fn read<P: Sealed>(from: &mut Reader<'_>) -> Result<P, DecodeError> {
    let Serde((address, key, incarnation, id)) = Passport::decode(from)?;
    let address = address.parse().map_err(|error: crate::multi::net::AddrError| DecodeError(error.to_string()))?;
    let target = Target { id, kind: P::KIND };
    let ask = || {
        let client = known::find(&address, &AuthKey::from_bytes(&key), incarnation)?;
        let op = Op::Lease { type_name: std::any::type_name::<P>() };
        client.ask(target, op, |reply| matches!(reply, Reply::Nothing).then_some(()))?;
        Ok(client)
    };
    let client = ask().map_err(|error: super::super::error::ManagerError| DecodeError(error.to_string()))?;
    Ok(P::from_handle(Arc::new(Handle::new(client, target))))
}
