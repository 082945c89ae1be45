//! Objects in messages: what is written is where the object lies and its number; on its way it is held by nobody.

use super::arena::{BlockId, Kind};
use super::error::{DecodeError, TooLarge};
use super::message::{Message, Reader, Writer};
use super::object::{Handle, Object, Role};

/// Given to what is sent, and made by nobody but who sends: [`Message::sent`]. Public in a module that is not.
#[derive(Clone, Copy, Debug)]
pub struct Sending(());

impl Sending {
    pub(super) const NOW: Self = Self(());
}

/// Bytes of an object in a message.
pub(super) const SLOT: usize = 12;

/// Something that is no more than a handle.
pub(super) trait Passed: Sized {
    const KIND: Kind;
    const ROLE: Role;

    fn handle(&self) -> &Handle;

    /// Of an object of that kind; `None` if it is not made for this type.
    fn adopt(handle: Handle) -> Option<Self>;

    fn write(&self, out: &mut Writer<'_>) -> Result<(), TooLarge> {
        let object = self.handle().object();
        (object.block.0, object.generation).encode(out)
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (block, generation) = <(u32, u64)>::decode(from)?;
        let object = Object { block: BlockId(block), generation };
        let handle = Handle::try_receive(Self::KIND, object, Self::ROLE);
        handle.and_then(Self::adopt).ok_or_else(|| DecodeError(format!("no {:?} is on its way there", Self::KIND)))
    }
}

/// Makes something that is [`Passed`] a message.
macro_rules! passed_in_messages {
    ($name:ident $(<$T:ident: $bound:path>)?) => {
        impl $(<$T: $bound>)? $crate::multi::message::Message for $name $(<$T>)? {
            const SLOT: usize = $crate::multi::passing::SLOT;

            fn encode(
                &self,
                out: &mut $crate::multi::message::Writer<'_>,
            ) -> Result<(), $crate::multi::error::TooLarge> {
                $crate::multi::passing::Passed::write(self, out)
            }

            fn decode(
                from: &mut $crate::multi::message::Reader<'_>,
            ) -> Result<Self, $crate::multi::error::DecodeError> {
                <Self as $crate::multi::passing::Passed>::read(from)
            }

            fn sent(&self, _: $crate::multi::passing::Sending) {
                let role = <Self as $crate::multi::passing::Passed>::ROLE;
                $crate::multi::passing::Passed::handle(self).object().send_off(role);
            }
        }
    };
}
pub(super) use passed_in_messages;

/// Makes a message of something that is a handle, always in the first role, and beside it a view of the object's words. It is called as
/// the object's kind is.
macro_rules! passed_by_view {
    ($name:ident, $view:ident) => {
        impl $crate::multi::passing::Passed for $name {
            const KIND: $crate::multi::arena::Kind = $crate::multi::arena::Kind::$name;
            const ROLE: $crate::multi::object::Role = $crate::multi::object::Role::First;

            fn handle(&self) -> &$crate::multi::object::Handle {
                &self.handle
            }

            fn adopt(handle: $crate::multi::object::Handle) -> Option<Self> {
                Some(Self { $view: handle.object().body(), handle })
            }
        }

        $crate::multi::passing::passed_in_messages!($name);
    };
}
pub(super) use passed_by_view;
