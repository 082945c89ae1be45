//! A71 and A72: named memory and blobs.

use std::time::Duration;

use pinring::multi::{
    Blob, DecodeError, JoinError, Message, OutOfBounds, Process, Reader, SharedBlob, SharedMemory, SharedMemoryError,
    TooLarge, Writer, blocks_in_use,
};

use crate::Case;
use crate::sync::{MS, sleep};

pub(crate) const CASES: &[Case] = &[
    ("a71_named_memory_says_what_is_wrong", a71),
    ("a71_named_memory_of_a_dead_maker_is_replaced", a71_stale),
    ("a71_named_memory_of_the_killed_has_no_name_any_more", a71_killed),
    ("a71_named_memory_goes_with_whom_it_was_given_to", a71_moved),
    ("a72_a_blob_comes_back_without_being_copied", a72),
    ("a72_large_blobs_go_and_come_and_leave_nothing", a72_large),
    ("a72_a_shared_blob_is_read_by_many", a72_shared),
    ("a72_a_result_that_nobody_takes_is_freed", a72_untaken),
    ("a72_what_was_not_sent_cannot_be_received", a72_forged),
];

/// Not the name that each case is looked for afterwards by: these would be found by cases of another run at the same time.
fn name(of: &str) -> String {
    format!("multi-test-{of}-{}", std::process::id())
}

