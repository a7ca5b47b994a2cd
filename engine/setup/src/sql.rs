//! The statements of `sql/`, in the order in which they run.

/// Schema and tables.
pub(crate) const SCHEMA: &str = include_str!("../sql/schema.sql");
/// Functions that give tables a replica identity.
pub(crate) const IDENTITY: &str = include_str!("../sql/identity.sql");
/// Functions that make sequences disjoint.
pub(crate) const SEQUENCE: &str = include_str!("../sql/sequence.sql");
/// One pass over all tables and sequences.
pub(crate) const SWEEP: &str = include_str!("../sql/sweep.sql");
/// The event trigger.
pub(crate) const EVENT: &str = include_str!("../sql/event.sql");
/// The function that the fence of a joining node calls.
pub(crate) const FENCE: &str = include_str!("../sql/fence.sql");
/// The function that sets a conflict policy, and what it needs.
pub(crate) const POLICY: &str = include_str!("../sql/policy.sql");
/// The publication.
pub(crate) const PUBLICATION: &str = include_str!("../sql/publication.sql");
/// All tables and what is to be known of them, as one JSON text a row.
pub(crate) const CATALOG: &str = include_str!("../sql/catalog.sql");
/// Settings, role and counts, as one row.
pub(crate) const SERVER: &str = include_str!("../sql/server.sql");

/// An identifier for use in SQL.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
