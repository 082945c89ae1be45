//! What the system must give at all: descriptors, shared memory, pseudo terminals.

use super::finding::{Finding, Level};
use crate::sys::memfd;
use crate::sys::pty::Pty;
use crate::sys::rlimit::{Limited, limit};

const FILES: &str = "open files";
const FILES_WHY: &str = "the supervisor holds doorbells, pipes, pidfds and the open ports of all workers";
const MEMORY: &str = "shared memory";
const MEMORY_WHY: &str = "all rings live in a memfd";
const PTY: &str = "pseudo terminals";
const PTY_WHY: &str = "`pinring demo` plays its instruments into them";

/// Descriptors that a node needs at most, generously, and those that the supervisor needs besides.
const PER_NODE: u64 = 8;
const BASE: u64 = 64;

/// RLIMIT_NOFILE: the soft limit, `None` in it: without limit.
pub(super) fn look_files() -> Result<Option<u64>, String> {
    limit(Limited::Descriptors).map(|(soft, _)| soft).map_err(|error| error.to_string())
}

/// `nodes`: how many the configuration has.
pub(super) fn judge_files(soft: &Result<Option<u64>, String>, nodes: usize) -> Finding {
    let finding = |level, found: String| Finding::new(FILES, level, found, FILES_WHY);
    let wanted = BASE + PER_NODE * nodes as u64;
    match soft {
        Err(error) => finding(Level::Unknown, format!("getrlimit(2) does not say: {error}")),
        Ok(None) => finding(Level::Ok, "as many as wanted".into()),
        Ok(Some(most)) if *most >= wanted => finding(Level::Ok, format!("up to {most}")),
        Ok(Some(most)) => {
            let more = wanted.next_power_of_two().max(1024);
            finding(Level::Fault, format!("up to {most}; this pipeline may need {wanted}"))
                .mend(format!("ulimit -n {more}\n# or, for a service, in its unit:\nLimitNOFILE={more}"))
        }
    }
}

/// Makes such memory as rings live in.
pub(super) fn look_memory() -> Result<(), String> {
    memfd::create_sealed(c"pinring-doctor", 4096).map(drop).map_err(|error| error.to_string())
}

pub(super) fn judge_memory(made: &Result<(), String>) -> Finding {
    match made {
        Ok(()) => Finding::new(MEMORY, Level::Ok, "memfd works", MEMORY_WHY),
        Err(error) => Finding::new(MEMORY, Level::Fault, format!("memfd_create(2) fails: {error}"), MEMORY_WHY)
            .mend("# a container's filter forbids it; start the container with: --security-opt seccomp=unconfined"),
    }
}

/// Opens a pseudo terminal.
pub(super) fn look_pty() -> Result<(), String> {
    Pty::open().map(drop).map_err(|error| error.to_string())
}

pub(super) fn judge_pty(opened: &Result<(), String>) -> Finding {
    match opened {
        Ok(()) => Finding::new(PTY, Level::Ok, "can be opened", PTY_WHY),
        // The demo alone needs them.
        Err(error) => Finding::new(PTY, Level::Warning, format!("none can be opened: {error}"), PTY_WHY).mend(
            "mountpoint -q /dev/pts || sudo mount -t devpts devpts /dev/pts -o gid=5,mode=620,ptmxmode=666\n\
             sudo sysctl -w kernel.pty.max=4096   # if there were none left",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_must_do_for_this_pipeline() {
        assert_eq!(judge_files(&Ok(Some(1024)), 40).level, Level::Ok);
        assert_eq!(judge_files(&Ok(None), 4000).level, Level::Ok);
        let finding = judge_files(&Ok(Some(1024)), 1000);
        assert_eq!((finding.level, finding.found.as_str()), (Level::Fault, "up to 1024; this pipeline may need 8064"));
        assert!(finding.mend.starts_with("ulimit -n 8192\n"));
        assert_eq!(judge_files(&Err("no".into()), 1).level, Level::Unknown);
    }

    #[test]
    fn what_is_refused_is_said_with_the_systems_words() {
        let refused = Err("Operation not permitted (os error 1)".to_owned());
        assert_eq!(judge_memory(&refused).level, Level::Fault);
        assert!(judge_pty(&refused).found.ends_with("Operation not permitted (os error 1)"));
        assert_eq!((judge_memory(&look_memory()).level, judge_pty(&Ok(())).level), (Level::Ok, Level::Ok));
    }
}
