//! A call that one thread sends to another, whose result it waits for.

use std::mem::replace;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use pyo3::exceptions::{PyRuntimeError, PyTimeoutError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::delivery::{Failure, Shared};
use super::queue::{Event, STOPPED, remaining, unpoisoned};
use super::threads::wait;

/// Have `callable(*arguments)` called by a thread that delivers, and wait for what comes of it.
pub fn send(
    shared: &Shared,
    callable: &Bound<'_, PyAny>,
    arguments: &Bound<'_, PyTuple>,
    until: Option<Instant>,
) -> PyResult<Py<PyAny>> {
    let (py, callable) = (callable.py(), callable.clone().unbind());
    let job = (callable.clone_ref(py), arguments.clone().unbind());
    let call = Arc::new(Call::new(job));
    if shared.queue.push(Event::Call(Arc::clone(&call))).is_err() {
        return Err(PyRuntimeError::new_err(STOPPED));
    }
    let waited = wait(py, until, |end| call.wait(end) || shared.queue.is_dead());
    match (waited, call.end()) {
        (Ok(_), Finding::Outcome(outcome)) => outcome,
        (Ok(false), Finding::Withdrawn | Finding::Running) => {
            let text = "the call has not returned in time";
            Err(PyTimeoutError::new_err(text))
        }
        (Ok(_), _) => Err(PyRuntimeError::new_err(STOPPED)),
        (Err(interrupt), Finding::Outcome(Err(error))) => {
            // It came while the interrupt did, and nobody else will tell of it.
            shared.report(py, Failure::of_call(error, &callable), false)?;
            Err(interrupt)
        }
        (Err(interrupt), _) => Err(interrupt),
    }
}

/// The callable with its arguments.
pub type Job = (Py<PyAny>, Py<PyTuple>);
type Outcome = PyResult<Py<PyAny>>;

pub struct Call {
    stage: Mutex<Stage>,
    settled: Condvar,
}

enum Stage {
    Waiting(Job),
    Running,
    Done(Outcome),
    /// The dispatcher was stopped before.
    Refused,
    /// Nobody waits for the outcome any more, or it was taken.
    Closed,
}

/// What the sender of a call finds.
pub enum Finding {
    Outcome(Outcome),
    /// It never ran, and never will.
    Refused,
    /// It had not begun, and will not.
    Withdrawn,
    /// It runs on, and its outcome goes elsewhere.
    Running,
}

impl Call {
    pub fn new(job: Job) -> Self {
        Self {
            stage: Mutex::new(Stage::Waiting(job)),
            settled: Condvar::new(),
        }
    }

    /// What to call, unless the sender has given up.
    pub fn begin(&self) -> Option<Job> {
        let mut stage = self.stage();
        match replace(&mut *stage, Stage::Running) {
            Stage::Waiting(job) => Some(job),
            other => {
                *stage = other;
                None
            }
        }
    }

    /// Hand the outcome to the sender; it comes back if the sender has given up.
    pub fn finish(&self, outcome: Outcome) -> Option<Outcome> {
        let mut stage = self.stage();
        if !matches!(*stage, Stage::Running) {
            return Some(outcome);
        }
        *stage = Stage::Done(outcome);
        drop(stage);
        self.settled.notify_all();
        None
    }

    /// Tell the sender that the call will not run; the job is returned to be dropped without the lock.
    pub fn refuse(&self) -> Option<Job> {
        let mut stage = self.stage();
        match replace(&mut *stage, Stage::Refused) {
            Stage::Waiting(job) => {
                drop(stage);
                self.settled.notify_all();
                Some(job)
            }
            other => {
                *stage = other;
                None
            }
        }
    }

    /// Wait until there is an outcome or a refusal; false if the time ran out.
    pub fn wait(&self, end: Instant) -> bool {
        let mut stage = self.stage();
        while matches!(*stage, Stage::Waiting(_) | Stage::Running) {
            let Some(rest) = remaining(end) else {
                return false;
            };
            stage = unpoisoned(self.settled.wait_timeout(stage, rest)).0;
        }
        true
    }

    /// Stop to wait: the outcome if there is one by now. A call that has not begun never will.
    pub fn end(&self) -> Finding {
        let mut stage = self.stage();
        let old = replace(&mut *stage, Stage::Closed);
        drop(stage);
        match old {
            Stage::Done(outcome) => Finding::Outcome(outcome),
            Stage::Refused => Finding::Refused,
            Stage::Waiting(_) => Finding::Withdrawn,
            Stage::Running | Stage::Closed => Finding::Running,
        }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        unpoisoned(self.stage.lock())
    }
}
