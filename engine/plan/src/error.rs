/// Why a change cannot be planned here. Each is definite until the local catalogue changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The table does not exist here, or is not replicated here.
    #[error(
        "table {schema}.{table} does not exist here; hint: create it as it is on {on}, then it is tried again by itself"
    )]
    MissingTable {
        /// Schema at the origin.
        schema: String,
        /// Name at the origin.
        table: String,
        /// The origin's node.
        on: String,
    },
    /// The table has no such column here.
    #[error("table {schema}.{table} has no column {column:?} here; hint: add it, then it is tried again by itself")]
    MissingColumn {
        /// Schema of the table.
        schema: String,
        /// Name of the table.
        table: String,
        /// The column the origin has.
        column: String,
    },
    /// The identity has other columns here than at the origin.
    #[error(
        "table {schema}.{table} is identified by ({theirs}) at the origin and by ({ours}) here; hint: give it the same primary key or replica identity on every node"
    )]
    IdentityDiffers {
        /// Schema of the table.
        schema: String,
        /// Name of the table.
        table: String,
        /// Key columns at the origin.
        theirs: String,
        /// Key columns here.
        ours: String,
    },
}
