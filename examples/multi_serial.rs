//! A serial port in both directions at once: one process reads lines from it while another writes to it, as programs with pyserial and
//! `multiprocessing` do. The instrument at the other end is played by a third one on a pseudo terminal.
//!
//! `cargo run --example multi_serial`

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::fd::AsFd;
use std::time::Duration;

use pinring::multi::{Consumer, Process, Producer, Serde, init, queue};
use pinring::serial::{Port, PortSettings};
use pinring::sys::pty::Pty;
use pinring::sys::stream::wait_readable;

type Line = Serde<String>;

// def reader(ser, q): q.put(ser.readline())
fn reader(port: File, lines: &Producer<Line>) -> std::io::Result<()> {
    let (mut port, mut line) = (BufReader::new(port), String::new());
    loop {
        match port.read_line(&mut line) {
            // A port does not block: part of a line may be there, and stays in `line`.
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait_readable(port.get_ref().as_fd(), None)?,
            // The other end has gone.
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) => lines.put(Serde(std::mem::take(&mut line))).is_ok(),
        };
    }
}

// def writer(ser, q): ser.write(q.get())
fn writer(port: &Port, commands: &Consumer<Line>) -> std::io::Result<()> {
    for Serde(command) in commands {
        let mut rest = command.as_bytes();
        while !rest.is_empty() {
            rest = &rest[port.write(rest)?..];
        }
    }
    Ok(())
}

/// Answers in capitals, until it is told to go.
fn instrument(mut line: Pty) -> std::io::Result<()> {
    loop {
        let heard = line.receive()?.to_ascii_uppercase();
        if heard.starts_with(b"BYE") {
            return Ok(());
        }
        line.send(&heard)?;
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Before anything is open: what is launched later has nothing of that.
    init()?;
    let line = Pty::open()?;
    // ser = serial.Serial("/dev/ttyUSB0", 115200)
    let port = Port::open(line.path(), &PortSettings::default())?;
    let input = File::from(port.as_fd().try_clone_to_owned()?);
    // First, so that the others do not inherit its end of the line and it hangs up when it ends.
    let instrument = Process::spawn(move || instrument(line).expect("the line"))?;
    let (put_line, lines) = queue(16)?;
    let (put_command, commands) = queue(16)?;
    let reader = Process::spawn(move || reader(input, &put_line).expect("the port"))?;
    let writer = Process::spawn(move || writer(&port, &commands).expect("the port"))?;
    for number in 1..=3 {
        put_command.put(Serde(format!("measure {number}\n")))?;
    }
    for _ in 1..=3 {
        print!("{}", lines.get()?.0);
    }
    put_command.put(Serde("bye\n".to_owned()))?;
    // The writer ends when nobody has a command for it, the reader when the line has gone.
    drop(put_command);
    writer.join()?;
    instrument.join()?;
    reader.join()?;
    println!("then: {}", lines.get().err().ok_or("a fourth line")?);
    Ok(())
}
