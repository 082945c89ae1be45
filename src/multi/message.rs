//! What can go from one process to another: values that can be written as so many bytes, and made from them again.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{DecodeError, TooLarge};
use super::object::{Object, Role};
use super::plain::{Plain, Pod, bytes_of, value_of};
use super::waybill::{self, Goods, Sending, Settling, Waybill};

/// What a value is written to, one part after another.
///
/// For a message of a form of its own, with [`Reader`]:
/// ```
/// use pinring::multi::{DecodeError, Message, Reader, TooLarge, Writer};
///
/// struct Volts(f32);
///
/// impl Message for Volts {
///     const SLOT: usize = 4;
///
///     fn encode(&self, out: &mut Writer<'_>) -> Result<(), TooLarge> {
///         out.put(&self.0.to_le_bytes())
///     }
///
///     fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
///         let bytes = from.take(4)?.try_into().map_err(|_| DecodeError("it is cut off".into()))?;
///         Ok(Self(f32::from_le_bytes(bytes)))
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Writer<'w> {
    bytes: &'w mut [u8],
    at: usize,
}

impl<'w> Writer<'w> {
    #[inline]
    pub(super) fn new(bytes: &'w mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// If they do not fit.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        let (end, slot) = (self.at + bytes.len(), self.bytes.len());
        self.bytes.get_mut(self.at..end).ok_or(TooLarge { needed: end, slot })?.copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    /// Bytes for which there is room.
    pub fn room(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Bytes written so far.
    #[inline]
    pub fn len(&self) -> usize {
        self.at
    }

    /// Keeps the last `bytes` free.
    fn spare(&mut self, bytes: usize) {
        let end = self.bytes.len().saturating_sub(bytes);
        self.bytes = &mut std::mem::take(&mut self.bytes)[..end];
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.at == 0
    }
}

/// What a value is read from, one part after another.
///
/// ```
/// use pinring::multi::{DecodeError, Message, Reader};
///
/// /// The first of two numbers.
/// fn first(from: &mut Reader<'_>) -> Result<u32, DecodeError> {
///     let first = Message::decode(from)?;
///     u64::decode(from)?;
///     Ok(first)
/// }
/// ```
#[derive(Debug)]
pub struct Reader<'r> {
    bytes: &'r [u8],
    goods: Goods,
}

impl<'r> Reader<'r> {
    #[inline]
    pub(super) fn new(bytes: &'r [u8]) -> Self {
        Self { bytes, goods: Goods::NONE }
    }

    /// The next of the objects on board.
    pub(super) fn object(&mut self) -> Option<(Object, Role)> {
        self.goods.next()
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// If there are not so many.
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'r [u8], DecodeError> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or_else(|| DecodeError("it is cut off".into()))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, DecodeError> {
        value_of(self.take(4)?).ok_or_else(|| DecodeError("it is cut off".into()))
    }
}

/// A value that can be put into a queue, a pipe or a task.
///
/// Numbers and arrays of them, structs made by [`pod!`](crate::multi::pod), tuples, `Option` and `Result` of such are messages; anything
/// that serde can write becomes one in a [`Serde`].
///
/// ```
/// use pinring::multi::{Serde, queue};
///
/// let (producer, consumer) = queue::<(u32, Option<f64>, Serde<String>)>(4)?;
/// producer.put((1, Some(0.5), Serde("one".to_owned())))?;
/// let (number, half, Serde(text)) = consumer.get()?;
/// assert_eq!((number, half, text.as_str()), (1, Some(0.5), "one"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A form of one's own ([`Writer`] shows one) is for data. The objects of this module, a [`Blob`](super::Blob) say, are messages by
/// themselves and as parts of tuples, `Option` and `Result`: in a form of one's own they do not arrive, because nothing would keep it from
/// giving one of them to two. So a struct of one's own that has such a part goes as a tuple of its parts.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot go from one process to another",
    note = "numbers, arrays, `pod!` structs, tuples, Option and Result can; put anything that serde knows into `Serde<{Self}>`",
    note = "work that never returns (`!`) says another type: `|| -> () {{ loop {{ .. }} }}`"
)]
pub trait Message: Sized + Send + 'static {
    /// Most bytes that a value takes, so that the places for them can be made beforehand.
    const SLOT: usize;

    /// Most objects of this module that it can have on board. Nobody else can send any.
    #[doc(hidden)]
    const OBJECTS: usize = 0;

    /// Whether a value and what is written of it are the same.
    #[doc(hidden)]
    const PLAIN: Plain<Self> = Plain::NO;

    /// Writes it.
    ///
    /// # Errors
    /// If it does not fit.
    fn encode(&self, out: &mut Writer<'_>) -> Result<(), TooLarge>;

    /// Makes it again.
    ///
    /// # Errors
    /// If the bytes are no such value.
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// It was written and will be delivered: called once nothing can refuse it any more, and before anybody can receive it. What is taken
    /// on board now is held by the message; the value itself is dropped afterwards. A message made of others calls it for each, in the
    /// order in which they are made again. Nobody else can: what it is given has no name outside.
    #[doc(hidden)]
    fn sent(&self, _: &mut Sending) {}
}

