//! The bounded queue between those who post events and the threads that deliver them.
//!
//! Its lock is held for moments, and nothing of Python is called, made or dropped under it: what
//! leaves the queue is returned to the caller. So a thread may wait for the lock with the GIL held.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pyo3::prelude::*;

use super::call::Call;
use super::delivery::Route;

/// Events that a native thread puts in under one lock: enough to make its cost vanish, and few
/// enough for a thread that waits for it meanwhile.
const CHUNK: usize = 256;

/// Counts the forks on the way to this process.
pub static FORKS: AtomicU64 = AtomicU64::new(0);

pub const STOPPED: &str = "the dispatcher is stopped";

/// What waits to be delivered.
pub enum Event {
    Object(Arc<Route>, Py<PyAny>),
    /// From a native thread, which can't make a Python int; the delivering thread does.
    Number(Arc<Route>, u64),
    Call(Arc<Call>),
}

/// Why an event was not taken.
#[derive(PartialEq)]
pub enum Refusal {
    Full,
    Closed,
}

pub struct Queue {
    pub capacity: usize,
    state: Mutex<State>,
    /// The queue is no longer empty, or was closed.
    posted: Condvar,
    /// The queue is no longer full, or was closed.
    room: Condvar,
    /// The last thread has stopped delivering.
    ended: Condvar,
    /// A ticker that sleeps shall look whether it is to end.
    nap: Condvar,
    discarding: AtomicBool,
    forks: u64,
}

#[derive(Default)]
struct State {
    events: VecDeque<Event>,
    closed: bool,
    /// Threads that deliver, whether they wait just now or not.
    runners: usize,
    /// Threads that wait for room.
    posters: usize,
}

