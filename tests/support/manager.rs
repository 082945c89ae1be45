//! A service manager, as far as the notify protocol goes (sd_notify(3)): hears messages, keeps descriptors, starts the program with them.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

/// Its socket, what it has heard, and what it keeps.
pub(crate) struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    pub(crate) heard: Vec<String>,
    store: Vec<(String, OwnedFd)>,
}

impl Manager {
    pub(crate) fn new(dir: &Path) -> Self {
        let path = dir.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, path, heard: Vec::new(), store: Vec::new() }
    }

    /// Takes in all messages that have come.
    pub(crate) fn hear(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            let mut space = nix::cmsg_space!([RawFd; 8]);
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let flags = MsgFlags::MSG_CMSG_CLOEXEC;
            let Ok(message) = recvmsg::<()>(self.socket.as_raw_fd(), &mut parts, Some(&mut space), flags) else {
                return;
            };
            let mut fds = Vec::new();
            for control in message.cmsgs().unwrap() {
                if let ControlMessageOwned::ScmRights(raw) = control {
                    // SAFETY: the kernel has just installed them for us.
                    fds.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
                }
            }
            let len = message.bytes;
            let text = String::from_utf8(buffer[..len].to_vec()).unwrap();
            let name = text.lines().find_map(|line| line.strip_prefix("FDNAME=")).unwrap_or("stored").to_owned();
            if text.contains("FDSTOREREMOVE=1") {
                self.store.retain(|(own, _)| *own != name);
            } else if text.contains("FDSTORE=1") {
                self.store.extend(fds.into_iter().map(|fd| (name.clone(), fd)));
            }
            self.heard.push(text);
        }
    }

    /// Names of what it keeps.
    pub(crate) fn kept(&self) -> Vec<&str> {
        self.store.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Waits until a message contains `what`.
    pub(crate) fn wait_for(&mut self, what: &str) {
        let start = Instant::now();
        while !self.heard.iter().any(|text| text.contains(what)) {
            assert!(start.elapsed() < Duration::from_secs(20), "no {what}: {:?}", self.heard);
            std::thread::sleep(Duration::from_millis(5));
            self.hear();
        }
    }

    /// Starts the program with what is kept, as a manager that restarts a service does.
    pub(crate) fn start(&mut self, arguments: &[&str], log: &Path) -> Child {
        self.heard.clear();
        let names = self.store.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(":");
        let fds: Vec<RawFd> = self.store.iter().map(|(_, fd)| fd.as_raw_fd()).collect();
        // The shell knows its pid, which the program then has.
        let mut command = Command::new("sh");
        let script = if fds.is_empty() { "exec \"$@\"" } else { "LISTEN_PID=$$ exec \"$@\"" };
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_pinring")]).args(arguments);
        command.env("NOTIFY_SOCKET", &self.path).env("WATCHDOG_USEC", "1000000");
        if !fds.is_empty() {
            command.env("LISTEN_FDS", fds.len().to_string()).env("LISTEN_FDNAMES", names);
        }
        let output = std::fs::File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
        // SAFETY: between fork and exec nothing is called but what `place` says.
        unsafe { command.pre_exec(move || place(&fds)) };
        command.spawn().unwrap()
    }
}

/// Makes duplicates of `fds` the descriptors 3, 4, 5 ... In a child of this program (which has one thread) before it execs.
fn place(fds: &[RawFd]) -> std::io::Result<()> {
    // Out of the way first, so that none is overwritten by another.
    let above = |fd: &RawFd| {
        // SAFETY: only asks for a duplicate.
        unsafe { libc::fcntl(*fd, libc::F_DUPFD_CLOEXEC, 100) }
    };
    let high: Vec<RawFd> = fds.iter().map(above).collect();
    for (fd, place) in high.into_iter().zip(3..) {
        // SAFETY: whatever had this number is nobody's in this child.
        unsafe { libc::dup2(fd, place) };
    }
    Ok(())
}
