//! A task in every order of steps that who waits for it, its workers and the sweep can take, each a thread here, and with the first worker
//! killed at each step.

use super::cells::{Cells, Phase, TaskId};
use super::sheet::Sheet;
use super::worker::{Answer, Timekeeper, run_task};
use crate::multi::alone::{self, explore};
use crate::multi::bell::Limit;
use crate::multi::object::Handle;

/// A pool with one task, whose argument is 3.
struct Scene {
    handle: Handle,
    cells: Cells,
    task: TaskId,
}

impl Scene {
    fn new(retries: u32) -> Self {
        let handle = Cells::create(64).unwrap();
        let cells = Cells::of(handle.object());
        cells.head.retries.set(retries);
        let task = cells.claim().unwrap().unwrap();
        let len = cells.fill(task, &3u64).unwrap();
        let cell = cells.cell(task.cell).unwrap();
        cell.len.set(u32::try_from(len).unwrap());
        cell.retries.set(retries);
        assert!(cells.change(task, Phase::Filling, Phase::Submitted));
        Self { handle, cells, task }
    }

    fn phase(&self) -> Option<Phase> {
        self.cells.state(self.task).map(|state| state.phase)
    }

    fn answer(&self) -> u64 {
        // SAFETY: all have come to an end.
        let mut sheet = unsafe { self.cells.sheet(self.task) }.unwrap();
        number(sheet.result())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.cells.free_segments();
        let _ = &self.handle;
    }
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(bytes[..8].try_into().unwrap())
}

/// The work: ten times the argument, and one.
fn call(_: u64, sheet: &mut Sheet, len: usize) -> Answer {
    let argument = number(sheet.argument(len));
    sheet.result()[..8].copy_from_slice(&(10 * argument + 1).to_ne_bytes());
    Ok(8)
}

/// A worker that runs the task if it is there to be run.
fn worker(number: usize, cells: Cells, task: TaskId) -> impl FnOnce() + Send + 'static {
    move || {
        alone::be(number);
        if cells.lease(task) {
            run_task(&cells, task, &mut Timekeeper::default(), &mut call);
        }
    }
}

/// The launcher: what worker 0 was running is tried again, by worker 5.
fn burial(cells: Cells, task: TaskId) -> impl FnOnce() + Send + 'static {
    move || {
        let mut again = false;
        cells.bereave(alone::place(0), 1, None, |_| {
            again = true;
            true
        });
        if again {
            worker(5, cells, task)();
        }
    }
}

#[test]
fn a_task_that_is_tried_again_has_its_argument() {
    explore(1, |threads| {
        let scene = Scene::new(1);
        let (cells, task) = (scene.cells, scene.task);
        threads.thread(worker(0, cells, task)).burial(burial(cells, task));
        threads.thread(move || {
            let over =
                || cells.state(task).is_none_or(|state| state.phase.is_over() || state.phase == Phase::Submitted);
            cells.head.over.wait(Limit::NEVER, || over().then_some(()));
        });
        threads.verdict(move || match scene.phase() {
            Some(Phase::Done) => assert_eq!(scene.answer(), 31),
            // It was killed before it took the task.
            other => assert_eq!(other, Some(Phase::Submitted)),
        });
    });
}

/// Whoever waits for a task loses interest while it is run, and its worker dies perhaps.
#[test]
fn the_cell_of_a_task_that_was_abandoned_is_free_in_the_end() {
    for (retries, detached) in [(0, false), (1, false), (1, true)] {
        explore(1, |threads| {
            let scene = Scene::new(retries);
            let (cells, task) = (scene.cells, scene.task);
            threads.thread(worker(0, cells, task)).burial(burial(cells, task));
            threads.thread(move || {
                alone::be_first();
                if !(detached && cells.detach(task)) {
                    if let Some(phase) = cells.abandon(task) {
                        cells.change(task, phase, Phase::Free);
                    }
                }
            });
            threads.verdict(move || {
                // It was killed before it took the task.
                worker(6, cells, task)();
                alone::be_first();
                assert_eq!(scene.phase(), Some(Phase::Free));
            });
        });
    }
}

/// The deadline is over when a worker takes the task, and the worker dies perhaps; or whoever waits for it has gone by then.
#[test]
fn a_task_that_is_late_is_neither_run_nor_tried_again() {
    for awaited in [true, false] {
        explore(1, |threads| {
            let scene = Scene::new(1);
            let (cells, task) = (scene.cells, scene.task);
            cells.cell(task.cell).unwrap().set_deadline(Limit::at(Some(1)));
            threads.thread(worker(0, cells, task)).burial(burial(cells, task));
            threads.thread(move || {
                alone::be_first();
                if awaited {
                    return;
                }
                if let Some(phase) = cells.abandon(task) {
                    cells.change(task, phase, Phase::Free);
                }
            });
            threads.verdict(move || {
                // It was killed before it took the task.
                worker(6, cells, task)();
                alone::be_first();
                assert_eq!(scene.phase(), Some(if awaited { Phase::Overdue } else { Phase::Free }));
                assert_eq!(cells.head.completed.get() + cells.head.retried.get(), 0);
            });
        });
    }
}
