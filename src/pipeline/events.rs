//! The supervisor's events as log records.

use super::system::System;
use crate::supervisor::{Crew, Event};

/// Logs an event through the `log` facade.
pub fn log_event(system: &System, event: &Event<'_>) {
    match event {
        Event::Started { worker, pid, incarnation: 1 } => {
            log::info!("worker `{}` started on core {}, pid {pid}", system.name(*worker), system.core(*worker));
        }
        Event::Started { worker, pid, incarnation } => {
            log::info!("worker `{}` started again (start {incarnation}), pid {pid}", system.name(*worker));
        }
        Event::Ended { worker, pid, cause, restart_in: None } => {
            log::info!("worker `{}`, pid {pid}, ended: {cause}", system.name(*worker));
        }
        Event::Ended { worker, pid, cause, restart_in: Some(delay) } => {
            let when = if delay.is_zero() { "at once".to_owned() } else { format!("in {delay:?}") };
            log::warn!("worker `{}`, pid {pid}, died: {cause}; it is started again {when}", system.name(*worker));
        }
        Event::SpawnFailed { error, retry_in } => log::error!("{error}; trying again in {retry_in:?}"),
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
