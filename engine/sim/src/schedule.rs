//! Virtual time: what happens next, and when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Virtual microseconds since the run began.
pub(crate) type Micros = u64;

/// Events in the order of their time; those of one moment in the order in which they were asked for.
#[derive(Debug)]
pub(crate) struct Schedule<E> {
    now: Micros,
    asked: u64,
    heap: BinaryHeap<Reverse<Entry<E>>>,
}

#[derive(Debug)]
struct Entry<E> {
    at: (Micros, u64),
    event: E,
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl<E> Schedule<E> {
    pub(crate) const fn new() -> Self {
        Schedule {
            now: 0,
            asked: 0,
            heap: BinaryHeap::new(),
        }
    }

    pub(crate) const fn now(&self) -> Micros {
        self.now
    }

    pub(crate) fn after(&mut self, delay: Micros, event: E) {
        self.asked += 1;
        let at = (self.now.saturating_add(delay), self.asked);
        self.heap.push(Reverse(Entry { at, event }));
    }

    /// Moves time to the next event and takes it.
    pub(crate) fn next(&mut self) -> Option<E> {
        let Reverse(entry) = self.heap.pop()?;
        self.now = entry.at.0;
        Some(entry.event)
    }
}
