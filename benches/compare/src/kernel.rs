//! What the kernel offers: pipes, sockets, queues, and the bare ways to sleep.

use std::ffi::CString;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::{End, Way, round_trip, shared_word, stream};
use crate::message::{Message, check, message};

type M = Message<8>;
const SIZE: usize = size_of::<M>();

/// Two descriptors: what is written to the second comes out of the first.
type Way2 = [i32; 2];

fn write(fd: i32, number: u64) {
    let message: M = message(number);
    // SAFETY: reads our message.
    let written = unsafe { libc::write(fd, message.as_ptr().cast(), SIZE) };
    assert_eq!(written, SIZE as isize, "{}", std::io::Error::last_os_error());
}

fn read(fd: i32, number: u64) {
    let mut message: M = [0; 8];
    let mut have = 0;
    while have < SIZE {
        // SAFETY: writes into the rest of our message.
        let got = unsafe { libc::read(fd, message.as_mut_ptr().cast::<u8>().add(have).cast(), SIZE - have) };
        assert!(got > 0, "{}", std::io::Error::last_os_error());
        have += got as usize;
    }
    check(&message, number);
}

fn pipe() -> Way2 {
    let mut fds = [0; 2];
    // SAFETY: writes two descriptors.
    assert_eq!(unsafe { libc::pipe(fds.as_mut_ptr()) }, 0);
    fds
}

fn seqpacket() -> Way2 {
    let mut fds = [0; 2];
    // SAFETY: writes two descriptors.
    assert_eq!(unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0, fds.as_mut_ptr()) }, 0);
    fds
}

pub fn close(fds: &[i32]) {
    for fd in fds {
        // SAFETY: ours, and not used again.
        unsafe { libc::close(*fd) };
    }
}

fn one(fds: Way2, count: u64) -> f64 {
    let send = || {
        move |next| {
            write(fds[1], next);
            next + 1
        }
    };
    let receive = || {
        move |next| {
            read(fds[0], next);
            next + 1
        }
    };
    let result = stream(Way::Processes, count, send, receive);
    close(&fds);
    result
}

fn trip(to: Way2, fro: Way2, count: u64) -> [f64; 2] {
    let there = || End { send: move |number| write(fro[1], number), receive: move |number| read(to[0], number) };
    let here = || End { send: move |number| write(to[1], number), receive: move |number| read(fro[0], number) };
    let result = round_trip(Way::Processes, count, there, here);
    close(&[to, fro].concat());
    result
}

pub fn pipe_one(count: u64) -> f64 {
    one(pipe(), count)
}

pub fn pipe_trip(count: u64) -> [f64; 2] {
    trip(pipe(), pipe(), count)
}

pub fn seqpacket_one(count: u64) -> f64 {
    one(seqpacket(), count)
}

pub fn seqpacket_trip(count: u64) -> [f64; 2] {
    trip(seqpacket(), seqpacket(), count)
}

fn queue() -> i32 {
    let name = CString::new(format!("/pinring-{}-{}", std::process::id(), crate::harness::now())).expect("no zero");
    // SAFETY: zero is a valid attribute set, then filled; the name outlives the calls.
    unsafe {
        let mut attributes: libc::mq_attr = std::mem::zeroed();
        (attributes.mq_maxmsg, attributes.mq_msgsize) = (10, SIZE as _);
        let queue = libc::mq_open(name.as_ptr(), libc::O_CREAT | libc::O_RDWR | libc::O_EXCL, 0o600, &attributes);
        assert!(queue >= 0, "mq_open: {}", std::io::Error::last_os_error());
        libc::mq_unlink(name.as_ptr());
        queue
    }
}

fn mq_send(queue: i32, number: u64) {
    let message: M = message(number);
    // SAFETY: reads our message.
    assert_eq!(unsafe { libc::mq_send(queue, message.as_ptr().cast(), SIZE, 0) }, 0);
}

fn mq_receive(queue: i32, number: u64) {
    let mut message: M = [0; 8];
    // SAFETY: writes into our message.
    let got = unsafe { libc::mq_receive(queue, message.as_mut_ptr().cast(), SIZE, std::ptr::null_mut()) };
    assert_eq!(got, SIZE as isize);
    check(&message, number);
}

pub fn mq_one(count: u64) -> f64 {
    let queue = queue();
    let send = || {
        move |next| {
            mq_send(queue, next);
            next + 1
        }
    };
    let receive = || {
        move |next| {
            mq_receive(queue, next);
            next + 1
        }
    };
    let result = stream(Way::Processes, count, send, receive);
    close(&[queue]);
    result
}

pub fn mq_trip(count: u64) -> [f64; 2] {
    let (to, fro) = (queue(), queue());
    let there = || End { send: move |number| mq_send(fro, number), receive: move |number| mq_receive(to, number) };
    let here = || End { send: move |number| mq_send(to, number), receive: move |number| mq_receive(fro, number) };
    let result = round_trip(Way::Processes, count, there, here);
    close(&[to, fro]);
    result
}

pub fn ring(fd: i32) {
    // SAFETY: reads eight bytes.
    assert_eq!(unsafe { libc::write(fd, (&raw const ONE).cast(), 8) }, 8);
}

static ONE: u64 = 1;

pub fn hear(fd: i32) {
    let mut count = 0u64;
    // SAFETY: writes eight bytes.
    assert_eq!(unsafe { libc::read(fd, (&raw mut count).cast(), 8) }, 8);
}

/// Bare wake-ups, no message.
pub fn eventfd_trip(count: u64) -> [f64; 2] {
    // SAFETY: makes descriptors.
    let [to, fro] = [(); 2].map(|()| unsafe { libc::eventfd(0, 0) });
    let there = || End { send: move |_| ring(fro), receive: move |_| hear(to) };
    let result =
        round_trip(Way::Processes, count, there, || End { send: move |_| ring(to), receive: move |_| hear(fro) });
    close(&[to, fro]);
    result
}

pub fn post(word: &AtomicU32, number: u64) {
    // ORDER(bench.futex): SeqCst; the syscall behind it costs more.
    word.store(number as u32 + 1, Ordering::SeqCst);
    // SAFETY: the address is only a name.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
}

pub fn wait(word: &AtomicU32, number: u64) {
    // ORDER(bench.futex): SeqCst; the syscall behind it costs more.
    while word.load(Ordering::SeqCst) != number as u32 + 1 {
        // SAFETY: the word outlives the call.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                libc::FUTEX_WAIT,
                number as u32,
                std::ptr::null::<libc::timespec>(),
            );
        }
    }
}

/// Bare wake-ups by futex, no message.
pub fn futex_trip(count: u64) -> [f64; 2] {
    let (to, fro) = (shared_word(), shared_word());
    let there = || End { send: |number| post(fro, number), receive: |number| wait(to, number) };
    round_trip(Way::Processes, count, there, || End {
        send: |number| post(to, number),
        receive: |number| wait(fro, number),
    })
}
