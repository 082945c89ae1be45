//! What clients ask and servers answer: postcard, one message each.
//!
//! Values travel as the bytes their owner made of them. The server keeps and compares those bytes and never looks inside: it needs no
//! type of its clients', and no value can do anything to it. Every request but [`Op::Release`] has one answer.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The bytes of a value. (serde would write a slice byte by byte.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blob<'a>(pub(super) &'a [u8]);

impl Serialize for Blob<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Blob<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(deserializer).map(Blob)
    }
}

/// Values for a list, each with its length, one after another. They are taken out one by one: many small ones would need many times the
/// memory that they need on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Items<'a>(#[serde(borrow)] pub(super) Blob<'a>);

impl<'a> Items<'a> {
    /// Appends an item to what will be the bytes of such.
    pub(super) fn append(item: &[u8], bytes: &mut Vec<u8>) -> Result<(), postcard::Error> {
        *bytes = postcard::to_extend(&Blob(item), std::mem::take(bytes))?;
        Ok(())
    }

    /// Each; `None` for what is none, which is the last.
    fn each(self) -> impl Iterator<Item = Option<&'a [u8]>> {
        let mut rest = Some(self.0.0);
        std::iter::from_fn(move || {
            let bytes = rest.filter(|bytes| !bytes.is_empty())?;
            let item = postcard::take_from_bytes(bytes).ok();
            rest = item.map(|(_, rest)| rest);
            Some(item.map(|(item, _)| item))
        })
    }

    /// How many there are; `None`: they make no sense.
    pub(super) fn count(self) -> Option<u64> {
        self.each().try_fold(0, |count, item| item.map(|_| count + 1))
    }

    pub(super) fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        self.each().flatten()
    }
}

/// How long to wait at the server; `None`: for ever.
pub(super) type Limit = Option<Duration>;

/// One of a client's lives: its connections are one owner to the server.
pub(super) type SessionToken = [u8; 16];

/// The number that stands for the server itself.
pub(super) const SERVER: u64 = 0;

