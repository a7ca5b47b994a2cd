//! Replication origins: who a transaction is written for, and how far.

use std::time::Duration;

use synapse_engine_identity::Origin;
use synapse_wal_types::{Lsn, Oid};
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::error::{Error, Result};

/// How long an origin's old backend is waited for: a backend notices a lost client when its statement ends, or when it
/// next waits for the client.
const TAKE_MAX: Duration = Duration::from_secs(30);
/// First and longest pause between two tries.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// What the names of our origins begin with.
pub const ORIGIN_PREFIX: &str = "synapse_";

/// The name of an origin on a server: `synapse_<node>_<incarnation>`.
#[must_use]
pub fn origin_name(origin: Origin) -> String {
    format!("{ORIGIN_PREFIX}{}_{}", origin.node, origin.incarnation.0)
}

/// The numbers of all of our origins on the server: rows they wrote last are known to the registers.
pub async fn our_roidents(client: &Client) -> Result<Vec<Oid>> {
    let sql = "SELECT roident FROM pg_replication_origin WHERE starts_with(roname, $1) ORDER BY roident";
    let doing = || Error::doing("list our origins");
    let rows = client.query(sql, &[&ORIGIN_PREFIX]).await.map_err(doing())?;
    let numbers = rows.iter().map(|row| row.try_get(0).map(Oid));
    numbers.collect::<std::result::Result<_, _>>().map_err(doing())
}

/// Makes the origin unless it is there, and answers with its number.
pub async fn ensure(client: &Client, origin: Origin) -> Result<Oid> {
    let name = origin_name(origin);
    let find = "SELECT roident FROM pg_replication_origin WHERE roname = $1";
    let doing = || Error::doing("make an origin");
    if let Some(row) = client.query_opt(find, &[&name]).await.map_err(doing())? {
        return row.try_get(0).map(Oid).map_err(doing());
    }
    let made = client
        .query_one("SELECT pg_replication_origin_create($1)", &[&name])
        .await;
    match made {
        Ok(row) => row.try_get(0).map(Oid).map_err(doing()),
        // Another session was faster.
        Err(error)
            if matches!(
                error.code(),
                Some(&SqlState::UNIQUE_VIOLATION | &SqlState::DUPLICATE_OBJECT)
            ) =>
        {
            let row = client.query_one(find, &[&name]).await.map_err(doing())?;
            row.try_get(0).map(Oid).map_err(doing())
        }
        Err(error) => Err(doing()(error)),
    }
}

/// Makes the origin the session's, waiting while another backend has it.
pub(crate) async fn take(client: &Client, origin: Origin) -> Result<()> {
    let name = origin_name(origin);
    let since = Instant::now();
    let mut pause = PAUSE.0;
    loop {
        let taken = client
            .query_one("SELECT pg_replication_origin_session_setup($1)", &[&name])
            .await;
        match taken {
            Ok(_) => return Ok(()),
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) => {
                if since.elapsed() > TAKE_MAX {
                    let held_secs = since.elapsed().as_secs();
                    return Err(Error::OriginBusy { origin, held_secs });
                }
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE.1);
            }
            Err(error) => return Err(Error::doing("take an origin")(error)),
        }
    }
}

/// Puts the session's origin back to `progress`: since PostgreSQL 16 a COMMIT that fails has moved it.
pub(crate) async fn rewind(client: &Client, origin: Origin, progress: Lsn) -> Result<()> {
    let name = origin_name(origin);
    let statements = [
        "SELECT pg_replication_origin_session_reset()".to_owned(),
        format!("SELECT pg_replication_origin_advance('{name}', '{progress}')"),
        format!("SELECT pg_replication_origin_session_setup('{name}')"),
        "SELECT pg_replication_origin_xact_reset()".to_owned(),
    ];
    for statement in statements {
        let done = client.batch_execute(&statement).await;
        done.map_err(Error::doing("put an origin back"))?;
    }
    Ok(())
}

/// How far the session's origin has come: flushed first, so that a crash does not take it back.
pub(crate) async fn progress(client: &Client) -> Result<Lsn> {
    let doing = || Error::doing("read an origin's progress");
    // A position as text is the one form in which the driver reads it.
    let row = client
        .query_one("SELECT pg_replication_origin_session_progress(true)::text", &[])
        .await
        .map_err(doing())?;
    let text: Option<String> = row.try_get(0).map_err(doing())?;
    Ok(text.map_or(Lsn::ZERO, |text| {
        text.parse().expect("the server prints positions as PostgreSQL does")
    }))
}
