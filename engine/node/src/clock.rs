//! This machine's clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use synapse_engine_identity::Hlc;
use synapse_engine_replication::Monotonic;
use synapse_wal_types::PgTimestamp;

/// Counts from its making.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Clock { start: Instant::now() }
    }

    pub(crate) fn monotonic(&self) -> Monotonic {
        Monotonic(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

/// The wall clock, as the standard library has it.
pub(crate) fn system() -> SystemTime {
    SystemTime::now()
}

/// The wall clock.
pub(crate) fn now() -> PgTimestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    PgTimestamp::from_unix_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The wall clock as the time of an event.
pub(crate) fn now_hlc() -> Hlc {
    Hlc(now().0.max(0).cast_unsigned())
}
