// rsimport
//! A dispatcher: native threads that hand events to Python callbacks, many of them at a time.
//!
//! Events come from any thread, of Python or of Rust, into one bounded queue. Threads that deliver
//! take the GIL once for a whole batch of them. The parts: `queue` knows nothing of callbacks,
//! `delivery` calls them, `call` carries a result back to another thread, `threads` and `ticker`
//! have the threads, and `guard` is for the exit of the interpreter.
//!
//! Sources: the queue is a monitor as in C. A. R. Hoare, "Monitors: an operating system structuring
//! concept", Communications of the ACM 17 (1974); kinds with callbacks that are registered for them
//! follow D. C. Schmidt, "Reactor", Pattern Languages of Program Design (1995).

#[path = "dispatcher/call.rs"]
mod call;
#[path = "dispatcher/delivery.rs"]
mod delivery;
#[path = "dispatcher/guard.rs"]
mod guard;
#[path = "dispatcher/queue.rs"]
mod queue;
#[path = "dispatcher/threads.rs"]
mod threads;
#[path = "dispatcher/ticker.rs"]
mod ticker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pyo3::exceptions::{PyKeyError, PyRuntimeError, PyTimeoutError, PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use delivery::{Handler, Route, RouteHandle, Shared};
use queue::{Event, Queue, Refusal, STOPPED};
use threads::{Crew, deadline, wait};
use ticker::Ticker;

pyo3::import_exception!(queue, Full);

/// More threads than any machine has use for: a slip of the keyboard shall raise an error.
const MAX_THREADS: usize = 1024;

/// Hands events to callbacks: from any thread, in threads of its own or in the one that listens.
///
/// `queue_size` is how many events may wait, `batch` how many of them a thread takes at once, and
/// so for how many the GIL is taken once. Events of one thread that delivers keep their order, but
/// for callbacks that take lists: these get theirs at the end of a batch. With several threads the
/// queue is shared out among them, and callbacks must bear to be called at the same time; a small
/// `batch` suits slow ones, because an event waits for those before it in its batch.
///
/// An exception of a callback ends nothing: it goes to `on_error(error, kind, payload)`, which may
/// be called from several threads, or without one to `sys.unraisablehook`, and is counted. Where
/// the interpreter exits and nobody has stopped the dispatcher, it is stopped as by
/// `stop(drain=False)`, and callbacks have a second to return. A dispatcher that nothing refers to
/// any more delivers what is posted, and its threads end; one whose callbacks refer to it is kept
/// by its threads until `stop`. After a fork the child has none of the threads: what needs the
/// queue raises RuntimeError there, and the child makes a dispatcher of its own.
///
/// As a context manager it is stopped at the end of the block: drained, or discarding after an
/// exception.
///
/// Raises ValueError if `queue_size` or `batch` is 0, OverflowError if one is negative, TypeError if
/// `on_error` can't be called.
#[pyclass(frozen)]
struct Dispatcher {
    crew: Arc<Crew>,
    /// From kinds to `RouteHandle`s. Python's own dict takes every kind that can be hashed, and
    /// needs no lock of ours while a kind's `__eq__` runs.
    routes: Py<PyDict>,
}

#[pymethods]
impl Dispatcher {
    #[new]
    #[pyo3(signature = (queue_size = 65536, batch = 1024, on_error = None))]
    fn new(
        py: Python<'_>,
        queue_size: usize,
        batch: usize,
        on_error: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        if queue_size == 0 || batch == 0 {
            let text = "queue_size and batch must be at least 1";
            return Err(PyValueError::new_err(text));
        }
        if let Some(handler) = &on_error {
            must_be_callable(handler, "on_error")?;
        }
        let shared = Shared {
            queue: Arc::new(Queue::new(queue_size)),
            batch,
            on_error: on_error.map(Bound::unbind),
            delivered: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            errors: AtomicU64::new(0),
        };
        let routes = PyDict::new(py).unbind();
        let crew = Crew::new(shared);
        Ok(Self { crew, routes })
    }

