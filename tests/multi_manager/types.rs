//! What each type of object does, and says when it cannot.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

pub(super) fn a84_every_type_that_holds_data_is_used_from_a_child() {
    let manager = Manager::builder().register::<Account>().start().unwrap();
    let value: RValue<f64> = manager.value(1.5).unwrap();
    let array: RArray<i32> = manager.array(0..5).unwrap();
    let list: RList<String> = manager.list().unwrap();
    let dict: RDict<String, Vec<u8>> = manager.dict().unwrap();
    let namespace: RNamespace = manager.namespace().unwrap();
    let service: RService<Account> = manager.service(&5).unwrap();
    let child = forked(&[], || {
        assert_eq!(value.update(|old| old * 2.0).unwrap(), 3.0);
        array.set(4, 40).unwrap();
        assert_eq!(array.update(0, |old| old - 1).unwrap(), -1);
        assert!(matches!(array.set(5, 0), Err(ManagerError::NotFound(_))));
        assert_eq!(array.get(5).unwrap(), None);
        list.extend(["b".to_owned(), "c".to_owned()]).unwrap();
        list.insert(0, "a".to_owned()).unwrap();
        list.push("x".to_owned()).unwrap();
        assert_eq!(list.pop().unwrap().unwrap(), "x");
        assert_eq!((list.remove(1).unwrap().as_str(), list.len().unwrap()), ("b", 2));
        assert_eq!(dict.insert("k".into(), vec![1]).unwrap(), None);
        assert_eq!(dict.insert("k".into(), vec![2]).unwrap(), Some(vec![1]));
        assert!(dict.compare_exchange(&"n".into(), None, Some(vec![])).unwrap());
        assert!(!dict.compare_exchange(&"n".into(), None, Some(vec![])).unwrap());
        namespace.set("x", 7u16).unwrap();
        namespace.set("y", "text".to_owned()).unwrap();
        assert_eq!(service.call::<_, i64>("deposit", &(10i64, 2i64)).unwrap(), 25);
    });
    child.must_succeed();
    assert_eq!((value.get().unwrap(), array.to_vec().unwrap()), (3.0, vec![-1, 1, 2, 3, 40]));
    assert_eq!(list.to_vec().unwrap(), ["a", "c"]);
    assert_eq!(dict.to_map().unwrap(), [("k".to_owned(), vec![2]), ("n".to_owned(), vec![])].into());
    assert_eq!(dict.keys().unwrap(), ["k", "n"]);
    assert_eq!((dict.remove(&"k".into()).unwrap(), dict.contains(&"k".into()).unwrap()), (Some(vec![2]), false));
    assert_eq!((namespace.get::<u16>("x").unwrap(), namespace.names().unwrap().len()), (Some(7), 2));
    assert!(matches!(namespace.get::<u32>("y"), Err(ManagerError::TypeMismatch { .. })));
    assert_eq!(service.call::<_, i64>("deposit", &(0i64, 0i64)).unwrap(), 25);
    manager.shutdown().unwrap();
}

pub(super) fn a84_every_type_that_one_waits_for_is_used_from_a_child() {
    let manager = Manager::start().unwrap();
    let lock: RLock = manager.lock().unwrap();
    let semaphore: RSemaphore = manager.semaphore(2).unwrap();
    let event: REvent = manager.event().unwrap();
    let barrier: RBarrier = manager.barrier(2).unwrap();
    let queue: RQueue<(u8, String)> = manager.queue(2).unwrap();
    let child = forked(&[], || {
        let guard = lock.acquire().unwrap();
        assert!(!guard.owner_died() && lock.try_acquire().unwrap().is_none() && lock.is_locked().unwrap());
        assert!(matches!(lock.acquire_timeout(Duration::from_millis(5)), Err(ManagerError::Timeout { .. })));
        guard.release().unwrap();
        let permits = (semaphore.acquire().unwrap(), semaphore.try_acquire().unwrap().unwrap());
        assert!(semaphore.try_acquire().unwrap().is_none());
        drop(permits);
        assert_eq!(semaphore.free().unwrap(), 2);
        event.wait().unwrap();
        queue.put(&(1, "one".into())).unwrap();
        assert!(queue.try_put(&(2, "two".into())).unwrap() && !queue.try_put(&(3, String::new())).unwrap());
        assert!(barrier.wait().unwrap() < 2);
        queue.put(&(3, "three".into())).unwrap();
        queue.close().unwrap();
        assert!(matches!(queue.put(&(4, String::new())), Err(ManagerError::Closed { .. })));
    });
    assert!(!event.wait_timeout(Duration::from_millis(10)).unwrap() && !event.is_set().unwrap());
    event.set().unwrap();
    assert!(barrier.wait().unwrap() < 2);
    for expected in [(1, "one"), (2, "two"), (3, "three")] {
        assert_eq!(queue.get().unwrap(), (expected.0, expected.1.to_owned()));
    }
    assert!(matches!(queue.get(), Err(ManagerError::Closed { .. })));
    child.must_succeed();
    event.clear().unwrap();
    assert!(!event.is_set().unwrap());
    manager.shutdown().unwrap();
}

