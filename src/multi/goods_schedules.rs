//! Messages with objects on board, in every order of steps that those who send and receive them can take, each a thread here, and with the
//! first of them killed at each step: each object lives as long as it is held or on board, and no longer.

use std::sync::{Arc, Mutex};

use super::alone::{self, explore};
use super::arena::{Kind, MEMBERS};
use super::object::{Object, Role};
use super::passing::Passed;
use super::recount::{self, Suspect};
use super::{Blob, Event, GetError, family, queue, sweep};
use crate::prim::explore::Threads;

type Suspects = Arc<Mutex<Vec<Suspect>>>;

/// What the launcher does when process 0 has died. It cannot count what others are at just now: that is counted in the verdict.
fn bury(threads: &mut Threads, queue: Object, (object, kind): (Object, Kind)) -> Suspects {
    let left = Suspects::default();
    let unsettled = Arc::clone(&left);
    threads.burial(move || {
        alone::be(5);
        let (me, dead, mut suspects) = (alone::place(5), alone::place(0), Vec::new());
        sweep::close_bills(me, dead, (queue.block, Kind::Queue), &mut suspects);
        sweep::sweep_block(me, dead, queue.block, Kind::Queue);
        sweep::sweep_block(me, dead, object.block, kind);
        suspects.retain(|suspect| !settle(queue, *suspect));
        unsettled.lock().unwrap().extend(suspects);
    });
    left
}

fn settle_all(queue: Object, left: &Suspects) {
    alone::be_first();
    assert!(left.lock().unwrap().iter().all(|suspect| settle(queue, *suspect)));
}

fn settle(queue: Object, suspect: Suspect) -> bool {
    let bills = || recount::waybills(Kind::Queue, queue);
    recount::is_settled(suspect, || bills().map(|bill| bill.count_of(suspect)).sum())
}

/// What `make` makes, held by that member.
fn of<R>(member: usize, make: impl FnOnce() -> R) -> R {
    alone::be(member);
    let made = make();
    alone::be_first();
    made
}

fn is_there(object: Object) -> bool {
    family::get().arena.find(object.block).is_some() && object.is_current()
}

fn on_board(object: Object, role: Role) -> u64 {
    let members = (0..MEMBERS).filter(|member| object.is_held_as(*member, role)).count();
    object.holders(role) - members as u64
}

fn blob_of(member: usize) -> (Blob<u64>, Object) {
    let blob = of(member, || Blob::from_slice(&[7; 4]).unwrap());
    let object = blob.handle().object();
    (blob, object)
}

#[test]
fn what_a_killed_sender_had_on_board_arrives_or_is_freed() {
    explore(0, |threads| {
        alone::be_first();
        let (producer, consumer) = queue(2).unwrap();
        let queue = consumer.handle().object();
        let (blob, object) = blob_of(0);
        let puts = of(0, || producer.clone());
        threads.thread(move || {
            alone::be(0);
            puts.put(blob).unwrap();
        });
        let left = bury(threads, queue, (object, Kind::Blob));
        threads.verdict(move || {
            settle_all(queue, &left);
            if let Ok(blob) = consumer.try_get() {
                assert_eq!(blob[..], [7; 4]);
            }
            let _ = &producer;
            assert!(!is_there(object), "nobody has it, and it is not freed");
        });
    });
}

#[test]
fn what_a_killed_receiver_had_in_hand_is_received_by_another_or_freed() {
    explore(0, |threads| {
        alone::be_first();
        let (producer, consumer) = queue(2).unwrap();
        let queue = consumer.handle().object();
        let (blob, object) = blob_of(0);
        of(0, || producer.put(blob).unwrap());
        for number in 0..2 {
            let consumer = of(number, || consumer.clone());
            threads.thread(move || {
                alone::be(number);
                if let Ok(blob) = consumer.try_get() {
                    assert_eq!(blob[..], [7; 4]);
                    assert!(is_there(object), "freed, and held");
                }
            });
        }
        let left = bury(threads, queue, (object, Kind::Blob));
        threads.verdict(move || {
            settle_all(queue, &left);
            match consumer.try_get() {
                Ok(blob) => assert_eq!(blob[..], [7; 4]),
                Err(error) => assert_eq!(error, GetError::Empty),
            }
            let _ = &producer;
            assert!(!is_there(object), "nobody has it, and it is not freed");
        });
    });
}

#[test]
fn what_is_put_while_the_last_consumer_goes_is_freed() {
    for mortal in [false, true] {
        explore(usize::from(!mortal), |threads| {
            let (producer, consumer) = queue::<Blob<u64>>(2).unwrap();
            let queue = consumer.handle().object();
            let (blob, object) = blob_of(0);
            let puts = of(0, || producer.clone());
            threads.thread(move || {
                alone::be(0);
                let _ = puts.put(blob);
            });
            threads.thread(move || {
                alone::be_first();
                drop(consumer);
            });
            let left = if mortal { bury(threads, queue, (object, Kind::Blob)) } else { Suspects::default() };
            threads.verdict(move || {
                settle_all(queue, &left);
                assert!(producer.is_empty());
                assert!(!is_there(object), "nobody has it, and it is not freed");
            });
        });
    }
}

/// One that is killed may have counted too much of what others send and receive meanwhile: they lose nothing by the recount.
#[test]
fn what_is_shared_is_counted_right_after_a_death() {
    explore(0, |threads| {
        alone::be_first();
        let (producer, consumer) = queue(2).unwrap();
        let queue = consumer.handle().object();
        let event = Event::new().unwrap();
        let object = event.handle().object();
        for number in 0..2 {
            let (producer, consumer, event) = of(number, || (producer.clone(), consumer.clone(), event.clone()));
            threads.thread(move || {
                alone::be(number);
                let _ = producer.try_put(event);
                drop(consumer.try_get());
            });
        }
        let left = bury(threads, queue, (object, Kind::Event));
        threads.verdict(move || {
            settle_all(queue, &left);
            let bills = recount::waybills(Kind::Queue, queue);
            let found: Option<u64> = bills.map(|bill| bill.count_of((object, Role::First))).sum();
            assert_eq!(found, Some(on_board(object, Role::First)), "as many are on board as are counted");
            assert!(is_there(object), "freed, and held");
            let _ = (&event, &producer, &consumer);
        });
    });
}

/// As many are on board as were counted, but of those one was sent while it was looked.
#[test]
fn what_is_sent_during_a_recount_is_counted_again() {
    alone::family();
    let event = Event::new().unwrap();
    let object = event.handle().object();
    // What a dead one had counted, and not taken on board.
    object.send_off(Role::First);
    let send_another = || {
        object.send_off(Role::First);
        Some(1)
    };
    assert!(!object.recount(Role::First, send_another));
    assert!(object.recount(Role::First, || Some(1)));
    assert_eq!(object.holders(Role::First), 2);
    object.arrive(Role::First);
    drop(event);
    assert!(!is_there(object), "nobody has it, and it is not freed");
}