    /// How many events may wait; calls by `safe_dispatch` are not counted.
    #[getter]
    fn queue_size(&self) -> usize {
        self.crew.shared.queue.capacity
    }

    /// How many events a thread takes at once, at most.
    #[getter]
    fn batch(&self) -> usize {
        self.crew.shared.batch
    }

    /// How many events wait now.
    #[getter]
    fn queued(&self) -> PyResult<usize> {
        Ok(self.at_home()?.queue.len())
    }

    /// How many events were handed to a callback, those for which it raised included.
    #[getter]
    fn delivered(&self) -> u64 {
        self.crew.shared.delivered.load(Relaxed)
    }

    /// How many events met no callback any more, or were discarded by `stop`.
    #[getter]
    fn dropped(&self) -> u64 {
        self.crew.shared.dropped.load(Relaxed)
    }

    /// How often a callback raised, and a call whose sender no longer waited.
    #[getter]
    fn errors(&self) -> u64 {
        self.crew.shared.errors.load(Relaxed)
    }

    /// How many threads deliver now: those of `start`, and those that listen.
    #[getter]
    fn threads(&self) -> PyResult<usize> {
        Ok(self.at_home()?.queue.runners())
    }

    /// Whether `stop` was called, so that no more events are taken.
    #[getter]
    fn stopped(&self) -> PyResult<bool> {
        Ok(self.at_home()?.queue.is_closed())
    }

    /// Have `callback(payload)` called for the events of a kind, and return the callback before, or None.
    ///
    /// `kind` is anything that can be a key of a dict, such as a str, an int or a member of an enum.
    /// With `batched`, the callback gets a list of payloads instead, 1 to `batch` of them in the
    /// order in which they were posted. Events that wait already go to the new callback.
    ///
    /// Raises TypeError if the callback can't be called or the kind not be hashed.
    #[pyo3(signature = (kind, callback, batched = false))]
    fn register<'py>(
        &self,
        kind: &Bound<'py, PyAny>,
        callback: &Bound<'py, PyAny>,
        batched: bool,
    ) -> PyResult<Option<Py<PyAny>>> {
        self.at_home()?;
        must_be_callable(callback, "the callback")?;
        let py = kind.py();
        let routes = self.routes.bind(py);
        let route = RouteHandle(Arc::new(Route::new(kind.clone().unbind())));
        let mut route = Bound::new(py, route)?.into_any();
        loop {
            route = routes.call_method1("setdefault", (kind, &route))?;
            let callback = callback.clone().unbind();
            let handler = Arc::new(Handler { callback, batched });
            let handle = route.cast::<RouteHandle>()?;
            let old = handle.get().0.set_handler(Some(handler));
            // Another thread may have unregistered the kind in between, and taken the route out.
            if routes.get_item(kind)?.is_some_and(|now| now.is(&route)) {
                return Ok(old.map(|old| old.callback.clone_ref(py)));
            }
        }
    }

    /// Forget the callback of a kind. Its events that still wait are dropped, and counted.
    ///
    /// A call of it that runs in another thread goes on. Raises KeyError if there is no callback.
    fn unregister(&self, kind: &Bound<'_, PyAny>) -> PyResult<()> {
        self.at_home()?;
        let routes = self.routes.bind(kind.py());
        let route = routes.call_method1("pop", (kind,))?;
        route.cast::<RouteHandle>()?.get().0.set_handler(None);
        Ok(())
    }

