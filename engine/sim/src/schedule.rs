//! Virtual time: what happens next, and when.

/// Virtual microseconds since the run began.
pub(crate) type Micros = u64;

/// Bits of a digit of a time.
const DIGIT_BITS: u32 = 6;
/// Values of a digit.
const DIGITS: Micros = 1 << DIGIT_BITS;
/// Digits of a time.
const LEVELS: usize = Micros::BITS.div_ceil(DIGIT_BITS) as usize;

/// Events in the order of their time; those of one moment in the order in which they were asked for.
///
/// A hierarchical timing wheel (Varghese and Lauck 1987), because hundreds of events wait in most runs. An event stands at
/// the highest digit in which its time differs from now, in the list of that digit's value. When time comes to a list of a
/// higher digit its events go to lists of lower ones, in their order and before any other does. So a list of the lowest digit
/// holds the events of one moment.
#[derive(Debug)]
pub(crate) struct Schedule<E> {
    now: Micros,
    /// The lowest digit first.
    levels: [Level; LEVELS],
    /// Where the events stand, apart from them: they do not move.
    slots: Vec<Slot>,
    events: Vec<Option<E>>,
    /// Slots without an event.
    free: Vec<u32>,
}

/// The lists of a digit.
#[derive(Clone, Copy, Debug)]
struct Level {
    /// A bit for each value whose list has events.
    busy: u64,
    lists: [List; 1 << DIGIT_BITS],
}

/// The first and the last slot of a list that has events.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

/// An event's place in its list.
#[derive(Clone, Copy, Debug)]
struct Slot {
    at: Micros,
    /// What follows, unless it is the last.
    next: u32,
}

impl<E> Schedule<E> {
    pub(crate) const fn new() -> Self {
        let lists = [List { first: 0, last: 0 }; 1 << DIGIT_BITS];
        Schedule {
            now: 0,
            levels: [Level { busy: 0, lists }; LEVELS],
            slots: Vec::new(),
            events: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(crate) const fn now(&self) -> Micros {
        self.now
    }

    pub(crate) fn after(&mut self, delay: Micros, event: E) {
        let at = self.now.saturating_add(delay);
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { at, next: 0 });
            self.events.push(None);
            u32::try_from(self.events.len() - 1).expect("runs have an end")
        });
        self.slots[index as usize].at = at;
        self.events[index as usize] = Some(event);
        self.put(at, index);
    }

    fn put(&mut self, at: Micros, index: u32) {
        let differs = (at ^ self.now).checked_ilog2().unwrap_or_default() / DIGIT_BITS;
        let value = ((at >> (differs * DIGIT_BITS)) % DIGITS) as usize;
        let level = &mut self.levels[differs as usize];
        let list = &mut level.lists[value];
        if level.busy & (1 << value) == 0 {
            level.busy |= 1 << value;
            list.first = index;
        } else {
            self.slots[list.last as usize].next = index;
        }
        list.last = index;
    }

    /// Moves time to the next event and takes it.
    pub(crate) fn next(&mut self) -> Option<E> {
        loop {
            let lowest = self.levels.iter().position(|level| level.busy != 0)?;
            if lowest == 0 {
                return self.take();
            }
            self.hand_down(lowest);
        }
    }

    /// Takes the next event of the lowest digit.
    fn take(&mut self) -> Option<E> {
        let level = &mut self.levels[0];
        let value = level.busy.trailing_zeros() as usize;
        let list = &mut level.lists[value];
        let index = list.first;
        let slot = self.slots[index as usize];
        if index == list.last {
            level.busy &= !(1 << value);
        } else {
            list.first = slot.next;
        }
        self.now = slot.at;
        self.free.push(index);
        self.events[index as usize].take()
    }

    /// Time comes to the next list of this level.
    fn hand_down(&mut self, level: usize) {
        let value = self.levels[level].busy.trailing_zeros() as usize;
        self.levels[level].busy &= !(1 << value);
        let List { first, last } = self.levels[level].lists[value];
        let shift = DIGIT_BITS * u32::try_from(level).expect("a handful of levels");
        self.now = self.slots[first as usize].at >> shift << shift;
        let mut index = first;
        loop {
            let Slot { at, next } = self.slots[index as usize];
            self.put(at, index);
            if index == last {
                return;
            }
            index = next;
        }
    }
}

#[cfg(test)]
mod tests;
