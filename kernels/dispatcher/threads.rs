//! The threads of a dispatcher, how one waits for them, and what becomes of them at exit and fork.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use super::delivery::Shared;
use super::guard::guarded;
use super::queue::{FORKS, unpoisoned};

/// How long a wait goes on before it looks for a pending Ctrl-C.
const SLICE: Duration = Duration::from_millis(50);
/// How long the exit of the interpreter waits for callbacks that are still running.
const GRACE: Duration = Duration::from_secs(1);

/// The dispatchers that the exit of the interpreter has to stop.
static LIVE: Mutex<Vec<Weak<Crew>>> = Mutex::new(Vec::new());
static EXITING: AtomicBool = AtomicBool::new(false);

/// The threads of one dispatcher.
pub struct Crew {
    pub shared: Shared,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Crew {
    pub fn new(shared: Shared) -> Arc<Self> {
        let crew = Arc::new(Self {
            shared,
            threads: Mutex::default(),
        });
        let mut live = unpoisoned(LIVE.lock());
        live.retain(|other| other.strong_count() > 0);
        live.push(Arc::downgrade(&crew));
        crew
    }

    /// Start a thread that delivers.
    pub fn start_worker(self: &Arc<Self>) -> PyResult<()> {
        // The thread keeps all of this alive, so that the exit of the interpreter finds it.
        let crew = Arc::clone(self);
        self.shared.queue.enter();
        let started = self.spawn(move || work(&crew.shared));
        if started.is_err() {
            self.shared.queue.leave();
        }
        started
    }

    /// Wait until no thread of a closed dispatcher runs any more; false if the time ran out.
    pub fn join(&self, py: Python<'_>, until: Option<Instant>) -> PyResult<bool> {
        if !wait(py, until, |end| self.shared.queue.wait_for_end(end))? {
            return Ok(false);
        }
        // These have nothing left to do: the last that they did was to say that they end.
        let threads = std::mem::take(&mut *unpoisoned(self.threads.lock()));
        py.detach(|| threads.into_iter().for_each(|thread| _ = thread.join()));
        Ok(true)
    }

    /// Start a thread that is waited for by `join`.
    pub fn spawn(&self, run: impl FnOnce() + Send + 'static) -> PyResult<()> {
        if EXITING.load(Relaxed) {
            return Err(PyRuntimeError::new_err("the interpreter is exiting"));
        }
        let thread = Builder::new().name("dispatcher".into()).spawn(run)?;
        let mut threads = unpoisoned(self.threads.lock());
        threads.retain(|other| !other.is_finished());
        threads.push(thread);
        Ok(())
    }
}

/// Wait with the GIL released until `ready`, which may block until the time that it is given.
///
/// Returns false if `until` came first, and raises what the handler of a signal raises, such as
/// KeyboardInterrupt in the main thread.
pub fn wait(
    py: Python<'_>,
    until: Option<Instant>,
    ready: impl Fn(Instant) -> bool + Send + Sync,
) -> PyResult<bool> {
    loop {
        let slice = Instant::now() + SLICE;
        let end = until.map_or(slice, |until| until.min(slice));
        if py.detach(|| ready(end)) {
            return Ok(true);
        }
        py.check_signals()?;
        if until.is_some_and(|until| until <= Instant::now()) {
            return Ok(false);
        }
    }
}

/// The end of a time limit in seconds; None is no limit, as is one that no clock reaches.
pub fn deadline(timeout: Option<f64>) -> PyResult<Option<Instant>> {
    let Some(timeout) = timeout else {
        return Ok(None);
    };
    if timeout.is_nan() || timeout < 0.0 {
        return Err(PyValueError::new_err("timeout must not be negative"));
    }
    let time = Duration::try_from_secs_f64(timeout).ok();
    Ok(time.and_then(|time| Instant::now().checked_add(time)))
}

/// Have the interpreter tell of its exit and of forks.
pub fn watch_process(py: Python<'_>) -> PyResult<()> {
    let at_exit = wrap_pyfunction!(stop_all, py)?;
    py.import("atexit")?.call_method1("register", (at_exit,))?;
    let os = py.import("os")?;
    if os.hasattr("register_at_fork")? {
        let arguments = [("after_in_child", wrap_pyfunction!(count_fork, py)?)];
        let arguments = pyo3::types::IntoPyDict::into_py_dict(arguments, py)?;
        os.call_method("register_at_fork", (), Some(&arguments))?;
    }
    Ok(())
}

fn work(shared: &Shared) {
    let run = |py: Python<'_>| {
        let _here = shared.enter();
        guarded(|| {
            loop {
                py.detach(|| shared.queue.wait_for_event(None));
                match shared.deliver(py, false) {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => error.write_unraisable(py, None),
                }
            }
        });
    };
    if Python::try_attach(run).is_none() {
        shared.queue.leave();
    }
}

/// Stop every dispatcher that nobody stopped, while their threads can still run Python code.
#[pyfunction]
fn stop_all(py: Python<'_>) -> PyResult<()> {
    EXITING.store(true, Relaxed);
    let live = std::mem::take(&mut *unpoisoned(LIVE.lock()));
    let crews = live.iter().filter_map(Weak::upgrade);
    let crews: Vec<_> = crews
        .filter(|crew| crew.shared.queue.is_at_home())
        .collect();
    for crew in &crews {
        crew.shared.close(true);
    }
    let until = Instant::now() + GRACE;
    for crew in &crews {
        crew.join(py, Some(until))?;
    }
    Ok(())
}

#[pyfunction]
fn count_fork() {
    FORKS.fetch_add(1, Relaxed);
}
