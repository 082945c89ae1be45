//! Where and how a server is to be.

use std::time::Duration;

use super::access::Manager;
use super::client::Client;
use super::error::ManagerError;
use super::process::ServerProcess;
use super::server::{Server, Settings};
use super::service::{Registration, Service};
use super::wire::SessionToken;
use crate::multi::net::{Addr, AuthKey, HANDSHAKE_LIMIT, Listener, MAX_MESSAGE};
use crate::sys::random;

/// Longest request and answer, unless said otherwise.
const DEFAULT_MAX_MESSAGE: usize = 64 << 20;
/// Connections at a time, unless said otherwise.
const DEFAULT_MAX_CONNECTIONS: usize = 1024;

/// Where and how a server is to be. Made by [`Manager::builder`].
///
/// ```
/// use std::time::Duration;
/// use pinring::multi::{AuthKey, Manager};
///
/// let builder = Manager::builder().address("tcp:127.0.0.1:0".parse()?).authkey(AuthKey::random());
/// let manager = builder.max_message(1 << 20).handshake_limit(Duration::from_secs(1)).start()?;
/// assert!(manager.address().to_string().starts_with("tcp:127.0.0.1:"));
/// manager.shutdown()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is started yet"]
pub struct ManagerBuilder {
    address: Addr,
    key: Option<AuthKey>,
    services: Vec<Registration>,
    max_message: usize,
    max_connections: usize,
    handshake_limit: Duration,
}

impl Default for ManagerBuilder {
    fn default() -> Self {
        Self {
            address: Addr::Auto,
            key: None,
            services: Vec::new(),
            max_message: DEFAULT_MAX_MESSAGE,
            max_connections: DEFAULT_MAX_CONNECTIONS,
            handshake_limit: HANDSHAKE_LIMIT,
        }
    }
}

impl ManagerBuilder {
    /// Where it listens; otherwise at a new Unix socket in the temp directory.
    pub fn address(mut self, address: Addr) -> Self {
        self.address = address;
        self
    }

    /// The key that clients need; otherwise a new random one, see [`Manager::authkey`].
    pub fn authkey(mut self, key: AuthKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Lets clients make objects of the service `S`.
    pub fn register<S: Service>(mut self) -> Self {
        self.services.push(Registration::of::<S>());
        self
    }

    /// Longest request and answer, in bytes: 64 MiB otherwise, at most 1 GiB. A client that sends a longer one is hung up on. A request
    /// may bring one item for a list or an array for each 8 of these bytes, as small items take more memory there than on their way: with
    /// more it is refused, [`ManagerError::TooMany`].
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes.min(MAX_MESSAGE);
        self
    }

    /// How many connections there may be at a time: 1024 otherwise. Each costs a thread; more are hung up on.
    /// Strangers who have not proved their key count as long as they may take for it.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// How long a client has to prove its key: 5 s otherwise.
    pub fn handshake_limit(mut self, limit: Duration) -> Self {
        self.handshake_limit = limit;
        self
    }

    /// Forks a server process, and returns when it serves. It ends with the calling process, and ignores SIGINT, SIGTERM and SIGHUP,
    /// which are for the caller.
    ///
    /// # Errors
    /// [`ManagerError::Io`] if the address is in use; [`ManagerError::Spawn`] if this process has other threads, or the system refuses.
    /// Then there is no process left over.
    pub fn start(self) -> Result<Manager, ManagerError> {
        let mut token = SessionToken::default();
        random::fill(&mut token).map_err(|source| self.failed(source))?;
        let (listener, key) = self.listen()?;
        let address = listener.address();
        let server = ServerProcess::fork(listener, self.settings(Some(token)), token)?;
        // Its socket has a queue already: this waits for the server. If it fails the drop of `server` ends it.
        let client = Client::connect(&address, &key)?;
        Ok(Manager::started(client, server))
    }

    /// Serves in this process, in threads, for ever: for a program that is nothing else. Signals do what they do in this program.
    ///
    /// # Errors
    /// [`ManagerError::Io`] if the address is in use, or the system does not go on.
    pub fn serve_forever(self) -> Result<(), ManagerError> {
        let (listener, _) = self.listen()?;
        let server = Server::new(self.settings(None)).map_err(|source| self.failed(source))?;
        server.serve(&listener, None).map_err(|source| self.failed(source))
    }

    fn listen(&self) -> Result<(Listener, AuthKey), ManagerError> {
        let key = match &self.key {
            Some(key) => key.clone(),
            None => AuthKey::try_random().map_err(|source| self.failed(source))?,
        };
        let listener = Listener::bind(&self.address, key.clone()).map_err(|source| self.failed(source))?;
        Ok((listener.handshake_limit(self.handshake_limit), key))
    }

    fn settings(&self, stop_token: Option<SessionToken>) -> Settings {
        Settings {
            services: self.services.clone(),
            max_message: self.max_message,
            max_connections: self.max_connections,
            stop_token,
        }
    }

    fn failed(&self, source: std::io::Error) -> ManagerError {
        ManagerError::Io { address: self.address.to_string(), source }
    }
}
