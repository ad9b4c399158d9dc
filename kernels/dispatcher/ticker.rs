//! Native threads that post events, and their handles.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::delivery::Route;
use super::queue::Queue;
use super::threads::Crew;

/// A native thread that posts events, made by `Dispatcher.start_ticker`.
#[pyclass(frozen)]
pub struct Ticker {
    ticking: Arc<Ticking>,
    queue: Arc<Queue>,
}

#[pymethods]
impl Ticker {
    /// How many events it has posted.
    #[getter]
    fn sent(&self) -> u64 {
        self.ticking.sent.load(Relaxed)
    }

    /// Whether its thread still runs, and will post more.
    #[getter]
    fn running(&self) -> bool {
        self.ticking.running.load(Relaxed)
    }

    /// Post no more events; those that wait already are delivered. May be called again.
    fn stop(&self) {
        self.ticking.stopped.store(true, Relaxed);
        // After a fork the child has no thread to be woken.
        if self.queue.is_at_home() {
            self.queue.wake_tickers();
        }
    }
}

impl Ticker {
    /// Start a thread that posts 0, 1, 2 and so on, `count` of them or without end.
    pub fn start(
        crew: &Crew,
        route: Arc<Route>,
        count: Option<u64>,
        interval: f64,
    ) -> PyResult<Self> {
        // So that the clock can't overflow from one tick to the next.
        let interval = Duration::try_from_secs_f64(interval)
            .ok()
            .filter(|interval| interval.as_secs() <= u64::from(u32::MAX));
        let Some(interval) = interval else {
            let text = "interval must be 0 or more seconds, and less than 2**32";
            return Err(PyValueError::new_err(text));
        };
        let ticking = Arc::new(Ticking {
            route,
            interval,
            stopped: AtomicBool::new(false),
            running: AtomicBool::new(true),
            sent: AtomicU64::new(0),
        });
        let queue = Arc::clone(&crew.shared.queue);
        let (ours, theirs) = (Arc::clone(&ticking), Arc::clone(&queue));
        crew.spawn(move || {
            ours.run(&theirs, 0..count.unwrap_or(u64::MAX));
            ours.running.store(false, Relaxed);
        })?;
        Ok(Self { ticking, queue })
    }
}

struct Ticking {
    route: Arc<Route>,
    interval: Duration,
    stopped: AtomicBool,
    running: AtomicBool,
    sent: AtomicU64,
}

impl Ticking {
    fn run(&self, queue: &Queue, mut numbers: Range<u64>) {
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