fn a71() {
    let name = name("a71");
    assert!(matches!(SharedMemory::attach(&name), Err(SharedMemoryError::NotFound(_))));
    assert!(matches!(SharedMemory::create(&name, 0), Err(SharedMemoryError::NoSize)));
    for bad in ["", "a/b", "a\0b", ".", "..", &"x".repeat(256)] {
        assert!(matches!(SharedMemory::create(bad, 1), Err(SharedMemoryError::BadName(_))), "{bad:?}");
        assert!(matches!(SharedMemory::attach(bad), Err(SharedMemoryError::BadName(_))), "{bad:?}");
    }
    let made = SharedMemory::create(&name, 5000).unwrap();
    assert!(matches!(SharedMemory::create(&name, 1), Err(SharedMemoryError::AlreadyExists(_))));
    let found = SharedMemory::attach(&name).unwrap();
    assert_eq!((found.size(), found.name()), (5000, name.as_str()));
    made.write(4990, &[7; 10]).unwrap();
    let mut bytes = [0; 12];
    assert_eq!(found.read(4990, &mut bytes), Err(OutOfBounds { index: 5001, len: 5000 }));
    found.read(4989, &mut bytes[..11]).unwrap();
    assert_eq!(bytes, [0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0]);
    use std::os::unix::fs::PermissionsExt;
    let path = format!("/dev/shm/{name}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(found);
    assert!(std::fs::exists(&path).unwrap());
    made.persist();
    drop(made);
    let found = SharedMemory::attach(&name).unwrap();
    found.unlink().unwrap();
    assert!(!std::fs::exists(&path).unwrap());
    std::fs::write(&path, "something else").unwrap();
    assert!(matches!(SharedMemory::attach(&name), Err(SharedMemoryError::Foreign(_))));
    assert!(matches!(SharedMemory::create(&name, 1), Err(SharedMemoryError::AlreadyExists(_))));
    std::fs::remove_file(&path).unwrap();
}

fn a71_stale() {
    for _ in 0..20 {
        let name = name("stale");
        let theirs = name.clone();
        // One that no launcher knows of.
        // SAFETY: this process has one thread.
        match unsafe { nix::unistd::fork() }.unwrap() {
            nix::unistd::ForkResult::Child => {
                let made = SharedMemory::create(&theirs, 100).unwrap();
                made.write(0, b"old").unwrap();
                std::process::abort();
            }
            nix::unistd::ForkResult::Parent { child } => drop(nix::sys::wait::waitpid(child, None).unwrap()),
        }
        let old = SharedMemory::attach(&name).unwrap();
        let makers: Vec<Process<u8>> = (0..3)
            .map(|_| {
                let name = name.clone();
                let child = Process::spawn(move || {
                    let made = SharedMemory::create(&name, 100);
                    sleep(100 * MS);
                    u8::from(made.is_ok())
                });
                child.unwrap()
            })
            .collect();
        let made: u8 = makers.into_iter().map(|child| child.join().unwrap()).sum();
        assert_eq!(made, 1, "so many have made it");
        let mut bytes = [0; 3];
        old.read(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"old");
        drop(old);
        assert!(matches!(SharedMemory::attach(&name), Err(SharedMemoryError::NotFound(_))));
    }
}

fn a71_killed() {
    let (kept, given, own) = (name("kept"), name("given"), name("own"));
    let names = [kept.clone(), given.clone(), own.clone()];
    let given = SharedMemory::create(&given, 10).unwrap();
    let child: Process = Process::spawn(move || {
        SharedMemory::create(&kept, 10).unwrap().persist();
        let _both = (given, SharedMemory::create(&own, 10).unwrap());
        sleep(1_000_000 * MS);
    })
    .unwrap();
    let found = loop {
        match names.each_ref().map(|name| SharedMemory::attach(name)) {
            [Ok(first), Ok(second), Ok(third)] => break [first, second, third],
            _ => sleep(MS),
        }
    };
    child.kill().unwrap();
    child.join().unwrap_err();
    let left = names.each_ref().map(|name| SharedMemory::attach(name).is_ok());
    assert_eq!(left, [true, false, false]);
    // Who has it still has it.
    let [kept, given, own] = found;
    given.write(0, &[1]).unwrap();
    own.write(0, &[1]).unwrap();
    kept.unlink().unwrap();
}

fn a71_moved() {
    let name = name("moved");
    let made = SharedMemory::create(&name, 10).unwrap();
    let child = Process::spawn(move || {
        sleep(100 * MS);
        made.write(0, &[1]).unwrap();
    });
    let child: Process = child.unwrap();
    assert!(SharedMemory::attach(&name).is_ok());
    assert!(matches!(SharedMemory::create(&name, 1), Err(SharedMemoryError::AlreadyExists(_))));
    child.join().unwrap();
    assert!(matches!(SharedMemory::attach(&name), Err(SharedMemoryError::NotFound(_))));
}

fn a72() {
    let child = Process::spawn(|| {
        let mut blob = Blob::zeroed(1000).unwrap();
        blob.iter_mut().zip(0u32..).for_each(|(element, n)| *element = n * n);
        (7u8, Some(blob))
    });
    let (number, blob) = child.unwrap().join().unwrap();
    let mut blob: Blob<u32> = blob.unwrap();
    assert_eq!((number, blob.len(), blob[999]), (7, 1000, 998_001));
    blob[0] = 5;
    let child = Process::spawn(move || blob[0] + blob[1]).unwrap();
    assert_eq!(child.join(), Ok(6));
    assert_eq!(blocks_in_use(), 0);
}

fn a72_large() {
    let len = 8 << 20;
    for _ in 0..3 {
        let mut blob = Blob::<u64>::zeroed(len).unwrap();
        assert!(blob_is_zero(&blob));
        blob[len - 1] = 7;
        let child = Process::spawn_fn(
            |mut blob: Blob<u64>| {
                let last = blob.len() - 1;
                blob[last] += 1;
                blob
            },
            blob,
        );
        let blob = child.unwrap().join().unwrap();
        assert_eq!((blob.len(), blob[len - 1]), (len, 8));
        assert_eq!(blocks_in_use(), (len * 8).div_ceil(4096) + 1);
    }
    assert_eq!(blocks_in_use(), 0);
    assert!(Blob::<u64>::zeroed(1 << 60).is_err() && Blob::<u64>::zeroed(usize::MAX).is_err());
}

fn blob_is_zero(blob: &Blob<u64>) -> bool {
    blob.iter().step_by(512).all(|element| *element == 0)
}

fn a72_shared() {
    let blob = Blob::from_slice(&[1.0f32; 1 << 18]).unwrap().share();
    let sum = |(blob, start): (SharedBlob<f32>, u64)| blob.iter().skip(start as usize).step_by(4).sum::<f32>();
    let children: Vec<_> = (0..4).map(|start| Process::spawn_fn(sum, (blob.clone(), start)).unwrap()).collect();
    let sums: Vec<f32> = children.into_iter().map(|child| child.join().unwrap()).collect();
    assert_eq!(sums, [65536.0; 4]);
    let child = Process::spawn({
        let blob = blob.clone();
        move || blob
    });
    assert_eq!(child.unwrap().join().unwrap()[..5], blob[..5]);
    drop(blob);
    assert_eq!(blocks_in_use(), 0);
}

fn a72_untaken() {
    drop(Process::spawn(|| Blob::<u8>::zeroed(100_000).unwrap()).unwrap());
    let child = Process::spawn(|| {
        let blob = Blob::<u8>::zeroed(100_000).unwrap();
        sleep(Duration::from_secs(100));
        blob
    });
    let child = child.unwrap();
    sleep(20 * MS);
    child.kill().unwrap();
    drop(child);
    assert_eq!(blocks_in_use(), 0);
}

/// A message that says it is a blob, and was not sent as one.
enum Forged {
    Bytes(u32, u64),
    Unsent(&'static Blob<u64>),
    Received,
}

impl Message for Forged {
    const SLOT: usize = 12;

    fn encode(&self, out: &mut Writer<'_>) -> Result<(), TooLarge> {
        match self {
            Self::Bytes(block, generation) => (*block, *generation).encode(out),
            Self::Unsent(blob) => blob.encode(out),
            Self::Received => Ok(()),
        }
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Blob::<u64>::decode(from).map(|_| Self::Received)
    }
}

fn a72_forged() {
    // Safe code could else keep what it sends, and both would have it for their own.
    let own: &'static Blob<u64> = Box::leak(Box::new(Blob::zeroed(10).unwrap()));
    let refused = |forged: Forged| {
        let result = Process::spawn(move || forged).unwrap().join();
        assert!(matches!(result, Err(JoinError::Decode(_))));
    };
    refused(Forged::Unsent(own));
    for block in (0..400).chain([1 << 20, 1 << 24, u32::MAX]) {
        refused(Forged::Bytes(block, 1 + u64::from(block % 3)));
    }
    assert!(own.iter().all(|element| *element == 0));
    // A refused one is its owner's still.
    let blob = Blob::<u64>::zeroed(10).unwrap();
    assert!(Process::spawn_fn(|_: (Blob<u64>, [u8; 4000])| {}, (blob, [0; 4000])).is_err());
    assert_eq!(blocks_in_use(), 1);
}
