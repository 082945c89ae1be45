//! Each end of a pipe has its direction, and a connection has two types.
//~ recv_from_sender: E0599 no method named `recv`
//~ send_to_receiver: E0599 no method named `send`
//~ wrong_direction: E0308 mismatched types
//~ after_split: E0382 `near`
//~ receiver_cloned: E0599 no method named `clone`

use pinring::multi::{Serde, duplex, pipe};

fn main() {
    let (sender, receiver) = pipe::<u64>().unwrap();
    sender.send(1).unwrap();
    #[cfg(wrong = "recv_from_sender")]
    sender.recv().unwrap();
    #[cfg(wrong = "send_to_receiver")]
    receiver.send(1).unwrap();
    #[cfg(wrong = "receiver_cloned")]
    let _second = receiver.clone();
    receiver.recv().unwrap();

    let (near, far) = duplex::<u64, Serde<String>>().unwrap();
    near.send(1).unwrap();
    #[cfg(wrong = "wrong_direction")]
    far.send(1).unwrap();
    far.recv().unwrap();
    let _ends = near.split();
    #[cfg(wrong = "after_split")]
    near.send(1).unwrap();
}
