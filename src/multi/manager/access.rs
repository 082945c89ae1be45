//! The way to a server, and for who started it the server itself.

use std::any::type_name;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::builder::ManagerBuilder;
use super::client::{Client, Handle, Target, introduce};
use super::error::ManagerError;
use super::process::ServerProcess;
use super::proxy::{
    Proxy, RArray, RBarrier, RDict, REvent, RList, RLock, RNamespace, RQueue, RSemaphore, RService, RValue, Wire,
};
use super::service::Service;
use super::wire::{Blob, Items, Kind, ManagerStats, Op, Reply};
use crate::multi::net::{Addr, AuthKey};

/// A server process that holds objects, which any process on any machine that has the key can use.
///
/// Whoever [started](Self::start) the server ends it, by [`Self::shutdown`] or by dropping this; if that process dies the server does,
/// too. After a fork the child's copy is as one that is [connected](Self::connect).
///
/// ```
/// use pinring::multi::{AuthKey, Manager, RDict};
///
/// let key = AuthKey::from_bytes(b"from a file that only we can read");
/// let manager = Manager::builder().address("tcp:127.0.0.1:0".parse()?).authkey(key.clone()).start()?;
/// let dict = manager.dict::<String, i64>()?;
/// manager.publish("readings", &dict)?;
///
/// // In any other process, on any machine that can reach the address:
/// let there = Manager::connect(&manager.address(), &key)?;
/// let readings: RDict<String, i64> = there.lookup("readings")?;
/// readings.insert("x".into(), 1)?;
///
/// assert_eq!(dict.get(&"x".into())?, Some(1));
/// manager.shutdown()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Manager {
    client: Arc<Client>,
    server: Option<ServerProcess>,
}

impl Manager {
    /// Starts a server on this machine for this user, with a key of its own. See [`ManagerBuilder::start`].
    ///
    /// # Errors
    /// As [`ManagerBuilder::start`].
    pub fn start() -> Result<Self, ManagerError> {
        Self::builder().start()
    }

    /// To say where and how a server is to be.
    pub fn builder() -> ManagerBuilder {
        ManagerBuilder::default()
    }

    /// Connects to a running server.
    ///
    /// # Errors
    /// [`ManagerError::Auth`] if the keys differ, [`ManagerError::Connect`] if nobody listens there.
    pub fn connect(address: &Addr, key: &AuthKey) -> Result<Self, ManagerError> {
        Ok(Self::of(Client::connect(address, key)?, None))
    }

    pub(super) fn started(client: Client, server: ServerProcess) -> Self {
        Self::of(client, Some(server))
    }

    fn of(client: Client, server: Option<ServerProcess>) -> Self {
        let client = Arc::new(client);
        introduce(&client);
        Self { client, server }
    }

    /// From now on the server may be silent so long, towards this process and the children that it forks, in whatever they ask by this and by
    /// all proxies that come of this; `None`, as at the beginning: for ever.
    ///
    /// Silent is who answers nothing, as a process that is stopped (SIGSTOP) or a machine that is gone. A request that takes its time is not:
    /// when that has not been answered for so long the server is asked whether it is there, and if it is, which may take it as long again,
    /// the wait goes on. So it is safe to wait for ever for a lock or an item with this.
    ///
    /// After [`ManagerError::Silent`] the connection is given up, and the next request makes another: no answer is taken for that of another
    /// request. A server that goes on gives nothing to who has given up.
    ///
    /// # Errors
    /// If the server is not to be reached: a second connection is made, by which it knows that this process lives though it has given up
    /// others.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pinring::multi::{Manager, ManagerError};
    ///
    /// let manager = Manager::start()?;
    /// manager.set_silence_limit(Some(Duration::from_secs(2)))?;
    /// match manager.value(1)?.get() {
    ///     Err(ManagerError::Silent { .. }) => println!("it is stopped, or out of reach"),
    ///     other => assert_eq!(other?, 1),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_silence_limit(&self, limit: Option<Duration>) -> Result<(), ManagerError> {
        self.client.set_silence_limit(limit)
    }

    /// Where the server listens: the real address, for [`Self::connect`].
    pub fn address(&self) -> Addr {
        self.client.address().clone()
    }

    /// The key that a client needs.
    pub fn authkey(&self) -> AuthKey {
        self.client.key().clone()
    }

    /// The server's process id, for who has started it.
    pub fn pid(&self) -> Option<i32> {
        self.server.as_ref().map(ServerProcess::pid)
    }

    /// Ends the server and waits for that. What it holds is lost; clients get [`ManagerError::ServerDied`].
    ///
    /// # Errors
    /// [`ManagerError::Remote`] if this process has not started it, or if it ended badly; [`ManagerError::ServerDied`] if it has
    /// ended already.
    pub fn shutdown(mut self) -> Result<(), ManagerError> {
        match self.server.take() {
            Some(server) if server.is_ours() => server.shut_down(&self.client),
            _ => Err(ManagerError::Remote(format!(
                "{} can be shut down only by the process that has started it",
                self.client.name(Target::SERVER)
            ))),
        }
    }

    /// Gives an object a name by which others [look it up](Self::lookup), and which holds it until [`Self::withdraw`]. An object that
    /// had the name before loses it.
    ///
    /// # Errors
    /// [`ManagerError::Remote`] if the object is of another server; if the server is not to be reached.
    pub fn publish<P: Proxy>(&self, name: &str, proxy: &P) -> Result<(), ManagerError> {
        let handle = proxy.handle();
        let is_here = Arc::ptr_eq(handle.client(), &self.client) || handle.client().address() == self.client.address();
        if !is_here {
            let object = handle.client().name(handle.target());
            return Err(ManagerError::Remote(format!("{object} cannot have a name at {}", self.client.address())));
        }
        handle.tell(Op::Publish { name })
    }

    /// Takes a name away; whether there was one. Who has a proxy of the object keeps it.
    ///
    /// # Errors
    /// If the server is not to be reached.
    pub fn withdraw(&self, name: &str) -> Result<bool, ManagerError> {
        self.client.ask(Target::SERVER, Op::Withdraw { name }, |reply| match reply {
            Reply::Flag(was_there) => Some(was_there),
            _ => None,
        })
    }

    /// The object of that name.
    ///
    /// Types are compared by the name the compiler has for them: both programs must come from the same sources.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] if there is no such name, [`ManagerError::TypeMismatch`] if the object is of another type; if the
    /// server is not to be reached.
    pub fn lookup<P: Proxy>(&self, name: &str) -> Result<P, ManagerError> {
        let op = Op::Lookup { name, type_name: type_name::<P>() };
        let named = |error| match error {
            ManagerError::NotFound(_) => {
                ManagerError::NotFound(format!("`{name}` at {}", self.client.name(Target::SERVER)))
            }
            ManagerError::TypeMismatch { object, found, .. } => ManagerError::TypeMismatch {
                object: format!("`{name}` at {object}"),
                found,
                wanted: type_name::<P>().to_owned(),
            },
            other => other,
        };
        self.leased(op).map_err(named)
    }

    /// What the server holds, and for how many.
    ///
    /// # Errors
    /// If the server is not to be reached.
    pub fn stats(&self) -> Result<ManagerStats, ManagerError> {
        self.client.ask(Target::SERVER, Op::Stats, |reply| match reply {
            Reply::Stats(stats) => Some(stats),
            _ => None,
        })
    }

    fn create<P: Proxy>(&self, kind: Kind<'_>) -> Result<P, ManagerError> {
        self.leased(Op::Create { kind, type_name: type_name::<P>() })
    }

    fn leased<P: Proxy>(&self, op: Op<'_>) -> Result<P, ManagerError> {
        let id = self.client.ask(Target::SERVER, op, |reply| match reply {
            Reply::Count(id) => Some(id),
            _ => None,
        })?;
        let handle = Handle::new(Arc::clone(&self.client), Target { id, kind: P::KIND });
        Ok(P::from_handle(Arc::new(handle)))
    }

    fn encode<T: Wire>(&self, value: &T) -> Result<Vec<u8>, ManagerError> {
        postcard::to_stdvec(value).map_err(|error| self.codec(&error))
    }

    fn codec(&self, error: &postcard::Error) -> ManagerError {
        ManagerError::Codec { object: self.client.name(Target::SERVER), reason: error.to_string() }
    }
}

