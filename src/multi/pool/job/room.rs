//! The block of a job: made for one, and kept for the next if it can be.

use std::io;

use super::Head;
use crate::multi::arena::Kind;
use crate::multi::message::Message;
use crate::multi::object::{BODY, Handle, Role};
use crate::multi::pool::layout::Layout;

/// The block of a job, to be used again by another.
#[derive(Debug)]
pub(in crate::multi::pool) struct Room {
    pub(super) handle: Handle,
    bytes: usize,
    /// Whether values or results may have something on board: then it is for one job.
    pub(in crate::multi::pool) has_bills: bool,
}

impl Room {
    /// Room for a job that has nothing on board: `old` if it is large enough.
    fn make(old: Option<Self>, bytes: usize) -> io::Result<Self> {
        match old {
            Some(room) if room.bytes >= bytes => Ok(room),
            old => {
                drop(old);
                let handle = Handle::create(Kind::Blob, bytes, Role::First, |_| {})?;
                Ok(Self { handle, bytes, has_bills: false })
            }
        }
    }

    /// Room for a job of so many values; `old` is one that may be used again.
    pub(in crate::multi::pool) fn for_job<A: Message, R: Message>(
        old: impl FnOnce() -> Option<Self>,
        items: usize,
        layout: &Layout,
    ) -> io::Result<Self> {
        let bytes = layout.end - BODY;
        if A::OBJECTS + R::OBJECTS == 0 {
            return Self::make(old(), bytes);
        }
        let [bills, billed, values, results] =
            [layout.bills / 8, items, A::OBJECTS, R::OBJECTS].map(|number| u32::try_from(number).ok());
        let handle = Handle::create(Kind::Job, bytes, Role::First, |object| {
            let head: &Head = object.body();
            head.bills.set(bills.unwrap_or(0));
            head.goods[0].set(values.unwrap_or(0));
            head.goods[1].set(results.unwrap_or(0));
            head.billed.set(bills.and(billed).unwrap_or(0));
        })?;
        Ok(Self { handle, bytes, has_bills: true })
    }
}
