//! One connection: asks come in, answers go out, in order.

use std::sync::Arc;

use super::super::wire::{Op, Refusal, Reply, Request, SERVER, SessionToken, read, write};
use super::Shared;
use super::body::Caller;
use super::holdings::Session;
use crate::multi::net::BytesConn;

/// How much is read at once: a small request with its length.
const AHEAD: usize = 4096;

/// Memory that a connection keeps for its next message.
const KEPT: usize = 64 << 10;

/// A request may bring one item of a list for each of so many bytes that it may have. An item takes some 60 bytes beside its own.
const BYTES_PER_ITEM: usize = 8;

/// What comes after an answer.
enum Next {
    Go,
    /// The server is to end.
    Stop,
}

/// Serves one client until it hangs up, sends what makes no sense, or ends the server.
pub(super) fn serve(shared: &Shared, mut conn: BytesConn) {
    conn.make_eager(AHEAD);
    let (mut inbox, mut outbox) = (Vec::new(), Vec::new());
    let Some(token) = greet(shared, &mut conn, &mut inbox, &mut outbox) else { return };
    // However this thread ends, a panic included.
    let guard = Opened { shared, token, session: shared.holdings.open(token) };
    // What it may have left unread is of no use to anybody.
    while conn.recv_to(&mut inbox, shared.max_message).is_ok() {
        let Some(request) = read::<Request<'_>>(&inbox) else { return };
        match turn(shared, &guard.session, &mut conn, &request, &mut outbox) {
            None => return,
            Some(Next::Go) => {
                // What a large message needed is given back.
                inbox.clear();
                inbox.shrink_to(KEPT);
                outbox.clear();
                outbox.shrink_to(KEPT);
            }
            Some(Next::Stop) => return shared.stop.ring(),
        }
    }
}

struct Opened<'a> {
    shared: &'a Shared,
    token: SessionToken,
    session: Arc<Session>,
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.shared.holdings.close(self.token);
    }
}

fn greet(shared: &Shared, conn: &mut BytesConn, inbox: &mut Vec<u8>, outbox: &mut Vec<u8>) -> Option<SessionToken> {
    conn.recv_to(inbox, shared.max_message).ok()?;
    let Request { object: SERVER, op: Op::Open { session } } = read(inbox)? else { return None };
    write(&Reply::Opened { incarnation: shared.incarnation, max_message: shared.max_message as u64 }, outbox).ok()?;
    conn.send_bytes(outbox).ok()?;
    Some(session)
}

/// Answers one request; `None`: the client cannot be served any more.
fn turn(
    shared: &Shared,
    session: &Session,
    conn: &mut BytesConn,
    request: &Request<'_>,
    outbox: &mut Vec<u8>,
) -> Option<Next> {
    if matches!(request.op, Op::Release) {
        session.release(request.object);
        return Some(Next::Go);
    }
    let mut caller = Caller { session: session.number, conn, out: &mut *outbox, taken: None };
    let done = answer(shared, session, request, &mut caller);
    let taken = caller.taken;
    let refusal = match done {
        Err(Refusal::Gone) => return None,
        Err(refusal) => Some(refusal),
        Ok(()) if outbox.len() > shared.max_message => {
            Some(Refusal::TooLarge { len: outbox.len() as u64, max: shared.max_message as u64 })
        }
        Ok(()) => None,
    };
    if let Some(refusal) = &refusal {
        write(&Reply::Refused(refusal.clone()), outbox).ok()?;
    }
    let sent = conn.send_bytes(outbox);
    if let Some(bytes) = taken {
        if sent.is_err() || refusal.is_some() {
            shared.holdings.find(session, request.object).ok()?.body.take_back(bytes);
        }
    }
    sent.ok()?;
    let stops = refusal.is_none() && matches!(request.op, Op::Shutdown { .. });
    Some(if stops { Next::Stop } else { Next::Go })
}

fn answer(shared: &Shared, session: &Session, request: &Request<'_>, caller: &mut Caller<'_>) -> Result<(), Refusal> {
    let holdings = &shared.holdings;
    if let Some(items) = request.op.items() {
        let items = items.count().ok_or_else(|| Refusal::BadArguments("its items make no sense".to_owned()))?;
        let max = (shared.max_message / BYTES_PER_ITEM) as u64;
        if items > max {
            return Err(Refusal::TooMany { items, max });
        }
    }
    match &request.op {
        Op::Lease { type_name } => {
            holdings.lease(session, request.object, type_name)?;
            caller.reply(&Reply::Nothing)
        }
        Op::Publish { name } => {
            holdings.publish(name, holdings.find(session, request.object)?);
            caller.reply(&Reply::Nothing)
        }
        op if request.object != SERVER => holdings.find(session, request.object)?.body.answer(op, caller),
        Op::Create { kind, type_name } => {
            let id = holdings.create(session, kind, type_name, &shared.services)?;
            caller.reply(&Reply::Count(id))
        }
        Op::Lookup { name, type_name } => {
            let id = holdings.lookup(session, name, type_name)?;
            caller.reply(&Reply::Count(id))
        }
        Op::Withdraw { name } => {
            let was_there = holdings.withdraw(name);
            caller.reply(&Reply::Flag(was_there))
        }
        Op::Stats => caller.reply(&Reply::Stats(holdings.stats())),
        Op::Shutdown { token } if Some(*token) == shared.stop_token => caller.reply(&Reply::Nothing),
        Op::Shutdown { .. } => Err(Refusal::NotYours),
        _ => Err(Refusal::WrongKind),
    }
}