/// New objects. Each fails only if the server is not to be reached.
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
#[allow(clippy::needless_pass_by_value, reason = "as with a value of one's own, the caller is done with what goes in")]
impl Manager {
    /// A value, at first `value`.
    pub fn value<T: Wire>(&self, value: T) -> Result<RValue<T>, ManagerError> {
        self.create(Kind::Value(Blob(&self.encode(&value)?)))
    }

    /// An array of these values.
    pub fn array<T: Wire>(&self, values: impl IntoIterator<Item = T>) -> Result<RArray<T>, ManagerError> {
        let mut items = Vec::new();
        for value in values {
            Items::append(&self.encode(&value)?, &mut items).map_err(|error| self.codec(&error))?;
        }
        self.create(Kind::List(Items(Blob(&items))))
    }

    /// An empty list.
    pub fn list<T: Wire>(&self) -> Result<RList<T>, ManagerError> {
        self.create(Kind::List(Items(Blob(&[]))))
    }

    /// An empty dict.
    pub fn dict<K: Wire + Ord, V: Wire>(&self) -> Result<RDict<K, V>, ManagerError> {
        self.create(Kind::Dict)
    }

    /// An empty namespace.
    pub fn namespace(&self) -> Result<RNamespace, ManagerError> {
        self.create(Kind::Dict)
    }

    /// A lock that nobody holds.
    pub fn lock(&self) -> Result<RLock, ManagerError> {
        self.create(Kind::Lock)
    }

    /// A semaphore with so many permits.
    pub fn semaphore(&self, permits: usize) -> Result<RSemaphore, ManagerError> {
        self.create(Kind::Semaphore(permits as u64))
    }

    /// An event that is not set.
    pub fn event(&self) -> Result<REvent, ManagerError> {
        self.create(Kind::Event)
    }

    /// A barrier for so many parties; 0 is taken for 1.
    pub fn barrier(&self, parties: usize) -> Result<RBarrier, ManagerError> {
        self.create(Kind::Barrier(parties as u64))
    }

    /// A queue for so many items; 0 is without a limit, as in Python.
    pub fn queue<T: Wire>(&self, capacity: usize) -> Result<RQueue<T>, ManagerError> {
        self.create(Kind::Queue(capacity as u64))
    }

    /// An object of a service that the server has [registered](ManagerBuilder::register); [`ManagerError::NotFound`] if it has not,
    /// [`ManagerError::Remote`] if it cannot be made from `init`.
    pub fn service<S: Service>(&self, init: &S::Init) -> Result<RService<S>, ManagerError> {
        let init = postcard::to_stdvec(init).map_err(|error| self.codec(&error))?;
        self.create(Kind::Service { name: S::NAME, init: Blob(&init) })
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.client.name(Target::SERVER))
    }
}
