//! The names that conflicts are called by.

use synapse_engine_plan::Conflict;
use synapse_engine_replication::{Kind, Outcome};

/// Every kind by its name.
pub(crate) const KINDS: [&str; 6] = [
    Kind::InsertExists.name(),
    Kind::InsertDeleted.name(),
    Kind::UpdateOriginDiffers.name(),
    Kind::UpdateDeleted.name(),
    Kind::DeleteOriginDiffers.name(),
    Kind::DeleteMissing.name(),
];

/// Every verdict by its name.
pub(crate) const VERDICTS: [&str; 3] = [Outcome::Remote.name(), Outcome::Local.name(), Outcome::Both.name()];

const LAST_WRITE_WINS: &str = "last-write-wins";

/// Changes of tables without a key that find no row: nothing decides, and nothing is logged.
pub(crate) const NO_POLICY: &str = "none";

/// The policy that decided.
pub(crate) fn policy_of(_: &Conflict) -> String {
    LAST_WRITE_WINS.to_owned()
}

/// The policy that a person names, as conflicts are marked with it.
///
/// # Errors
/// What was expected.
pub(crate) fn policy_named(text: &str) -> Result<String, String> {
    match text {
        LAST_WRITE_WINS => Ok(text.to_owned()),
        _ => Err(format!("policy {text:?}: expected one of {LAST_WRITE_WINS}")),
    }
}