impl<T: Pod> Message for T {
    const SLOT: usize = size_of::<T>();
    const PLAIN: Plain<Self> = Plain::YES;

    #[inline]
    fn encode(&self, out: &mut Writer<'_>) -> Result<(), TooLarge> {
        out.put(bytes_of(self))
    }

    #[inline]
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        value_of(from.take(size_of::<T>())?).ok_or_else(|| DecodeError("it is cut off".into()))
    }
}

impl Message for bool {
    const SLOT: usize = 1;

    fn encode(&self, out: &mut Writer<'_>) -> Result<(), TooLarge> {
        out.put(&[u8::from(*self)])
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match from.take(1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(DecodeError("it is neither true nor false".into())),
        }
    }
}

/// Anything that serde can write, in at most `N` bytes (postcard's format). What is longer is refused where it is put.
///
/// A closure does not take the 240 for granted: write `Serde::<_, 240>(...)` and `|text: Serde<String, 240>|` there.
///
/// ```
/// use std::collections::BTreeMap;
/// use pinring::multi::{PutError, Serde, queue};
///
/// let (producer, consumer) = queue::<Serde<BTreeMap<String, i64>, 16>>(4)?;
/// producer.put(Serde(BTreeMap::from([("one".to_owned(), 1)])))?;
/// assert_eq!(consumer.get()?.0["one"], 1);
/// let long = Serde(BTreeMap::from([("x".repeat(20), 1)]));
/// assert!(matches!(producer.put(long), Err(PutError::TooLarge(..))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serde<T, const N: usize = 240>(pub T);

impl<T: Serialize + DeserializeOwned + Send + 'static, const N: usize> Message for Serde<T, N> {
    const SLOT: usize = N + 4;

    fn encode(&self, out: &mut Writer<'_>) -> Result<(), TooLarge> {
        let start = out.at + 4;
        let room = out.bytes.len().saturating_sub(start).min(N);
        let slot = out.bytes.len();
        // Whether it is its own bound or that of the place that it comes to.
        let too_large = |needed: usize| match needed > N {
            true => TooLarge { needed, slot: N },
            false => TooLarge { needed: start + needed, slot },
        };
        let place = out.bytes.get_mut(start..start + room).ok_or(TooLarge { needed: start, slot })?;
        let written = match postcard::to_slice(&self.0, place) {
            Ok(written) => written.len(),
            // It has to be counted.
            Err(_) => return Err(too_large(postcard::experimental::serialized_size(&self.0).unwrap_or(usize::MAX))),
        };
        out.put(bytes_of(&u32::try_from(written).map_err(|_| too_large(written))?))?;
        out.at += written;
        Ok(())
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = from.number()? as usize;
        postcard::from_bytes(from.take(len)?).map(Self).map_err(|error| DecodeError(error.to_string()))
    }
}

