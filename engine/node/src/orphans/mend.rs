//! The task that mends: each entry of `synapse.orphans` in an ordinary transaction of this node.

use std::sync::Arc;
use std::time::Duration;

use synapse_engine_apply::ForeignKey;
use synapse_engine_replication::Outcome;
use tokio::time::Instant;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};

use super::entry::{self, Entry, Whereabouts};
use super::keys::{self, Keys};
use super::{Rule, Standing, delete, in_force, note, restore};
use crate::conflicts::Met;
use crate::error::{Class, Error};
use crate::shared::{Phase, Shared};
use crate::sql;

/// How often what could not be done is tried again.
const AGAIN_EVERY: Duration = Duration::from_secs(1);
/// How often what is told of and stays is looked at again.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// No trigger of an application acts on what is mended, and no foreign key; a policy that hides rows does not either. There
/// is no origin and no marker: it is a local transaction, captured and stamped like any.
const ORDINARY: &str = "SET session_replication_role = replica; SET row_security = off";
/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mended {
    /// There is nothing to mend: the rows are gone, or what they refer to is there.
    Nothing,
    /// What they refer to is there again.
    Restored,
    /// They are gone.
    Deleted,
    /// They stay as they are, because that is the rule.
    Reported,
    /// They stay as they are while what they refer to is displaced.
    Displaced,
    /// They stay as they are, for this reason.
    Stuck(String),
}

/// A session, and what it has seen.
struct Mender {
    client: Client,
    told_at: Option<Instant>,
}

/// Mends until the daemon stops.
///
/// # Errors
/// None: what cannot be mended now is tried again.
pub(crate) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    let mut mender = None;
    let mut failed = false;
    loop {
        // The daemon's end does not wait for a statement: what it would have mended is mended after the next start.
        let round = tokio::select! {
            () = shared.shutdown.cancelled() => return Ok(()),
            round = round(&shared, &mut mender) => round,
        };
        let looked = *round.as_ref().unwrap_or(&false);
        match round {
            Ok(_) => failed = false,
            Err(error) => {
                mender = None;
                // It is tried again every second, and said once.
                if !failed {
                    tracing::warn!(%error, "cannot look after foreign keys now");
                }
                failed = true;
            }
        }
        // Nothing is asked of the server while nothing is to be mended.
        let rests = looked && *shared.orphans.standing.borrow() == Standing::default();
        tokio::select! {
            () = shared.shutdown.cancelled() => return Ok(()),
            () = shared.orphans.found.notified() => {}
            () = tokio::time::sleep(AGAIN_EVERY), if !rests => {}
        }
    }
}

/// Answers whether all was looked at.
async fn round(shared: &Shared, mender: &mut Option<Mender>) -> Result<bool, Error> {
    // Before that a node may hold rows of which it has not heard yet that they are gone, and writes nothing by itself.
    if *shared.phase.borrow() != Phase::Streaming {
        return Ok(false);
    }
    let mut here = match mender.take().filter(|mender| !mender.client.is_closed()) {
        Some(here) => here,
        None => Mender::connect(shared).await?,
    };
    here.mend_all(shared).await?;
    *mender = Some(here);
    Ok(true)
}

impl Mender {
    async fn connect(shared: &Shared) -> Result<Self, Error> {
        let client = sql::connect(shared, "foreign keys").await?;
        client.batch_execute(ORDINARY).await?;
        Ok(Mender { client, told_at: None })
    }

    /// Mends what waits; looks at what was told of, when it is time.
    async fn mend_all(&mut self, shared: &Shared) -> Result<(), Error> {
        self.pass(shared, false).await?;
        if self.told_at.is_none_or(|at| at.elapsed() >= TOLD_EVERY) {
            self.told_at = Some(Instant::now());
            self.pass(shared, true).await?;
        }
        entry::sweep(&self.client).await?;
        let standing = entry::standing(&self.client).await?;
        shared.orphans.standing.send_if_modified(|known| {
            let changed = *known != standing;
            *known = standing;
            changed
        });
        Ok(())
    }

