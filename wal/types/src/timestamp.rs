use serde::{Deserialize, Serialize};

/// Seconds from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
const EPOCH_OFFSET_SECONDS: i64 = 946_684_800;

/// Microseconds since 2000-01-01 00:00:00 UTC (`TimestampTz`); negative before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct PgTimestamp(pub i64);

impl PgTimestamp {
    /// From microseconds since 1970-01-01, saturating.
    #[must_use]
    pub const fn from_unix_micros(micros: i64) -> Self {
        PgTimestamp(micros.saturating_sub(EPOCH_OFFSET_SECONDS * 1_000_000))
    }

    /// Microseconds since 1970-01-01, saturating.
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        self.0.saturating_add(EPOCH_OFFSET_SECONDS * 1_000_000)
    }
}
