//! The ends in messages. What one end knows of the other is forgotten on the way, and found again in the words.

use super::lane::{CONSUMER, Lane, PRODUCER};
use super::{Rx, Tx};
use crate::multi::arena::Kind;
use crate::multi::error::{DecodeError, TooLarge};
use crate::multi::message::{Message, Reader, Writer};
use crate::multi::object::{Handle, Role};
use crate::multi::passing::{self, Passed};

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

        impl<T: Message> Message for $end<T> {
            const SLOT: usize = passing::SLOT;

            fn encode(&self, out: &mut Writer<'_>) -> Result<(), TooLarge> {
                self.write(out)
            }

            fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Self::read(from)
            }

            fn sent(&self, _: passing::Sending) {
                self.handle().object().send_off(Self::ROLE);
            }
        }
    )* };
}
ends!(Tx PRODUCER, Rx CONSUMER);
