//! Who holds what, when handles go ways that are not counted.

use std::sync::{Mutex, PoisonError};

use pinring::multi::{Event, Process, blocks_in_use, pipe};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    ("a_handle_out_of_a_static_is_counted_where_it_is_captured", out_of_a_static),
    ("a_handle_out_of_a_static_takes_nothing_with_it", dropped),
];

static INHERITED: Mutex<Option<Event>> = Mutex::new(None);

fn inherited() -> Option<Event> {
    INHERITED.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// The child has it by the fork, uncounted; the grandchild has captured it.
fn out_of_a_static() {
    let event = Event::new().unwrap();
    *INHERITED.lock().unwrap() = Some(event.clone());
    let (there, is_there) = pipe::<()>().unwrap();
    let (gone, is_gone) = pipe::<()>().unwrap();
    let child = Process::spawn(move || {
        let theirs = inherited().unwrap();
        let grandchild = Process::spawn(move || {
            there.send(()).unwrap();
            is_gone.recv().unwrap();
            theirs.set();
            theirs.is_set()
        });
        grandchild.unwrap().join().unwrap()
    })
    .unwrap();
    is_there.recv().unwrap();
    let with_it = blocks_in_use();
    drop((event, inherited()));
    assert_eq!(blocks_in_use(), with_it, "the grandchild holds it");
    gone.send(()).unwrap();
    assert!(child.join().unwrap());
    drop((is_there, gone));
    assert_eq!(blocks_in_use(), 0);
}

fn dropped() {
    let event = Event::new().unwrap();
    *INHERITED.lock().unwrap() = Some(event.clone());
    Process::spawn(|| drop(inherited())).unwrap().join().unwrap();
    event.set();
    assert!(event.is_set());
    drop((event, inherited()));
    assert_eq!(blocks_in_use(), 0);
}
