//! Handing events to the callbacks. All of it runs with the GIL held and without a lock.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use super::call::Call;
use super::guard;
use super::queue::{Event, Queue, unpoisoned};

thread_local! {
    /// The dispatchers that deliver in this thread, the innermost last.
    static DELIVERING: RefCell<Vec<*const Shared>> = const { RefCell::new(Vec::new()) };
}

/// What a dispatcher has in common with its threads.
pub struct Shared {
    pub queue: Arc<Queue>,
    /// Events that are taken off the queue at once, at most.
    pub batch: usize,
    pub on_error: Option<Py<PyAny>>,
    pub delivered: AtomicU64,
    pub dropped: AtomicU64,
    pub errors: AtomicU64,
}

/// Where the events of one kind go, whichever callback is registered when they are delivered.
pub struct Route {
    pub kind: Py<PyAny>,
    /// This lock is held for moments by threads that hold the GIL, so the garbage collector, which
    /// runs while no such thread does, finds it free.
    handler: Mutex<Option<Arc<Handler>>>,
}

pub struct Handler {
    pub callback: Py<PyAny>,
    pub batched: bool,
}

/// A route as an object, so that a dict can hold it and the garbage collector look into it.
#[pyclass(frozen)]
pub struct RouteHandle(pub Arc<Route>);

#[pymethods]
impl RouteHandle {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.0.kind)?;
        let handler = unpoisoned(self.0.handler.lock());
        handler
            .as_ref()
            .map_or(Ok(()), |handler| visit.call(&handler.callback))
    }

    fn __clear__(&self) {
        self.0.set_handler(None);
    }
}

impl Route {
    pub fn new(kind: Py<PyAny>) -> Self {
        let handler = Mutex::default();
        Self { kind, handler }
    }

    pub fn handler(&self) -> Option<Arc<Handler>> {
        unpoisoned(self.handler.lock()).clone()
    }

    /// Returns the handler from before, to be dropped without the lock.
    pub fn set_handler(&self, handler: Option<Arc<Handler>>) -> Option<Arc<Handler>> {
        std::mem::replace(&mut *unpoisoned(self.handler.lock()), handler)
    }
}

impl Shared {
    /// Mark this thread as one that delivers as long as the result lives; the queue counts it already.
    pub fn enter(&self) -> Here<'_> {
        DELIVERING.with_borrow_mut(|all| all.push(self));
        Here(self)
    }

    pub fn delivers_here(&self) -> bool {
        DELIVERING.with_borrow(|all| all.contains(&std::ptr::from_ref(self)))
    }

    /// Take no more events, and forget those that wait if they are to be discarded.
    pub fn close(&self, discard: bool) {
        self.discard(self.queue.close(discard));
    }

    fn discard(&self, events: VecDeque<Event>) {
        for event in events {
            match event {
                Event::Call(call) => drop(call.refuse()),
                _ => _ = self.dropped.fetch_add(1, Relaxed),
            }
        }
    }

    /// Deliver what is waiting, one batch at most; false when no more will come.
    ///
    /// In the foreground, an exception that is no `Exception`, such as KeyboardInterrupt, is
    /// returned and what was not delivered goes back to the queue.
    pub fn deliver(&self, py: Python<'_>, foreground: bool) -> PyResult<bool> {
        let Some(mut events) = self.queue.take(self.batch) else {
            return Ok(false);
        };
        let mut delivery = Delivery {
            py,
            shared: self,
            foreground,
            lists: VecDeque::new(),
        };
        let result = delivery.run(&mut events);
        if !delivery.lists.is_empty() || !events.is_empty() {
            let lists = delivery.lists.into_iter().flat_map(|(route, payloads)| {
                let route = move || Arc::clone(&route);
                payloads
                    .into_iter()
                    .map(move |payload| Event::Object(route(), payload))
            });
            let rest = lists.chain(events).collect();
            self.discard(self.queue.put_back(rest));
        }
        result.and(Ok(true))
    }

    /// Report what a callback or a call raised, so that it is not lost.
    pub fn report(&self, py: Python<'_>, failure: Failure<'_>, foreground: bool) -> PyResult<()> {
        let error = failure.error;
        if foreground && !error.is_instance_of::<PyException>(py) {
            return Err(error);
        }
        self.errors.fetch_add(1, Relaxed);
        let Some(handler) = &self.on_error else {
            error.write_unraisable(py, Some(failure.source.bind(py)));
            return Ok(());
        };
        let handler = handler.bind(py);
        let arguments = (error.value(py), failure.kind, failure.payload).into_pyobject(py)?;
        match guard::call(handler, &arguments) {
            Ok(_) => Ok(()),
            Err(second) if foreground && !second.is_instance_of::<PyException>(py) => Err(second),
            Err(second) => {
                error.write_unraisable(py, Some(failure.source.bind(py)));
                second.write_unraisable(py, Some(handler));
                Ok(())
            }
        }
    }
}