impl Queue {
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            state: Mutex::default(),
            posted: Condvar::new(),
            room: Condvar::new(),
            ended: Condvar::new(),
            nap: Condvar::new(),
            discarding: AtomicBool::new(false),
            forks: FORKS.load(Relaxed),
        }
    }

    /// Whether this is the process in which the queue was made, and not a copy of it that a fork
    /// made: there, a thread that no longer exists may hold the lock for ever.
    pub fn is_at_home(&self) -> bool {
        self.forks == FORKS.load(Relaxed)
    }

    pub fn len(&self) -> usize {
        self.state().events.len()
    }

    pub fn runners(&self) -> usize {
        self.state().runners
    }

    pub fn is_closed(&self) -> bool {
        self.state().closed
    }

    pub fn is_discarding(&self) -> bool {
        self.discarding.load(Relaxed)
    }

    /// Closed, and without a thread that would deliver what is left.
    pub fn is_dead(&self) -> bool {
        let state = self.state();
        state.closed && state.runners == 0
    }

    /// Append an event, or give it back.
    pub fn push(&self, event: Event) -> Result<(), (Event, Refusal)> {
        let mut state = self.state();
        if state.closed {
            return Err((event, Refusal::Closed));
        }
        // A call's sender waits for its result, so there are no more of them than threads.
        if state.events.len() >= self.capacity && !matches!(event, Event::Call(_)) {
            return Err((event, Refusal::Full));
        }
        let was_empty = state.events.is_empty();
        state.events.push_back(event);
        drop(state);
        if was_empty {
            self.posted.notify_one();
        }
        Ok(())
    }

    /// Wait for room until `end`, and tell whether there is some; a closed queue has no need of it.
    pub fn wait_for_room(&self, end: Instant) -> bool {
        let mut state = self.state();
        while state.events.len() >= self.capacity && !state.closed {
            let Some(rest) = remaining(end) else {
                return false;
            };
            state.posters += 1;
            state = unpoisoned(self.room.wait_timeout(state, rest)).0;
            state.posters -= 1;
        }
        true
    }

    /// Append a few of the numbers as soon as there is room; false if the queue or the ticker ended.
    pub fn push_numbers(
        &self,
        route: &Arc<Route>,
        numbers: &mut Range<u64>,
        stopped: &AtomicBool,
    ) -> bool {
        let mut state = self.state();
        while state.events.len() >= self.capacity && !state.closed && !stopped.load(Relaxed) {
            state.posters += 1;
            state = unpoisoned(self.room.wait(state));
            state.posters -= 1;
        }
        if state.closed || stopped.load(Relaxed) {
            return false;
        }
        let was_empty = state.events.is_empty();
        let few = CHUNK.min(self.capacity - state.events.len());
        let chunk = numbers.take(few);
        let chunk = chunk.map(|number| Event::Number(Arc::clone(route), number));
        state.events.extend(chunk);
        drop(state);
        if was_empty {
            self.posted.notify_one();
        }
        true
    }

    /// Sleep until `end`; false if the queue or the ticker ended before.
    pub fn nap(&self, end: Instant, stopped: &AtomicBool) -> bool {
        let mut state = self.state();
        while !state.closed && !stopped.load(Relaxed) {
            let Some(rest) = remaining(end) else {
                return true;
            };
            state = unpoisoned(self.nap.wait_timeout(state, rest)).0;
        }
        false
    }

    /// Let tickers look at their flags again.
    pub fn wake_tickers(&self) {
        // Under the lock, or a ticker between its look at the flag and its sleep would miss it.
        let _state = self.state();
        self.nap.notify_all();
        self.room.notify_all();
    }

    /// Wait for an event or the close until `end`, or for ever; false if the time ran out.
    pub fn wait_for_event(&self, end: Option<Instant>) -> bool {
        let mut state = self.state();
        while state.events.is_empty() && !state.closed {
            state = match end {
                None => unpoisoned(self.posted.wait(state)),
                Some(end) => {
                    let Some(rest) = remaining(end) else {
                        return false;
                    };
                    unpoisoned(self.posted.wait_timeout(state, rest)).0
                }
            };
        }
        true
    }

    /// Take this thread's share of the events, `most` at most; None when no more will come.
    pub fn take(&self, most: usize) -> Option<VecDeque<Event>> {
        let mut state = self.state();
        let waiting = state.events.len();
        if waiting == 0 {
            return (!state.closed).then(VecDeque::new);
        }
        let share = waiting.div_ceil(state.runners.max(1)).min(most);
        let taken = state.events.drain(..share).collect();
        let (rest, posters) = (waiting > share, state.posters > 0);
        drop(state);
        // Events that come to a queue with events in it wake nobody, so those who take do.
        if rest {
            self.posted.notify_one();
        }
        if posters {
            self.room.notify_all();
        }
        Some(taken)
    }

    /// Put events back to the front, or return them if they are to be discarded.
    pub fn put_back(&self, events: VecDeque<Event>) -> VecDeque<Event> {
        let mut state = self.state();
        if self.is_discarding() {
            return events;
        }
        for event in events.into_iter().rev() {
            state.events.push_front(event);
        }
        drop(state);
        self.posted.notify_one();
        VecDeque::new()
    }

    /// Take no more events; return those that are not to be delivered any more.
    pub fn close(&self, discard: bool) -> VecDeque<Event> {
        let mut state = self.state();
        state.closed = true;
        let mut rest = VecDeque::new();
        if discard {
            self.discarding.store(true, Relaxed);
            rest = std::mem::take(&mut state.events);
        }
        for condition in [&self.posted, &self.room, &self.nap] {
            condition.notify_all();
        }
        rest
    }

    /// Count a thread that is about to deliver.
    pub fn enter(&self) {
        self.state().runners += 1;
    }

    /// Count a thread that delivers no more.
    pub fn leave(&self) {
        let mut state = self.state();
        state.runners -= 1;
        if state.runners == 0 {
            self.ended.notify_all();
        }
        drop(state);
        // This thread may have been woken for an event that it does not take.
        self.posted.notify_one();
    }

    /// Wait until no thread delivers; false if the time ran out.
    pub fn wait_for_end(&self, end: Instant) -> bool {
        let mut state = self.state();
        while state.runners > 0 {
            let Some(rest) = remaining(end) else {
                return false;
            };
            state = unpoisoned(self.ended.wait_timeout(state, rest)).0;
        }
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        unpoisoned(self.state.lock())
    }
}

/// The time until `end`, if there is any.
pub fn remaining(end: Instant) -> Option<std::time::Duration> {
    let rest = end.saturating_duration_since(Instant::now());
    (!rest.is_zero()).then_some(rest)
}

/// What a lock guards is whole even where a thread panicked: nothing under our locks can.
pub fn unpoisoned<T>(result: Result<T, PoisonError<T>>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}
