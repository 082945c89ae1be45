//! The secret that both ends of a connection share.

use std::fmt;
use std::io;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::sys::random;

/// A secret that both ends of a connection must know. `Debug` does not show it.
///
/// Whoever has it may do everything that the other end offers; who has not, nothing. It proves who connects; it does not encrypt.
///
/// ```
/// use pinring::multi::AuthKey;
///
/// let key = AuthKey::random();
/// let file = std::env::temp_dir().join(format!("key-{}", std::process::id()));
/// std::fs::write(&file, key.as_bytes())?;
/// assert!(AuthKey::from_bytes(&std::fs::read(&file)?) == key);
/// std::fs::remove_file(&file)?;
/// assert_eq!(format!("{key:?}"), "AuthKey(..)");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct AuthKey(Vec<u8>);

impl AuthKey {
    /// A new key of 32 random bytes.
    ///
    /// # Errors
    /// What getrandom(2) answered, which it does on no Linux that runs this crate.
    pub fn try_random() -> io::Result<Self> {
        let mut key = vec![0; 32];
        random::fill(&mut key)?;
        Ok(Self(key))
    }

    /// A new key of 32 random bytes.
    ///
    /// # Panics
    /// If the kernel has no random numbers (before Linux 3.17): a guessable key would be worse. [`Self::try_random`] does not panic.
    pub fn random() -> Self {
        match Self::try_random() {
            Ok(key) => key,
            Err(error) => panic!("the kernel has no random numbers for a key: {error}"),
        }
    }

    /// The key that consists of `bytes`, from a file for instance. An empty one is a key that everybody knows.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_owned())
    }

    /// Its bytes, to be written where the other end can read them and nobody else.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The proof of knowing it, bound to `parts` in this order.
    pub(super) fn prove(&self, parts: [&[u8]; 4]) -> [u8; 32] {
        self.mac(parts).finalize().into_bytes().into()
    }

    /// Whether `proof` is that of somebody who knows it. Takes as long for a wrong one as for the right one.
    pub(super) fn accepts(&self, parts: [&[u8]; 4], proof: &[u8]) -> bool {
        self.mac(parts).verify_slice(proof).is_ok()
    }

    fn mac(&self, parts: [&[u8]; 4]) -> Hmac<Sha256> {
        // HMAC takes a key of any length (RFC 2104): the error exists for other algorithms of the trait only.
        let mut mac = match Hmac::<Sha256>::new_from_slice(&self.0) {
            Ok(mac) => mac,
            Err(error) => unreachable!("HMAC takes every key: {error}"),
        };
        parts.iter().for_each(|part| mac.update(part));
        mac
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_that_of_rfc_4231_and_for_one_key_and_one_order_only() {
        // RFC 4231, test case 2.
        let key = AuthKey::from_bytes(b"Jefe");
        let proof = key.prove([b"what do ya ", b"want ", b"for ", b"nothing?"]);
        assert_eq!(proof[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert!(key.accepts([b"what do ya want for nothing?", b"", b"", b""], &proof));
        assert!(!key.accepts([b"nothing?", b"what do ya ", b"want ", b"for "], &proof));
        assert!(!AuthKey::from_bytes(b"jefe").accepts([b"what do ya want for nothing?", b"", b"", b""], &proof));
        assert_ne!(AuthKey::random(), AuthKey::random());
        assert_eq!(format!("{key:?}"), "AuthKey(..)");
    }
}