/// An exception, the callable that raised it, and what was being delivered.
pub struct Failure<'a> {
    pub error: PyErr,
    pub source: &'a Py<PyAny>,
    pub kind: Option<&'a Py<PyAny>>,
    pub payload: &'a Py<PyAny>,
}

impl<'a> Failure<'a> {
    /// What a call raised whose sender no longer waits.
    pub fn of_call(error: PyErr, callable: &'a Py<PyAny>) -> Self {
        Self {
            error,
            source: callable,
            kind: None,
            payload: callable,
        }
    }
}

/// Marks a thread that delivers.
pub struct Here<'a>(&'a Shared);

impl Drop for Here<'_> {
    fn drop(&mut self) {
        DELIVERING.with_borrow_mut(|all| all.pop());
        self.0.queue.leave();
    }
}

/// One batch on its way to the callbacks.
struct Delivery<'a, 'py> {
    py: Python<'py>,
    shared: &'a Shared,
    foreground: bool,
    /// What callbacks that take lists will get at the end of the batch.
    lists: VecDeque<(Arc<Route>, Vec<Py<PyAny>>)>,
}

impl Delivery<'_, '_> {
    fn run(&mut self, events: &mut VecDeque<Event>) -> PyResult<()> {
        while !self.shared.queue.is_discarding() {
            // A call comes after all that was posted before it.
            if matches!(events.front(), None | Some(Event::Call(_))) {
                self.flush()?;
            }
            match events.pop_front() {
                None => return Ok(()),
                Some(Event::Call(call)) => self.run_call(&call)?,
                Some(Event::Object(route, payload)) => self.hand(route, payload)?,
                Some(Event::Number(route, number)) => {
                    let number = number.into_pyobject(self.py)?.into_any().unbind();
                    self.hand(route, number)?;
                }
            }
        }
        Ok(())
    }

    fn hand(&mut self, route: Arc<Route>, payload: Py<PyAny>) -> PyResult<()> {
        let mut lists = self.lists.iter_mut().rev();
        if let Some((_, list)) = lists.find(|(other, _)| Arc::ptr_eq(other, &route)) {
            list.push(payload);
            return Ok(());
        }
        match route.handler() {
            Some(handler) if handler.batched => {
                self.lists.push_back((route, vec![payload]));
                Ok(())
            }
            Some(handler) => self.call(&handler, &route, payload, 1),
            None => {
                self.shared.dropped.fetch_add(1, Relaxed);
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> PyResult<()> {
        while let Some((route, payloads)) = self.lists.pop_front() {
            let count = payloads.len() as u64;
            match route.handler() {
                Some(handler) if handler.batched => {
                    let list = PyList::new(self.py, payloads)?.into_any().unbind();
                    self.call(&handler, &route, list, count)?;
                }
                Some(handler) => {
                    // Another callback was registered since the batch began, and takes no lists.
                    let mut payloads = payloads.into_iter();
                    while let Some(payload) = payloads.next() {
                        if let Err(error) = self.call(&handler, &route, payload, 1) {
                            self.lists.push_front((route, payloads.collect()));
                            return Err(error);
                        }
                    }
                }
                None => _ = self.shared.dropped.fetch_add(count, Relaxed),
            }
        }
        Ok(())
    }

    fn call(
        &self,
        handler: &Handler,
        route: &Route,
        payload: Py<PyAny>,
        count: u64,
    ) -> PyResult<()> {
        self.shared.delivered.fetch_add(count, Relaxed);
        let arguments = PyTuple::new(self.py, [&payload])?;
        let Err(error) = guard::call(handler.callback.bind(self.py), &arguments) else {
            return Ok(());
        };
        let failure = Failure {
            error,
            source: &handler.callback,
            kind: Some(&route.kind),
            payload: &payload,
        };
        self.shared.report(self.py, failure, self.foreground)
    }

    fn run_call(&self, call: &Call) -> PyResult<()> {
        let Some((callable, arguments)) = call.begin() else {
            return Ok(());
        };
        let result = guard::call(callable.bind(self.py), arguments.bind(self.py));
        let error = result
            .as_ref()
            .err()
            .filter(|error| self.foreground && !error.is_instance_of::<PyException>(self.py));
        let interrupt = error.map(|error| error.clone_ref(self.py));
        let refused = call.finish(result.map(Bound::unbind));
        match (interrupt, refused) {
            (Some(error), _) => Err(error),
            (None, Some(Err(error))) => {
                let failure = Failure::of_call(error, &callable);
                self.shared.report(self.py, failure, self.foreground)
            }
            _ => Ok(()),
        }
    }
}
