//! Ends of queues and pipes in messages: they can be sent to other processes, also through queues and pipes.

use super::{Consumer, Core, Producer};
use crate::multi::arena::Kind;
use crate::multi::message::Message;
use crate::multi::object::{Handle, Role};
use crate::multi::passing::{Passed, passed_in_messages};
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

        passed_in_messages!($end<T: Message>);
    )* };
}
ends!(Producer Queue First, Consumer Queue Second, Sender Pipe First, Receiver Pipe Second);
