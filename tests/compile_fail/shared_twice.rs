//! Nobody says of an object that it was sent but who sends it: else two processes would have the same memory for their own.
//~ forwarded: E0050 `sent` has 1 parameter
//~ said: E0061 this method takes 1 argument

use std::sync::Arc;

use pinring::multi::{Blob, DecodeError, Message, Reader, TooLarge, Writer};

struct Both(Arc<Blob<u64>>);

impl Message for Both {
    const SLOT: usize = <Blob<u64> as Message>::SLOT;

    fn encode(&self, out: &mut Writer<'_>) -> Result<(), TooLarge> {
        self.0.encode(out)
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Blob::decode(from).map(|blob| Self(Arc::new(blob)))
    }

    #[cfg(wrong = "forwarded")]
    fn sent(&self) {}
}

fn main() {
    let both = Both(Arc::new(Blob::zeroed(1).unwrap()));
    #[cfg(wrong = "said")]
    both.0.sent();
    drop(both);
}