pub(super) fn a85_a_missing_key_name_type_or_method_is_a_typed_error() {
    let manager = Manager::builder().register::<Account>().start().unwrap();
    let dict = manager.dict::<String, i64>().unwrap();
    manager.publish("d", &dict).unwrap();
    let error = dict.at(&"missing".to_owned()).unwrap_err();
    assert!(matches!(error, ManagerError::NotFound(_)));
    assert!(error.to_string().contains("missing") && error.to_string().contains(&manager.address().to_string()));
    assert!(matches!(manager.lookup::<RLock>("nobody"), Err(ManagerError::NotFound(_))));
    for error in [
        manager.lookup::<RDict<String, u64>>("d").unwrap_err(),
        manager.lookup::<RList<i64>>("d").unwrap_err(),
        manager.lookup::<RNamespace>("d").unwrap_err(),
    ] {
        assert!(matches!(error, ManagerError::TypeMismatch { .. }), "{error}");
        assert!(error.to_string().contains("`d`"), "{error}");
    }
    assert!(matches!(manager.service::<Unknown>(&()), Err(ManagerError::NotFound(_))));
    assert!(matches!(manager.service::<Account>(&-1), Err(ManagerError::Remote(_))));
    let account = manager.service::<Account>(&0).unwrap();
    let Err(ManagerError::NotFound(what)) = account.call::<_, ()>("__init__", &()) else { panic!("it is there") };
    assert!(what.starts_with("method `__init__` of service"), "{what}");
    assert!(matches!(account.call::<_, ()>("deposit", &"text"), Err(ManagerError::Remote(_))));
    assert!(matches!(account.call::<_, String>("deposit", &(1i64, 1i64)), Err(ManagerError::Codec { .. })));
    let caught = account.call::<_, ()>("rob", &()).unwrap_err();
    assert!(caught.to_string().contains("caught"), "{caught}");
    let burnt = account.call::<_, ()>("burn", &()).unwrap_err();
    assert!(burnt.to_string().contains("it burns"), "{burnt}");
    assert!(matches!(account.call::<_, i64>("deposit", &(1i64, 1i64)), Err(ManagerError::Remote(_))));
    assert!(manager.withdraw("d").unwrap() && !manager.withdraw("d").unwrap());
    manager.shutdown().unwrap();
}

pub(super) fn w21_four_processes_lose_no_update() {
    let manager = Manager::start().unwrap();
    let (dict, value, list) =
        (manager.dict::<String, i64>().unwrap(), manager.value(0i64).unwrap(), manager.list::<i64>().unwrap());
    dict.insert("n".into(), 0).unwrap();
    list.push(0).unwrap();
    let work = || {
        for _ in 0..500 {
            loop {
                let old = dict.get(&"n".into()).unwrap().unwrap();
                if dict.compare_exchange(&"n".into(), Some(&old), Some(old + 1)).unwrap() {
                    break;
                }
            }
        }
        for _ in 0..100 {
            value.update(|old| old + 1).unwrap();
            list.update(0, |old| old + 1).unwrap();
            dict.update(&"m".into(), |old| Some(old.unwrap_or(0) + 1)).unwrap();
        }
    };
    let children: Vec<Forked> = (0..4).map(|_| forked(&[], work)).collect();
    children.into_iter().for_each(Forked::must_succeed);
    assert_eq!(dict.to_map().unwrap(), [("m".to_owned(), 400), ("n".to_owned(), 2000)].into());
    assert_eq!((value.get().unwrap(), list.get(0).unwrap()), (400, Some(400)));
}
