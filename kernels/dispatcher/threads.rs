//! The threads of a dispatcher, how one waits for them, and what becomes of them at exit and fork.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use super::delivery::{Route, Shared};
use super::queue::{Queue, unpoisoned};

/// How long a wait goes on before it looks for a pending Ctrl-C.
const SLICE: Duration = Duration::from_millis(50);
/// How long the exit of the interpreter waits for callbacks that are still running.
const GRACE: Duration = Duration::from_secs(1);

/// The dispatchers that the exit of the interpreter has to stop.
static LIVE: Mutex<Vec<Weak<Crew>>> = Mutex::new(Vec::new());
static EXITING: AtomicBool = AtomicBool::new(false);
/// Counts the forks on the way to this process.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// The threads of one dispatcher.
pub struct Crew {
    pub shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    forks: u64,
}

impl Crew {
    pub fn new(shared: Shared) -> Arc<Self> {
        let crew = Arc::new(Self {
            shared: Arc::new(shared),
            threads: Mutex::default(),
            forks: FORKS.load(Relaxed),
        });
        let mut live = unpoisoned(LIVE.lock());
        live.retain(|other| other.strong_count() > 0);
        live.push(Arc::downgrade(&crew));
        crew
    }

    /// Whether this is the process in which the dispatcher was made.
    pub fn is_at_home(&self) -> bool {
        self.forks == FORKS.load(Relaxed)
    }

    /// Start a thread that delivers.
    pub fn start_worker(&self) -> PyResult<()> {
        let shared = Arc::clone(&self.shared);
        shared.queue.enter();
        let started = self.spawn(move || work(&shared));
        if started.is_err() {
            self.shared.queue.leave();
        }
        started
    }

    /// Start a thread that posts.
    pub fn start_ticker(&self, ticker: Arc<Ticking>) -> PyResult<()> {
        let queue = Arc::clone(&self.shared.queue);
        ticker.running.store(true, Relaxed);
        self.spawn(move || {
            ticker.run(&queue);
            ticker.running.store(false, Relaxed);
        })
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

    fn spawn(&self, run: impl FnOnce() + Send + 'static) -> PyResult<()> {
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

/// A native thread that posts 0, 1, 2 and so on.
pub struct Ticking {
    pub route: Arc<Route>,
    pub count: Option<u64>,
    pub interval: Duration,
    pub stopped: AtomicBool,
    pub running: AtomicBool,
    pub sent: AtomicU64,
}

impl Ticking {
    fn run(&self, queue: &Queue) {
        let mut numbers = 0..self.count.unwrap_or(u64::MAX);
        let mut next = Instant::now();
        while !numbers.is_empty() {
            if self.interval.is_zero() {
                if !queue.push_numbers(&self.route, &mut numbers, &self.stopped) {
                    return;
                }
            } else {
                // The schedule is kept: time lost in a full queue does not delay all later ticks.
                next += self.interval;
                let mut tick = numbers.start..numbers.start + 1;
                if !queue.nap(next, &self.stopped)
                    || !queue.push_numbers(&self.route, &mut tick, &self.stopped)
                {
                    return;
                }
                numbers.start += 1;
            }
            self.sent.store(numbers.start, Relaxed);
        }
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
    let ran = Python::try_attach(|py| {
        let _here = shared.enter();
        loop {
            py.detach(|| shared.queue.wait_for_event(None));
            match shared.deliver(py, false) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => error.write_unraisable(py, None),
            }
        }
    });
    if ran.is_none() {
        shared.queue.leave();
    }
}

/// Stop every dispatcher that nobody stopped, while their threads can still run Python code.
#[pyfunction]
fn stop_all(py: Python<'_>) -> PyResult<()> {
    EXITING.store(true, Relaxed);
    let live = std::mem::take(&mut *unpoisoned(LIVE.lock()));
    let crews = live.iter().filter_map(Weak::upgrade);
    let crews: Vec<_> = crews.filter(|crew| crew.is_at_home()).collect();
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
