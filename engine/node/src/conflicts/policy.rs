//! The names that conflicts are called by.

use synapse_engine_plan::Conflict;
use synapse_engine_replication::{InvalidPolicy, Kind, Outcome, Policy};

use crate::orphans::{self, Rule};

/// Every kind by its name.
pub(crate) const KINDS: [&str; 9] = [
    Kind::InsertExists.name(),
    Kind::InsertDeleted.name(),
    Kind::UpdateOriginDiffers.name(),
    Kind::UpdateDeleted.name(),
    Kind::DeleteOriginDiffers.name(),
    Kind::DeleteMissing.name(),
    Kind::UpdateExists.name(),
    Kind::MultipleUniqueConflicts.name(),
    orphans::KIND,
];

/// Every verdict by its name.
pub(crate) const VERDICTS: [&str; 3] = [Outcome::Remote.name(), Outcome::Local.name(), Outcome::Both.name()];

/// Changes of tables without a key that find no row: nothing decides, and nothing is logged.
pub(crate) const NO_POLICY: &str = "none";

/// The policy that decided.
pub(crate) fn policy_of(conflict: &Conflict) -> String {
    conflict.met.rules.policy.to_string()
}

/// The policy, or the rule for foreign keys, that a person names, as conflicts are marked with it.
///
/// # Errors
/// [`InvalidPolicy`], which says what was expected.
pub(crate) fn policy_named(text: &str) -> Result<String, InvalidPolicy> {
    match text.parse::<Rule>() {
        Ok(rule) => Ok(rule.to_string()),
        Err(_) => text.parse::<Policy>().map(|policy| policy.to_string()),
    }
}