    /// Post an event, from any thread.
    ///
    /// Where the queue is full, this waits for room with the GIL released, `timeout` seconds at
    /// most; None is for ever. The dispatcher's own threads never wait here: they would wait for
    /// themselves.
    ///
    /// Raises `queue.Full` if there was no room in time or, in the dispatcher's own threads, at
    /// once; KeyError if no callback is registered for the kind, RuntimeError if the dispatcher is
    /// stopped, ValueError if `timeout` is negative.
    #[pyo3(signature = (kind, payload = None, timeout = None))]
    fn post(
        &self,
        kind: &Bound<'_, PyAny>,
        payload: Option<Bound<'_, PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<()> {
        let (py, shared) = (kind.py(), self.at_home()?);
        let payload = payload.map_or_else(|| py.None(), Bound::unbind);
        let mut event = Event::Object(self.route(kind)?, payload);
        let until = deadline(timeout)?;
        loop {
            match shared.queue.push(event) {
                Ok(()) => return Ok(()),
                Err((_, Refusal::Closed)) => return Err(PyRuntimeError::new_err(STOPPED)),
                Err((given_back, Refusal::Full)) => event = given_back,
            }
            if shared.delivers_here() || !wait(py, until, |end| shared.queue.wait_for_room(end))? {
                let text = format!("{} events wait already", shared.queue.capacity);
                return Err(Full::new_err(text));
            }
        }
    }

    /// Post 0, 1, 2 and so on from a native thread: `count` events, or without end if that is None.
    ///
    /// One event is posted every `interval` seconds, the first after one interval; with 0, as fast
    /// as there is room in the queue. Where the queue was full, late events follow at once. `stop`
    /// ends the thread.
    ///
    /// Raises KeyError if no callback is registered for the kind, RuntimeError if the dispatcher is
    /// stopped, ValueError if `interval` is negative or beyond all clocks, OverflowError if `count`
    /// is negative, OSError if the system has no thread.
    #[pyo3(signature = (kind, count = None, interval = 0.0))]
    fn start_ticker(
        &self,
        kind: &Bound<'_, PyAny>,
        count: Option<u64>,
        interval: f64,
    ) -> PyResult<Ticker> {
        self.running()?;
        Ticker::start(&self.crew, self.route(kind)?, count, interval)
    }

    /// Start `threads` native threads that deliver in the background, beside those there are.
    ///
    /// Raises RuntimeError if the dispatcher is stopped, ValueError if `threads` is 0 or there would
    /// be more than 1024, OverflowError if it is negative, OSError if the system has no more.
    #[pyo3(signature = (threads = 1))]
    fn start(&self, threads: usize) -> PyResult<()> {
        let shared = self.running()?;
        let all = threads.saturating_add(shared.queue.runners());
        if threads == 0 || all > MAX_THREADS {
            let text = format!("threads must be 1 to {MAX_THREADS}, all together");
            return Err(PyValueError::new_err(text));
        }
        (0..threads).try_for_each(|_| self.crew.start_worker())
    }

