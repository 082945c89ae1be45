//! A ring between two programs that are not each other's children: one opens the other's descriptor. A tap looks on.
//!
//! `cargo run --release --example ring_attach`

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;

use pinring::ring::{Options, PopError, attach_consumer, attach_tap};

type Position = [f64; 2];

fn open(path: &str) -> std::io::Result<OwnedFd> {
    Ok(File::options().read(true).write(true).open(path)?.into())
}

/// The other program: takes every message, and looks at the newest from the side.
fn reader(path: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut rx = attach_consumer::<Position>(open(path)?)?;
    let mut tap = attach_tap::<Position>(open(path)?)?;
    let mut count = 0;
    loop {
        match rx.recv() {
            Ok(_) => count += 1,
            Err(PopError::Closed) => break,
            Err(error) => return Err(error.into()),
        }
    }
    println!("the reader took {count} positions; the newest is {:?}", tap.newest());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(path) = std::env::args().nth(1) {
        return reader(&path);
    }
    let (mut tx, _) = Options::new(64).taps().open::<Position>()?;
    // Any way of handing a descriptor over will do: inheritance, SCM_RIGHTS, or /proc as here.
    let path = format!("/proc/{}/fd/{}", std::process::id(), tx.descriptor().as_raw_fd());
    let mut other = Command::new(std::env::current_exe()?).arg(path).spawn()?;
    for step in 0..1000 {
        tx.send([48.0 + f64::from(step) / 1000.0, 11.5]).map_err(|error| error.to_string())?;
    }
    drop(tx);
    other.wait()?;
    Ok(())
}
