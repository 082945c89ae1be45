//! Objects in messages: nothing of them is written, they are [on board](super::waybill).

use super::arena::Kind;
use super::error::DecodeError;
use super::message::Reader;
use super::object::{Handle, Role};

/// Something that is no more than a handle.
pub(super) trait Passed: Sized {
    const KIND: Kind;
    const ROLE: Role;

    fn handle(&self) -> &Handle;

    /// Of an object of that kind; `None` if it is not made for this type.
    fn adopt(handle: Handle) -> Option<Self>;

    fn read(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let handle = from.object().and_then(|object| Handle::receive(Self::KIND, object, Self::ROLE));
        handle.and_then(Self::adopt).ok_or_else(|| DecodeError(format!("no {:?} is on board there", Self::KIND)))
    }
}

/// Makes something that is [`Passed`] a message.
macro_rules! passed_in_messages {
    ($name:ident $(<$T:ident: $bound:path>)?) => {
        impl $(<$T: $bound>)? $crate::multi::message::Message for $name $(<$T>)? {
            const SLOT: usize = 0;
            const OBJECTS: usize = 1;

            fn encode(
                &self,
                _: &mut $crate::multi::message::Writer<'_>,
            ) -> Result<(), $crate::multi::error::TooLarge> {
                Ok(())
            }

            fn decode(
                from: &mut $crate::multi::message::Reader<'_>,
            ) -> Result<Self, $crate::multi::error::DecodeError> {
                <Self as $crate::multi::passing::Passed>::read(from)
            }

            fn sent(&self, sending: &mut $crate::multi::waybill::Sending) {
                let role = <Self as $crate::multi::passing::Passed>::ROLE;
                sending.take($crate::multi::passing::Passed::handle(self).object(), role);
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

/// Makes a message of something that is a handle, the words of what is [guarded](super::mutex::Guarded), and the room of that. A clone is
/// another handle to the same.
macro_rules! passed_with_guard {
    ($name:ident<$T:ident>, $shape:ident) => {
        impl<$T: $crate::multi::plain::Pod> Clone for $name<$T> {
            fn clone(&self) -> Self {
                Self { handle: self.handle.clone(), ..*self }
            }
        }

        impl<$T: $crate::multi::plain::Pod> $crate::multi::passing::Passed for $name<$T> {
            const KIND: $crate::multi::arena::Kind = $crate::multi::arena::Kind::Mutex;
            const ROLE: $crate::multi::object::Role = $crate::multi::object::Role::First;

            fn handle(&self) -> &$crate::multi::object::Handle {
                &self.handle
            }

            fn adopt(handle: $crate::multi::object::Handle) -> Option<Self> {
                use $crate::multi::mutex::{Guarded, Shape};
                let (words, len) = Guarded::of::<$T>(Shape::$shape, handle.object())?;
                let room = $crate::multi::room::Room::of(handle.object(), Guarded::HEAD, len);
                Some(Self { handle, words, room })
            }
        }

        $crate::multi::passing::passed_in_messages!($name<$T: $crate::multi::plain::Pod>);
    };
}
pub(super) use passed_with_guard;
