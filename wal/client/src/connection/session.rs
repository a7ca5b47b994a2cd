use std::time::Duration;

use crate::dsn::Dsn;

/// Which walsender to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `replication=database`: logical replication of the connection string's database, and SQL.
    Logical,
    /// `replication=true`: physical replication of the whole server.
    Physical,
}

/// `logical_decoding_work_mem`: what the server holds of in-progress transactions before it streams or spills them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodingMemory {
    kilobytes: u32,
}

impl DecodingMemory {
    /// The server's bounds (`guc_tables.c`), in kilobytes.
    const KILOBYTES: (u32, u32) = (64, 2_147_483_647);

    /// From bytes, moved into the server's bounds of 64 kB and 2 TB.
    #[must_use]
    pub fn from_bytes(bytes: u64) -> Self {
        let (min, max) = Self::KILOBYTES;
        DecodingMemory {
            kilobytes: u32::try_from(bytes / 1024).unwrap_or(max).clamp(min, max),
        }
    }
}

/// What a session sets at its start, beside what it always sets: formats that lose nothing and do not depend on the
/// server's configuration (`DateStyle`, `IntervalStyle`, `TimeZone`, `extra_float_digits`, `bytea_output`,
/// `lc_monetary`), `search_path = pg_catalog`, and no statement or idle timeout. `wal_sender_timeout` stays the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// `client_encoding`; `UTF8` by default. A database in `SQL_ASCII` needs `SQL_ASCII`: the server converts nothing
    /// there and refuses what is not UTF-8. Physical sessions do not use it.
    pub client_encoding: String,
    /// `lock_timeout`; none by default.
    pub lock_timeout: Option<Duration>,
    /// `logical_decoding_work_mem`; the server's own value by default.
    pub decoding_memory: Option<DecodingMemory>,
    /// Further parameters, in order; they override the above. Only those that the role may set.
    pub parameters: Vec<(String, String)>,
}

impl Default for Session {
    fn default() -> Self {
        let client_encoding = "UTF8".to_owned();
        Session {
            client_encoding,
            lock_timeout: None,
            decoding_memory: None,
            parameters: Vec::new(),
        }
    }
}

/// Formats and names; a physical session prints no values.
const LOGICAL: [(&str, &str); 7] = [
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("lc_monetary", "C"),
    ("search_path", "pg_catalog"),
];

/// A stream may run for months and be idle for days.
const ALWAYS: [(&str, &str); 3] = [
    ("statement_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
];

impl Session {
    /// The startup message's parameters. Later ones win on the server, and all of them win over `options`.
    pub(super) fn startup(&self, dsn: &Dsn, kind: Kind) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: &str| all.push((name.to_owned(), value.to_owned()));
        add("user", dsn.user());
        match kind {
            Kind::Logical => {
                add("database", dsn.database());
                add("replication", "database");
                add("client_encoding", &self.client_encoding);
                LOGICAL.iter().for_each(|(name, value)| add(name, value));
                if let Some(memory) = self.decoding_memory {
                    add("logical_decoding_work_mem", &format!("{}kB", memory.kilobytes));
                }
            }
            Kind::Physical => add("replication", "true"),
        }
        ALWAYS.iter().for_each(|(name, value)| add(name, value));
        let lock_timeout = self.lock_timeout.unwrap_or_default();
        add("lock_timeout", &format!("{}ms", lock_timeout.as_millis()));
        if let Some(name) = dsn.application_name() {
            add("application_name", name);
        }
        if let Some(options) = dsn.options() {
            add("options", options);
        }
        self.parameters.iter().for_each(|(name, value)| add(name, value));
        all
    }
}
