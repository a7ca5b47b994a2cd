//! The settings of every session of ours, said explicitly: what a role, a database or a server sets must not reach them.

/// Settings by which a value's text means the same in every session of ours, also in the walsender's: `name`, `value`.
/// Any role may set them.
#[must_use]
pub const fn session_settings() -> &'static [(&'static str, &'static str)] {
    &[
        ("datestyle", "ISO, MDY"),
        ("intervalstyle", "postgres"),
        ("timezone", "UTC"),
        ("extra_float_digits", "3"),
        ("bytea_output", "hex"),
        ("xmloption", "content"),
        ("lc_monetary", "C"),
        ("array_nulls", "on"),
        ("standard_conforming_strings", "on"),
        ("search_path", "pg_catalog"),
        ("statement_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("idle_session_timeout", "0"),
        ("default_transaction_isolation", "read committed"),
        ("default_transaction_read_only", "off"),
        ("default_transaction_deferrable", "off"),
        ("client_min_messages", "warning"),
    ]
}

/// Settings of the sessions that write rows. Every statement of theirs is a join of a few thousand keys with an index,
/// and a table's statistics must not turn it into anything else: with one generic plan and no other kind of join to
/// choose, it stays so also where a table was empty when the plan was made. JIT would compile for the high costs that
/// a disabled plan counts as.
pub(crate) const WRITER: &[(&str, &str)] = &[
    ("session_replication_role", "replica"),
    // BEGIN and what follows it go out together: without the transaction that BEGIN opens nothing can be written.
    ("default_transaction_read_only", "on"),
    ("row_security", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_material", "off"),
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
];

/// The deadlock timeout of our sessions, in milliseconds: below the server's default of a second, so that ours find a
/// deadlock first and are its victims. Only a superuser, or who was granted it, may set it.
pub(crate) const DEADLOCK_TIMEOUT_MS: &str = "100";

/// `SET` statements for a list of settings.
pub(crate) fn set(settings: &[(&str, &str)]) -> String {
    let mut sql = String::new();
    for (name, value) in settings {
        // A list of names is no string: `search_path` and `datestyle` take the words as they are.
        let quoted = match *name {
            "search_path" | "datestyle" => (*value).to_owned(),
            _ => format!("'{}'", value.replace('\'', "''")),
        };
        sql.push_str("SET ");
        sql.push_str(name);
        sql.push_str(" = ");
        sql.push_str(&quoted);
        sql.push_str("; ");
    }
    sql
}
