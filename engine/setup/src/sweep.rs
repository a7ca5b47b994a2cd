use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use crate::session::begin;
use crate::{Error, Result};

/// How often locked objects are tried again before we give up, with the pauses below about half a minute.
const ROUNDS_MAX: u32 = 32;
/// Pause after the first round; doubled after each.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What was done to one table or sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its name, quoted as SQL.
    pub object: String,
    /// What was done.
    pub outcome: Outcome,
}

/// What can be done to a table or a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The table has no usable key: its replica identity is FULL now.
    Full,
    /// The table has a key: its replica identity is DEFAULT now.
    Default,
    /// The sequence draws values that no other node draws.
    Disjoint,
    /// The same, and none of this node's values is left: `nextval` will fail.
    Exhausted,
    /// The sequence stays as it is: its increment cannot grow.
    TooWide,
    /// The sequence stays as it is: it cycles through too few values.
    TooNarrow,
    /// It is again what it was before us.
    Released,
}

/// Which way a sweep goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Adopt,
    Release,
}

/// Changes every table and sequence that wants it, a transaction a round, until nothing is locked by others.
///
/// # Errors
/// [`Error::Busy`] when locks do not go away, [`Error::Failed`] when PostgreSQL refuses a change; what could be done is done.
pub(crate) async fn sweep(client: &mut Client, pass: Pass) -> Result<Vec<Change>> {
    let mut changes = BTreeMap::new();
    let mut pause = PAUSE_FIRST;
    for round in 1..=ROUNDS_MAX {
        let found = one_round(client, pass).await?;
        changes.extend(found.changes);
        if let Some((_, first)) = found.failed.first() {
            let first = first.clone();
            return Err(Error::Failed {
                objects: found.failed.into_iter().map(|(object, _)| object).collect(),
                first,
            });
        }
        if found.busy.is_empty() {
            break;
        }
        if round == ROUNDS_MAX {
            return Err(Error::Busy { objects: found.busy });
        }
        tracing::debug!(
            round,
            objects = found.busy.len(),
            "locked by other sessions, trying again"
        );
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
    Ok(changes
        .into_iter()
        .map(|(object, outcome)| Change { object, outcome })
        .collect())
}

#[derive(Default)]
struct Round {
    changes: Vec<(String, Outcome)>,
    busy: Vec<String>,
    failed: Vec<(String, String)>,
}

async fn one_round(client: &mut Client, pass: Pass) -> Result<Round> {
    let doing = "change tables and sequences";
    let transaction = begin(client).await?;
    let release = pass == Pass::Release;
    let rows = transaction
        .query("SELECT object, outcome, detail FROM synapse.sweep($1)", &[&release])
        .await
        .map_err(Error::doing(doing))?;
    transaction.commit().await.map_err(Error::doing(doing))?;
    let mut round = Round::default();
    for row in rows {
        let object: String = row.get(0);
        let detail: Option<String> = row.get(2);
        match row.get(1) {
            "busy" => round.busy.push(object),
            "failed" => round.failed.push((object, detail.unwrap_or_default())),
            outcome => round.changes.push((object, parse(outcome)?)),
        }
    }
    Ok(round)
}

fn parse(outcome: &str) -> Result<Outcome> {
    Ok(match outcome {
        "full" => Outcome::Full,
        "default" => Outcome::Default,
        "disjoint" => Outcome::Disjoint,
        "exhausted" => Outcome::Exhausted,
        "too_wide" => Outcome::TooWide,
        "too_narrow" => Outcome::TooNarrow,
        "released" => Outcome::Released,
        other => {
            return Err(Error::Answer {
                what: "a sweep",
                problem: format!("unknown outcome {other:?}"),
            });
        }
    })
}
