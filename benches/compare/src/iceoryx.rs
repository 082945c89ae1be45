//! iceoryx2, publish and subscribe between two processes, both looking without sleep.

use iceoryx2::prelude::*;

use crate::harness::{End, Way, insist, round_trip, stream};
use crate::message::{Message, check, message};

type M = Message<8>;
type Publisher = iceoryx2::port::publisher::Publisher<ipc::Service, M, ()>;
type Subscriber = iceoryx2::port::subscriber::Subscriber<ipc::Service, M, ()>;

/// Keeps the node alive with its ports.
struct Port<P>(#[allow(dead_code, reason = "the port dies with its node")] Node<ipc::Service>, P);

macro_rules! service {
    ($node:expr, $name:expr) => {
        $node
            .service_builder(&$name.as_str().try_into().expect("a name"))
            .publish_subscribe::<M>()
            .enable_safe_overflow(false)
            .subscriber_max_buffer_size(1024)
            .open_or_create()
            .expect("a service")
    };
}

fn node() -> Node<ipc::Service> {
    NodeBuilder::new().create::<ipc::Service>().expect("a node")
}

fn publisher(name: &str) -> Port<Publisher> {
    let (node, name) = (node(), name.to_owned());
    let service = service!(node, name);
    let factory = service.publisher_builder().backpressure_strategy(BackpressureStrategy::RetryUntilDelivered);
    let publisher = factory.create().expect("a publisher");
    Port(node, publisher)
}

fn subscriber(name: &str) -> Port<Subscriber> {
    let (node, name) = (node(), name.to_owned());
    let service = service!(node, name);
    let subscriber = service.subscriber_builder().create().expect("a subscriber");
    Port(node, subscriber)
}

fn send(port: &Port<Publisher>, number: u64) {
    let sample = port.1.loan_uninit().expect("a sample").write_payload(message::<8>(number));
    sample.send().expect("a subscriber");
}

fn receive(port: &Port<Subscriber>, number: u64) {
    insist(|| {
        port.1.receive().expect("a whole service").is_some_and(|sample| {
            check(&sample, number);
            true
        })
    });
}

fn name(what: &str) -> String {
    format!("pinring-compare-{}-{what}-{}", std::process::id(), crate::harness::now())
}

pub fn one(count: u64) -> f64 {
    let name = name("stream");
    let sender = || {
        let port = publisher(&name);
        move |next| {
            send(&port, next);
            next + 1
        }
    };
    let receiver = || {
        let port = subscriber(&name);
        // On a busy machine it loses messages now and then, though told to retry until they are delivered. They count for it.
        move |next| {
            let mut seen = next;
            insist(|| {
                port.1.receive().expect("a whole service").is_some_and(|sample| {
                    seen = sample[0];
                    check(&sample, seen);
                    true
                })
            });
            assert!(seen >= next, "message {next} is {seen}");
            seen + 1
        }
    };
    stream(Way::Processes, count, sender, receiver)
}

fn end(out: &str, back: &str) -> End<impl FnMut(u64), impl FnMut(u64)> {
    let (out, back) = (publisher(out), subscriber(back));
    End { send: move |number| send(&out, number), receive: move |number| receive(&back, number) }
}

pub fn trip(count: u64) -> [f64; 2] {
    let (to, fro) = (name("to"), name("fro"));
    round_trip(Way::Processes, count, || end(&fro, &to), || end(&to, &fro))
}