    /// Deliver in this thread until the dispatcher is stopped and drained, `timeout` seconds at most.
    ///
    /// Returns how many events were delivered meanwhile, by all threads. With a `timeout` of 0, what
    /// waits is delivered, one batch at most. An exception of a callback that is no `Exception`,
    /// such as KeyboardInterrupt after a Ctrl-C, ends this and is raised; events that were not
    /// delivered stay in the queue.
    ///
    /// A thread that listens is the caller's own: unless it is a daemon, it keeps the interpreter
    /// alive until `stop`.
    ///
    /// Raises RuntimeError in a callback of the same dispatcher, ValueError if `timeout` is negative.
    #[pyo3(signature = (timeout = None))]
    fn listen(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<u64> {
        let (shared, until) = (self.at_home()?, deadline(timeout)?);
        if shared.delivers_here() {
            let text = "this thread delivers for the same dispatcher already";
            return Err(PyRuntimeError::new_err(text));
        }
        let before = self.delivered();
        shared.queue.enter();
        let _here = shared.enter();
        let ready = |end| shared.queue.wait_for_event(Some(end));
        while wait(py, until, ready)? && shared.deliver(py, true)? {
            py.check_signals()?;
            if until.is_some_and(|until| queue::remaining(until).is_none()) {
                break;
            }
        }
        Ok(self.delivered() - before)
    }

    /// Call `callable(*args)` in a thread of the dispatcher, and return its result.
    ///
    /// It runs after what was posted before, and at once if this is a thread of the dispatcher.
    /// Otherwise this waits with the GIL released, `timeout` seconds at most; None is for ever. Two
    /// dispatchers whose only threads call each other in this way wait for ever, so give a timeout
    /// where that can be.
    ///
    /// Raises what the call raises; TimeoutError if it has not returned in time: if it had not begun
    /// it never will, otherwise it runs on, and if it raises then, that goes to `on_error` with None
    /// as the kind and the callable as the payload. Raises RuntimeError if the dispatcher is stopped
    /// before the call, TypeError if `callable` can't be called, ValueError if `timeout` is negative.
    #[pyo3(signature = (callable, *args, timeout = None))]
    fn safe_dispatch(
        &self,
        callable: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let shared = self.at_home()?;
        must_be_callable(callable, "what is dispatched")?;
        let until = deadline(timeout)?;
        if shared.delivers_here() {
            return guard::call(callable, args).map(Bound::unbind);
        }
        call::send(shared, callable, args, until)
    }

    /// Take no more events, and wait until the threads have ended, `timeout` seconds at most.
    ///
    /// With `drain`, what waits is delivered first, if a thread delivers; otherwise it stays for a
    /// later `listen`. Without, it is dropped, and only the callbacks that run are waited for.
    /// Tickers end. In a callback of the dispatcher itself nothing is waited for: its thread ends
    /// afterwards. May be called again.
    ///
    /// Raises TimeoutError if threads still deliver when the time is over, ValueError if `timeout`
    /// is negative.
    #[pyo3(signature = (drain = true, timeout = None))]
    fn stop(&self, py: Python<'_>, drain: bool, timeout: Option<f64>) -> PyResult<()> {
        let (shared, until) = (self.at_home()?, deadline(timeout)?);
        shared.close(!drain);
        if shared.delivers_here() || self.crew.join(py, until)? {
            return Ok(());
        }
        let text = format!("{} threads still deliver", shared.queue.runners());
        Err(PyTimeoutError::new_err(text))
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __exit__(
        &self,
        kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.stop(kind.py(), kind.is_none(), None)
    }

    fn __repr__(&self) -> String {
        format!("Dispatcher({}, {})", self.queue_size(), self.batch())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Threads that run have references of their own, which the garbage collector can't see. Not
        // to show it these makes it keep what they need. Threads start with the GIL held only, so
        // none does while it looks.
        let shared = &self.crew.shared;
        if shared.queue.is_at_home() && shared.queue.runners() == 0 {
            visit.call(&self.routes)?;
            visit.call(&shared.on_error)?;
        }
        Ok(())
    }
}

impl Dispatcher {
    /// What the threads share, unless this is a copy that a fork made.
    fn at_home(&self) -> PyResult<&Shared> {
        if !self.crew.shared.queue.is_at_home() {
            let text = "the dispatcher was made before a fork, in another process";
            return Err(PyRuntimeError::new_err(text));
        }
        Ok(&self.crew.shared)
    }

    fn running(&self) -> PyResult<&Shared> {
        let shared = self.at_home()?;
        if shared.queue.is_closed() {
            return Err(PyRuntimeError::new_err(STOPPED));
        }
        Ok(shared)
    }

    fn route(&self, kind: &Bound<'_, PyAny>) -> PyResult<Arc<Route>> {
        match self.routes.bind(kind.py()).get_item(kind)? {
            Some(handle) => Ok(Arc::clone(&handle.cast::<RouteHandle>()?.get().0)),
            None => Err(PyKeyError::new_err(kind.clone().unbind())),
        }
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        if self.crew.shared.queue.is_at_home() {
            self.crew.shared.close(false);
        }
    }
}

fn must_be_callable(object: &Bound<'_, PyAny>, what: &str) -> PyResult<()> {
    if object.is_callable() {
        return Ok(());
    }
    let name = object.get_type().name()?;
    let text = format!("{what} must be callable, not {name}");
    Err(PyTypeError::new_err(text))
}

/// A dispatcher: native threads that hand events to Python callbacks, many of them at a time.
#[pymodule]
mod dispatcher {
    #[pymodule_export]
    use super::{Dispatcher, Ticker};
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::threads::watch_process(module.py())
    }
}
