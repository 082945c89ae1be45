//! Messages that are made of others: tuples, `Option` and `Result`.

use super::error::{DecodeError, TooLarge};
use super::message::{Message, Reader, Writer};
use super::waybill::Sending;

macro_rules! tuples {
    ($(($($part:ident $place:tt),+)),*) => { $(
        impl<$($part: Message),+> Message for ($($part,)+) {
            const SLOT: usize = 0 $(+ $part::SLOT)+;
            const OBJECTS: usize = 0 $(+ $part::OBJECTS)+;

            fn encode(&self, out: &mut Writer<'_>) -> Result<(), TooLarge> {
                $(self.$place.encode(out)?;)+
                Ok(())
            }

            fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(($($part::decode(from)?,)+))
            }

            fn sent(&self, sending: &mut Sending) {
                $(self.$place.sent(sending);)+
            }
        }
    )* };
}
tuples!((A 0), (A 0, B 1), (A 0, B 1, C 2), (A 0, B 1, C 2, D 3), (A 0, B 1, C 2, D 3, E 4), (A 0, B 1, C 2, D 3, E 4, F 5));

impl<T: Message> Message for Option<T> {
    const SLOT: usize = 1 + T::SLOT;
    const OBJECTS: usize = T::OBJECTS;

    fn encode(&self, out: &mut Writer<'_>) -> Result<(), TooLarge> {
        out.put(&[u8::from(self.is_some())])?;
        self.as_ref().map_or(Ok(()), |value| value.encode(out))
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if from.take(1)? == [0] { Ok(None) } else { T::decode(from).map(Some) }
    }

    fn sent(&self, sending: &mut Sending) {
        if let Some(value) = self {
            value.sent(sending);
        }
    }
}

impl<T: Message, E: Message> Message for Result<T, E> {
    const SLOT: usize = 1 + if T::SLOT > E::SLOT { T::SLOT } else { E::SLOT };
    const OBJECTS: usize = if T::OBJECTS > E::OBJECTS { T::OBJECTS } else { E::OBJECTS };

    fn encode(&self, out: &mut Writer<'_>) -> Result<(), TooLarge> {
        out.put(&[u8::from(self.is_ok())])?;
        match self {
            Ok(value) => value.encode(out),
            Err(error) => error.encode(out),
        }
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if from.take(1)? == [0] { E::decode(from).map(Err) } else { T::decode(from).map(Ok) }
    }

    fn sent(&self, sending: &mut Sending) {
        match self {
            Ok(value) => value.sent(sending),
            Err(error) => error.sent(sending),
        }
    }
}