/// Writes a value that will be delivered if it fits: it is considered [sent](Message::sent) then.
///
/// # Errors
/// If it does not fit.
#[inline]
pub(super) fn hand_over<T: Message>(
    value: &T,
    out: &mut Writer<'_>,
    waybill: impl FnOnce() -> Waybill,
) -> Result<(), TooLarge> {
    const { assert!(T::OBJECTS <= u16::MAX as usize, "a message has so many objects at most") }
    value.encode(out)?;
    if T::OBJECTS > 0 {
        waybill().load(|sending| value.sent(sending));
    }
    Ok(())
}

/// As [`hand_over`], where the bill has its entries [at the end](Waybill::behind) of what is written to.
///
/// # Errors
/// If both do not fit.
pub(super) fn hand_over_within<T: Message>(
    value: &T,
    out: &mut Writer<'_>,
    waybill: impl FnOnce() -> Waybill,
) -> Result<(), TooLarge> {
    if T::OBJECTS > 0 {
        // The end may not be aligned.
        out.spare(waybill::entries(T::OBJECTS) + 7);
    }
    hand_over(value, out, waybill)
}

/// Makes a value of a message, which ends with that: what it had on board is the value's.
///
/// # Errors
/// If it is none.
#[inline]
pub(super) fn receive<T: Message>(bytes: &[u8], waybill: impl FnOnce() -> Waybill) -> Result<T, DecodeError> {
    if T::OBJECTS == 0 {
        return T::decode(&mut Reader::new(bytes));
    }
    let waybill = waybill();
    let _settled = Settling(waybill);
    look_at(bytes, || waybill)
}

/// Makes a value of a message that keeps what it has on board, so that another can be made of it.
///
/// # Errors
/// If it is none.
#[inline]
pub(super) fn look_at<T: Message>(bytes: &[u8], waybill: impl FnOnce() -> Waybill) -> Result<T, DecodeError> {
    let goods = if T::OBJECTS == 0 { Goods::NONE } else { waybill().goods() };
    T::decode(&mut Reader { bytes, goods })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T: Message>(value: &T) -> Result<T, TooLarge> {
        let mut bytes = vec![0; T::SLOT];
        let mut out = Writer::new(&mut bytes);
        value.encode(&mut out)?;
        let len = out.len();
        Ok(T::decode(&mut Reader::new(&bytes[..len])).unwrap())
    }

    #[test]
    fn values_come_out_as_they_went_in() {
        assert_eq!(round_trip(&7u8), Ok(7));
        assert_eq!(round_trip(&(1i64, 2.5f32, [3u16; 4])), Ok((1, 2.5, [3; 4])));
        assert_eq!(round_trip(&Some((1u8, -1i32))), Ok(Some((1, -1))));
        assert_eq!(round_trip(&None::<u64>), Ok(None));
        assert_eq!(round_trip(&Ok::<u8, u64>(1)), Ok(Ok(1)));
        assert_eq!(round_trip(&Err::<u8, u64>(9)), Ok(Err(9)));
        let text: Serde<Vec<String>> = Serde(vec!["a".into(), "ü".into()]);
        assert_eq!(round_trip(&(text.clone(), 5u8)), Ok((text, 5)));
    }

    #[test]
    fn what_is_too_large_says_by_how_much() {
        let text: Serde<String, 8> = Serde("0123456789".into());
        assert_eq!(round_trip(&text), Err(TooLarge { needed: 11, slot: 8 }));
        let text: Serde<String, 8> = Serde("0123456".into());
        assert_eq!(round_trip(&text), Ok(text));
    }

    #[test]
    fn bytes_that_are_no_value_are_an_error_and_no_more() {
        assert!(u64::decode(&mut Reader::new(&[1, 2, 3])).is_err());
        assert!(Serde::<String>::decode(&mut Reader::new(&[255; 40])).is_err());
        assert!(Serde::<String>::decode(&mut Reader::new(&[4, 0, 0, 0, 3, 255, 255, 255])).is_err());
        assert!(<(u8, u8)>::decode(&mut Reader::new(&[1])).is_err());
    }
}