    async fn pass(&mut self, shared: &Shared, told: bool) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let entries = entry::read(&self.client, told, after).await?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = last.id;
            let keys = keys::refresh(shared, &self.client).await?;
            for entry in &entries {
                match self.one(shared, &keys, entry).await {
                    Ok(()) => {}
                    Err(error) if error.class() == Class::Transient => {
                        tracing::debug!(%error, "an orphan is mended in the next round");
                    }
                    Err(error) => entry::mark(&self.client, entry.id, "stuck", Some(&error.to_string())).await?,
                }
                if self.client.is_closed() {
                    return Err(Error::TryAgain("the session was lost".to_owned()));
                }
            }
        }
    }

    /// Mends one entry in one transaction; what cannot be mended is noted in another.
    async fn one(&mut self, shared: &Shared, keys: &Keys, entry: &Entry) -> Result<(), Error> {
        let (schema, table) = &entry.child;
        // Without the foreign key nothing is missed.
        let Some(key) = keys.named(schema, table, &entry.key) else {
            let transaction = self.client.transaction().await?;
            entry::forget(&transaction, entry.id).await?;
            return Ok(transaction.commit().await?);
        };
        let rule = in_force(&self.client, schema, table).await?;
        let mut transaction = self.client.transaction().await?;
        let mended = match attempt(shared, &mut transaction, keys, (key, rule), entry).await {
            Err(Error::Sql(error)) if is_definite(&error) => {
                Ok((Mended::Stuck(Error::Sql(error).to_string()), Met::default()))
            }
            mended => mended,
        };
        let (mended, met) = match mended? {
            (Mended::Stuck(why), _) => {
                transaction.rollback().await?;
                let mut transaction = self.client.transaction().await?;
                let met = match entry.told {
                    true => Met::default(),
                    false => note::note(shared, &mut transaction, key, entry, (rule, Outcome::Both)).await?,
                };
                entry::mark(&transaction, entry.id, "stuck", Some(&why)).await?;
                transaction.commit().await?;
                (Mended::Stuck(why), met)
            }
            (mended @ (Mended::Nothing | Mended::Restored | Mended::Deleted), met) => {
                entry::forget(&transaction, entry.id).await?;
                transaction.commit().await?;
                (mended, met)
            }
            (Mended::Reported, met) => {
                entry::mark(&transaction, entry.id, "reported", None).await?;
                transaction.commit().await?;
                (Mended::Reported, met)
            }
            (Mended::Displaced, met) => {
                entry::mark(&transaction, entry.id, "displaced", None).await?;
                transaction.commit().await?;
                (Mended::Displaced, met)
            }
        };
        shared.conflicts.count(shared.clock.monotonic(), met);
        tell(shared, entry, &mended);
        Ok(())
    }
}

/// Does what the rule says. Nothing is committed.
async fn attempt(
    shared: &Shared,
    transaction: &mut Transaction<'_>,
    keys: &Keys,
    (key, rule): (&ForeignKey, Rule),
    entry: &Entry,
) -> Result<(Mended, Met), Error> {
    if entry::stands(transaction, key, &entry.refs).await? || !entry::referred(transaction, key, &entry.refs).await? {
        return Ok((Mended::Nothing, Met::default()));
    }
    match entry::whereabouts(transaction, key, &entry.refs).await? {
        Whereabouts::Standing => return Err(Error::TryAgain("the row came back as it was looked for".to_owned())),
        Whereabouts::Displaced => {
            let met = match entry.told {
                true => Met::default(),
                false => note::note(shared, transaction, key, entry, (rule, Outcome::Both)).await?,
            };
            return Ok((Mended::Displaced, met));
        }
        Whereabouts::Gone => {}
    }
    if rule == Rule::Report && entry.told {
        return Ok((Mended::Reported, Met::default()));
    }
    let met = note::note(shared, transaction, key, entry, (rule, rule.outcome())).await?;
    let mended = match rule {
        Rule::RestoreParent => restore::restore(transaction, keys, key, entry).await?,
        Rule::DeleteChild => delete::delete(transaction, keys, key, &entry.refs).await?,
        Rule::Report => Mended::Reported,
    };
    Ok((mended, met))
}

/// Whether what the server said stays so until somebody changes something: all but locks that were not got, deadlocks, and
/// troubles of the server or the connection.
fn is_definite(error: &tokio_postgres::Error) -> bool {
    let Some(code) = error.code().map(SqlState::code) else {
        return false;
    };
    !matches!(code, "40P01" | "40001" | "55P03" | "57014") && !matches!(&code[..2], "08" | "53" | "57" | "58")
}

fn tell(shared: &Shared, entry: &Entry, mended: &Mended) {
    let (schema, table) = &entry.child;
    let key = &entry.key;
    match mended {
        Mended::Nothing => {}
        Mended::Restored => {
            shared.orphans.restored.add(1);
            tracing::info!(schema, table, key, "restored a row that others refer to");
        }
        Mended::Deleted => {
            shared.orphans.deleted.add(1);
            tracing::info!(schema, table, key, "deleted rows that referred to a row that is gone");
        }
        Mended::Reported | Mended::Displaced | Mended::Stuck(_) if entry.told => {}
        Mended::Reported => tracing::warn!(
            schema,
            table,
            key,
            "rows refer to a row that is gone, and stay so by the table's rule"
        ),
        Mended::Displaced => tracing::warn!(
            schema,
            table,
            key,
            "rows refer to a row that is displaced, and stay so until it comes back or is given up"
        ),
        Mended::Stuck(why) => tracing::warn!(
            schema,
            table,
            key,
            why,
            "rows refer to a row that is gone, and cannot be mended"
        ),
    }
}
