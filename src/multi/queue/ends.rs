//! Ends of queues and pipes in messages: they can be sent to other processes, also through queues and pipes.

use super::{Consumer, Core, Producer};
use crate::multi::arena::Kind;
use crate::multi::error::{DecodeError, TooLarge};
use crate::multi::message::{Message, Reader, Writer};
use crate::multi::object::{Handle, Role};
use crate::multi::passing::{self, Passed};
use crate::multi::pipe::{Receiver, Sender};

macro_rules! ends {
    ($($end:ident $kind:ident $role:ident),*) => { $(
        impl<T: Message> Passed for $end<T> {
            const KIND: Kind = Kind::$kind;
            const ROLE: Role = Role::$role;

            fn handle(&self) -> &Handle {
                self.core().handle()
            }

            fn adopt(handle: Handle) -> Option<Self> {
                Core::adopt(handle).map(Self::from_core)
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
ends!(Producer Queue First, Consumer Queue Second, Sender Pipe First, Receiver Pipe Second);
