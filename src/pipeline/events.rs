//! The supervisor's events as log records.

use std::time::Duration;

use super::system::System;
use crate::process::ExitCause;
use crate::supervisor::{Crew, Event};

fn log_end(system: &System, worker: usize, pid: i32, cause: ExitCause, restart_in: Option<Duration>) {
    let name = system.name(worker);
    let again = match restart_in {
        None => String::new(),
        Some(Duration::ZERO) => "; it is started again at once".to_owned(),
        Some(delay) => format!("; it is started again in {} ms", delay.as_millis()),
    };
    match system.last_death(worker).filter(|death| death.pid == pid) {
        Some(death) => log::warn!("worker `{name}`, pid {pid}, died: {death}{again}"),
        None => log::info!("worker `{name}`, pid {pid}, ended: {cause}{again}"),
    }
}

/// Logs an event through the `log` facade.
pub fn log_event(system: &System, event: &Event<'_>) {
    match event {
        Event::Started { worker, pid, incarnation: 1 } => {
            log::info!("worker `{}` started on core {}, pid {pid}", system.name(*worker), system.core(*worker));
        }
        Event::Started { worker, pid, incarnation } => {
            log::info!("worker `{}` started again (start {incarnation}), pid {pid}", system.name(*worker));
        }
        Event::Ended { worker, pid, cause, restart_in, .. } => log_end(system, *worker, *pid, *cause, *restart_in),
        Event::SpawnFailed { error, .. } => {
            log::error!("{error}; that counts as a failed start, and it is tried again");
        }
        Event::Ready { .. } => {}
        Event::Hung { worker, why } => {
            log::error!("worker `{}` hangs: {why}; it is told to abort, and killed in 0.5 s", system.name(*worker));
        }
        Event::Quarantined { worker } => {
            let name = system.name(*worker);
            log::error!(
                "DEGRADED: worker `{name}` failed too often and is in quarantine: one try a minute; when mended: pinring restart {name}"
            );
        }
        Event::Fenced { worker } => {
            log::error!(
                "worker `{}` has written what makes no sense into its rings: it is ended; its nodes start afresh, and what they had sent \
                 but nobody had read is lost",
                system.name(*worker)
            );
        }
        Event::Released { worker } => {
            log::info!("worker `{}` has worked for a while and is out of quarantine", system.name(*worker));
        }
        Event::Unreapable { worker } => {
            log::error!(
                "worker `{}` does not end though it was sent SIGKILL: it is stuck in the kernel, or its cgroup is frozen; it is started \
                 again once it has ended",
                system.name(*worker)
            );
        }
        Event::Parking => log::info!("sources pause where they are; handling what is under way"),
        Event::Log { worker, record } => {
            log::log!(record.level, "[{}] {}", system.name(*worker), record.text);
        }
        Event::LogDropped { worker, count } => {
            log::warn!("[{}] {count} log records were dropped: they came too fast", system.name(*worker));
        }
        Event::StopAsked { signal } => log::info!("{signal}: stopping in order"),
        Event::Draining => log::info!("sources end; draining what is under way"),
        Event::Killed { worker } => {
            log::error!("worker `{}` did not end in time and was killed", system.name(*worker));
        }
        Event::Tick => {}
    }
}
