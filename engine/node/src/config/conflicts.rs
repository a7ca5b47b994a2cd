use std::time::Duration;

use serde::Deserialize;

use super::duration;

/// `[conflicts]`: what `synapse.conflict_log` takes and keeps.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ConflictsSection {
    /// Conflicts logged in a second, on the average; the rest is counted only.
    pub log_rate: u32,
    /// Conflicts logged at once after a quiet time; 0: none ever.
    pub log_burst: u32,
    /// How long a conflict stays in the log.
    #[serde(deserialize_with = "duration")]
    pub keep_for: Duration,
    /// How many conflicts stay in the log: the latest.
    pub keep_rows: u64,
}

/// The longest time that conflicts can be kept: beyond it the server counts in other ways.
const KEEP_FOR_MAX: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

impl ConflictsSection {
    /// What the types do not say.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.keep_for <= KEEP_FOR_MAX {
            true => Ok(()),
            false => Err("[conflicts] keep-for: expected at most 100 years".to_owned()),
        }
    }
}

impl Default for ConflictsSection {
    fn default() -> Self {
        ConflictsSection {
            log_rate: 100,
            log_burst: 1_000,
            keep_for: Duration::from_secs(30 * 24 * 3600),
            keep_rows: 1_000_000,
        }
    }
}