/// A request: to whom, and what.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request<'a> {
    /// An object's number, or [`SERVER`].
    pub(super) object: u64,
    #[serde(borrow)]
    pub(super) op: Op<'a>,
}

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Op<'a> {
    // Of the server.
    /// First on every connection. Opened.
    Open { session: SessionToken },
    /// Count: the new object's number.
    Create {
        #[serde(borrow)]
        kind: Kind<'a>,
        type_name: &'a str,
    },
    /// Nothing. The object gets a name, which holds it.
    Publish { name: &'a str },
    /// Flag: whether there was such a name.
    Withdraw { name: &'a str },
    /// Count: the object's number.
    Lookup { name: &'a str, type_name: &'a str },
    /// Nothing. The sender has another proxy of the object.
    Lease { type_name: &'a str },
    /// No answer. One of the sender's proxies is no more.
    Release,
    /// Stats.
    Stats,
    /// Nothing, and then the end.
    Shutdown { token: SessionToken },

    // Of values.
    /// Bytes.
    Get,
    /// Nothing.
    Set(#[serde(borrow)] Blob<'a>),
    /// Maybe: what it is instead of `old`.
    Exchange { old: Blob<'a>, new: Blob<'a> },

    // Of lists.
    /// Maybe.
    At(u64),
    /// Nothing.
    SetAt(u64, Blob<'a>),
    /// Maybe: what it is instead of `old`.
    ExchangeAt { index: u64, old: Blob<'a>, new: Blob<'a> },
    /// Nothing.
    InsertAt(u64, Blob<'a>),
    /// Bytes.
    RemoveAt(u64),
    /// Nothing.
    Extend(#[serde(borrow)] Items<'a>),
    /// Maybe.
    Pop,
    /// Many.
    All,

    // Of dicts.
    /// Maybe.
    Find(Blob<'a>),
    /// Maybe: what was there.
    Insert(Blob<'a>, Blob<'a>),
    /// Maybe: what was there.
    Remove(Blob<'a>),
    /// Flag.
    Contains(Blob<'a>),
    /// Flag: whether it was `old`.
    CompareExchange { key: Blob<'a>, old: Option<Blob<'a>>, new: Option<Blob<'a>> },
    /// Many.
    Keys,
    /// Pairs.
    Pairs,
    /// Count.
    Len,
    /// Nothing.
    Clear,

    // Of locks, semaphores, events, barriers.
    /// Held.
    Acquire(Limit),
    /// Nothing.
    Yield { guard: u64 },
    /// Count; of a barrier the place, of an event 0.
    Wait(Limit),
    /// Nothing.
    SetFlag(bool),
    /// Flag.
    IsSet,
    /// Nothing.
    Reset,
    /// Nothing.
    Abort,

    // Of queues.
    /// Nothing.
    Put(Blob<'a>, Limit),
    /// Bytes.
    Take(Limit),
    /// Nothing.
    Close,

    // Of services.
    /// Bytes.
    Call { method: &'a str, args: Blob<'a> },
}

impl<'a> Op<'a> {
    /// The items that it brings.
    pub(super) fn items(&self) -> Option<Items<'a>> {
        match self {
            Self::Extend(items) | Self::Create { kind: Kind::List(items), .. } => Some(*items),
            _ => None,
        }
    }
}

/// What is created.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Kind<'a> {
    Value(#[serde(borrow)] Blob<'a>),
    List(#[serde(borrow)] Items<'a>),
    Dict,
    Lock,
    Semaphore(u64),
    Event,
    Barrier(u64),
    /// 0: without a limit.
    Queue(u64),
    Service {
        name: &'a str,
        init: Blob<'a>,
    },
}

/// The answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply<'a> {
    Nothing,
    Flag(bool),
    Count(u64),
    Bytes(#[serde(borrow)] Blob<'a>),
    Maybe(#[serde(borrow)] Option<Blob<'a>>),
    Many(#[serde(borrow)] Vec<Blob<'a>>),
    Pairs(#[serde(borrow)] Vec<(Blob<'a>, Blob<'a>)>),
    Held { guard: u64, owner_died: bool },
    Opened { incarnation: u64, max_message: u64 },
    Stats(Stats),
    Refused(Refusal),
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Refusal {
    NoObject,
    NoName,
    WrongType {
        found: String,
    },
    /// The object cannot do that.
    WrongKind,
    OutOfRange {
        len: u64,
    },
    Timeout,
    Closed,
    Broken,
    NotHeld,
    NoService,
    NoMethod(String),
    BadArguments(String),
    Failed(String),
    TooLarge {
        len: u64,
        max: u64,
    },
    TooMany {
        items: u64,
        max: u64,
    },
    NotYours,
    /// Never sent: the client has gone while it waited.
    Gone,
}

/// What a manager holds, and for how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagerStats {
    /// Objects that somebody has a proxy of, or that have a name.
    pub objects: u64,
    /// Names.
    pub names: u64,
    /// Client processes.
    pub clients: u64,
    /// Connections; a client has one for each of its threads that asks at the same time.
    pub connections: u64,
}

pub(super) use ManagerStats as Stats;

/// Reads a message that must be one `T` and nothing else.
pub(super) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Some(value),
        _ => None,
    }
}

/// Writes `value` to `out`, which is emptied first and keeps its memory.
pub(super) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), postcard::Error> {
    out.clear();
    *out = postcard::to_extend(value, std::mem::take(out))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_comes_back_as_it_was() {
        let mut bytes = Vec::new();
        let op = Op::CompareExchange { key: Blob(b"key"), old: None, new: Some(Blob(&[7; 300])) };
        write(&Request { object: 1 << 40, op }, &mut bytes).unwrap();
        let back: Request<'_> = read(&bytes).unwrap();
        let Op::CompareExchange { key, old, new } = back.op else { panic!("{:?}", back.op) };
        assert_eq!((back.object, key, old, new), (1 << 40, Blob(b"key"), None, Some(Blob(&[7; 300]))));
        bytes.push(0);
        assert!(read::<Request<'_>>(&bytes).is_none());
    }

    #[test]
    fn items_come_one_by_one_and_what_is_none_is_seen() {
        let mut bytes = Vec::new();
        for item in [&b"one"[..], b"", &[7; 200]] {
            Items::append(item, &mut bytes).unwrap();
        }
        let items = Items(Blob(&bytes));
        assert_eq!((items.count(), items.iter().map(<[u8]>::len).collect::<Vec<_>>()), (Some(3), vec![3, 0, 200]));
        assert_eq!(Items(Blob(&[0; 1000])).count(), Some(1000));
        assert_eq!(Items(Blob(&bytes[..bytes.len() - 1])).count(), None);
        assert_eq!(Items(Blob(&[])).count(), Some(0));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read::<Request<'_>>(&bytes);
            let _ = read::<Reply<'_>>(&bytes);
        }
    }
}
