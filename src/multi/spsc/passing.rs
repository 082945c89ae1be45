//! The ends in messages. What one end knows of the other is forgotten on the way, and found again in the words.

use super::lane::{CONSUMER, Lane, PRODUCER};
use super::{Rx, Tx};
use crate::multi::arena::Kind;
use crate::multi::message::Message;
use crate::multi::object::{Handle, Role};
use crate::multi::passing::{Passed, passed_in_messages};

macro_rules! ends {
    ($($end:ident $role:ident),*) => { $(
        impl<T: Message> Passed for $end<T> {
            const KIND: Kind = Kind::Spsc;
            const ROLE: Role = $role;

            fn handle(&self) -> &Handle {
                &self.lane().handle
            }

            fn adopt(handle: Handle) -> Option<Self> {
                Lane::adopt(handle).map(Self::of)
            }
        }

        passed_in_messages!($end<T: Message>);
    )* };
}
ends!(Tx PRODUCER, Rx CONSUMER);
