//! Proxies that go from one process to another.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use pinring::multi::{Pool, Process, TaskError, queue};

fn count(dict: &RDict<String, i64>) -> i64 {
    dict.update(&"count".into(), |count| Some(count.unwrap_or(0) + 1)).unwrap().unwrap()
}

pub(super) fn a_proxy_goes_in_messages_and_holds_its_object_where_it_arrives() {
    pinring::multi::init().unwrap();
    let manager = Manager::builder().address(tcp()).start().unwrap();
    // Workers that are no children of who has started the manager, nor were there before it.
    let pool = Pool::with_processes(2).unwrap();
    let dict = manager.dict::<String, i64>().unwrap();
    for _ in 0..3 {
        let counts = pool.map(|dict: RDict<String, i64>| count(&dict), (0..20).map(|_| dict.clone())).unwrap();
        assert_eq!(counts.len(), 20);
    }
    assert_eq!(dict.get(&"count".into()).unwrap(), Some(60));
    // One that comes back is as good as the one that went.
    let back = pool.apply(|dict: RDict<String, i64>| dict, dict.clone()).unwrap();
    drop(dict);
    assert_eq!((count(&back), manager.stats().unwrap().objects), (61, 1));
    drop(back);
    soon("the object goes with its last proxy", || manager.stats().unwrap().objects == 0);
}

pub(super) fn a_proxy_that_has_come_in_a_message_keeps_its_object_when_the_sender_has_gone() {
    let manager = Manager::start().unwrap();
    let (producer, consumer) = queue::<RList<u8>>(1).unwrap();
    let [taken, done] = [manager.event().unwrap(), manager.event().unwrap()];
    let (there, key) = (manager.address(), manager.authkey());
    let (has_come, may_end) = (taken.clone(), done.clone());
    let child = Process::spawn(move || {
        let list = consumer.get().unwrap();
        has_come.set().unwrap();
        assert!(may_end.wait_timeout(SOON).unwrap());
        list.push(2).unwrap();
        list.len().unwrap() as u64
    });
    let child = child.unwrap();
    let list = Manager::connect(&there, &key).unwrap().list::<u8>().unwrap();
    list.push(1).unwrap();
    producer.put(list.clone()).unwrap();
    assert!(taken.wait_timeout(SOON).unwrap());
    drop(list);
    done.set().unwrap();
    assert_eq!(child.join(), Ok(2));
}

pub(super) fn a_proxy_of_what_is_no_more_is_an_error_where_it_arrives() {
    let pool = Pool::with_processes(1).unwrap();
    let manager = Manager::start().unwrap();
    let (producer, consumer) = queue::<REvent>(2).unwrap();
    producer.put(manager.event().unwrap()).unwrap();
    let event = manager.event().unwrap();
    producer.put(event.clone()).unwrap();
    soon("the first has gone", || manager.stats().unwrap().objects == 1);
    let error = consumer.get().unwrap_err().to_string();
    assert!(error.contains("nobody holds it any more"), "{error}");
    assert!(!consumer.get().unwrap().is_set().unwrap());
    manager.shutdown().unwrap();
    let late = pool.apply(|event: REvent| event.is_set().unwrap(), event);
    assert!(matches!(late, Err(TaskError::Decode(_))), "{late:?}");
}

pub(super) fn what_a_child_has_captured_is_there_when_it_looks() {
    let manager = Manager::start().unwrap();
    let list = manager.list::<u8>().unwrap();
    let child = Process::spawn(move || list.extend([1, 2]).and_then(|()| list.to_vec()).unwrap().len() as u64);
    assert_eq!(child.unwrap().join(), Ok(2));
}
