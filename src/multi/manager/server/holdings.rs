//! What a server holds, by number and by name, and for whom.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use super::super::service::Registration;
use super::super::wire::{Kind, Refusal, SessionToken, Stats};
use super::barrier::Barrier;
use super::body::{Body, lock};
use super::dict::Dict;
use super::event::Event;
use super::list::List;
use super::locks::Lock;
use super::queue::Queue;
use super::semaphore::Semaphore;
use super::services::ServiceObject;
use super::values::Value;

/// Dead entries that are left in the table of objects before it is swept.
const SWEEP: usize = 64;

/// An object. It lives as long as a session or a name holds it.
pub(super) struct Object {
    pub(super) id: u64,
    /// The proxy's type in the client that created it. (The same type has another name in a program built from other sources: that
    /// is then a mismatch.)
    type_name: String,
    pub(super) body: Box<dyn Body>,
}

/// A client process, as long as it has a connection.
pub(super) struct Session {
    pub(super) number: u64,
    /// What it has proxies of, and how many.
    leases: Mutex<HashMap<u64, (Arc<Object>, u64)>>,
}

#[derive(Default)]
pub(super) struct Holdings {
    objects: Mutex<Table>,
    names: Mutex<HashMap<String, Arc<Object>>>,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Table {
    last: u64,
    living: HashMap<u64, Weak<Object>>,
    /// How large the table may grow before it is swept.
    sweep_at: usize,
}

#[derive(Default)]
struct Sessions {
    last: u64,
    open: HashMap<SessionToken, (Arc<Session>, u64)>,
}

impl Holdings {
    /// A connection of the client `token`.
    pub(super) fn open(&self, token: SessionToken) -> Arc<Session> {
        let mut sessions = lock(&self.sessions);
        sessions.last += 1;
        let number = sessions.last;
        let fresh = || (Arc::new(Session { number, leases: Mutex::default() }), 0);
        let (session, connections) = sessions.open.entry(token).or_insert_with(fresh);
        *connections += 1;
        Arc::clone(session)
    }

    /// A connection of the client `token` is no more; with the last one goes all the client held.
    pub(super) fn close(&self, token: SessionToken) {
        let mut sessions = lock(&self.sessions);
        let Some((_, connections)) = sessions.open.get_mut(&token) else { return };
        *connections -= 1;
        if *connections > 0 {
            return;
        }
        let ended = sessions.open.remove(&token);
        drop(sessions);
        let Some((session, _)) = ended else { return };
        let leases = std::mem::take(&mut *lock(&session.leases));
        leases.values().for_each(|(object, _)| object.body.abandon(session.number));
    }

    /// Makes an object and leases it to `session`.
    pub(super) fn create(
        &self,
        session: &Session,
        kind: &Kind<'_>,
        type_name: &str,
        services: &[Registration],
    ) -> Result<u64, Refusal> {
        let body = make(kind, services)?;
        let mut table = lock(&self.objects);
        table.last += 1;
        let id = table.last;
        let object = Arc::new(Object { id, type_name: type_name.to_owned(), body });
        table.living.insert(id, Arc::downgrade(&object));
        if table.living.len() > table.sweep_at {
            table.living.retain(|_, object| object.strong_count() > 0);
            table.sweep_at = 2 * table.living.len() + SWEEP;
        }
        drop(table);
        session.lease(object);
        Ok(id)
    }

    /// The object with that number. A session that has not leased it (its process was forked with the proxy) does from now on.
    pub(super) fn find(&self, session: &Session, id: u64) -> Result<Arc<Object>, Refusal> {
        if let Some((object, _)) = lock(&session.leases).get(&id) {
            return Ok(Arc::clone(object));
        }
        let object = lock(&self.objects).living.get(&id).and_then(Weak::upgrade).ok_or(Refusal::NoObject)?;
        session.lease(Arc::clone(&object));
        Ok(object)
    }

    /// Leases the object with that number to `session` once more: it has come there in a message.
    pub(super) fn lease(&self, session: &Session, id: u64, type_name: &str) -> Result<(), Refusal> {
        let object = lock(&self.objects).living.get(&id).and_then(Weak::upgrade).ok_or(Refusal::NoObject)?;
        if object.type_name != type_name {
            return Err(Refusal::WrongType { found: object.type_name.clone() });
        }
        session.lease(object);
        Ok(())
    }

    /// The object of that name, leased to `session`.
    pub(super) fn lookup(&self, session: &Session, name: &str, type_name: &str) -> Result<u64, Refusal> {
        let object = lock(&self.names).get(name).cloned().ok_or(Refusal::NoName)?;
        if object.type_name != type_name {
            return Err(Refusal::WrongType { found: object.type_name.clone() });
        }
        let id = object.id;
        session.lease(object);
        Ok(id)
    }

    /// Names an object; who had the name before loses it.
    pub(super) fn publish(&self, name: &str, object: Arc<Object>) {
        let before = lock(&self.names).insert(name.to_owned(), object);
        // Its content may be large: not under the lock.
        drop(before);
    }

    /// Takes a name away; whether there was one.
    pub(super) fn withdraw(&self, name: &str) -> bool {
        let before = lock(&self.names).remove(name);
        before.is_some()
    }

    pub(super) fn stats(&self) -> Stats {
        let objects = lock(&self.objects).living.values().filter(|object| object.strong_count() > 0).count() as u64;
        let names = lock(&self.names).len() as u64;
        let sessions = lock(&self.sessions);
        let connections = sessions.open.values().map(|(_, connections)| connections).sum();
        Stats { objects, names, clients: sessions.open.len() as u64, connections }
    }
}

impl Session {
    fn lease(&self, object: Arc<Object>) {
        lock(&self.leases).entry(object.id).or_insert((object, 0)).1 += 1;
    }

    /// One proxy of `id` is no more.
    pub(super) fn release(&self, id: u64) {
        let mut leases = lock(&self.leases);
        let Some((_, count)) = leases.get_mut(&id) else { return };
        *count -= 1;
        if *count == 0 {
            let last = leases.remove(&id);
            drop(leases);
            // A guard has a proxy of its own: only garbage can make a client release what it holds.
            last.inspect(|(object, _)| object.body.abandon(self.number));
        }
    }
}

fn make(kind: &Kind<'_>, services: &[Registration]) -> Result<Box<dyn Body>, Refusal> {
    Ok(match kind {
        Kind::Value(value) => Box::new(Value::new(*value)),
        Kind::List(items) => Box::new(List::new(*items)),
        Kind::Dict => Box::new(Dict::default()),
        Kind::Lock => Box::new(Lock::default()),
        Kind::Semaphore(permits) => Box::new(Semaphore::new(*permits)),
        Kind::Event => Box::new(Event::default()),
        Kind::Barrier(parties) => Box::new(Barrier::new(*parties)),
        Kind::Queue(capacity) => Box::new(Queue::new(*capacity)),
        Kind::Service { name, init } => {
            let registration = services.iter().find(|service| service.name == *name).ok_or(Refusal::NoService)?;
            Box::new(ServiceObject::new(registration, *init)?)
        }
    })
}
