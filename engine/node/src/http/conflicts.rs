//! `/v1/conflicts`: the log, as it is read.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Serialize;
use tokio_postgres::error::SqlState;

use super::Api;
use super::failure::Failure;
use crate::conflicts::{self, Class, Filter, KINDS, Page, VERDICTS, policy_named};
use crate::error::Error;
use crate::shared::Shared;

/// Conflicts of an answer when it is not said how many, and at most: their images are bounded, and so is the answer.
const LIMIT: (i64, i64) = (20, 500);

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    filter: Filter,
    page: Page,
}

#[derive(Serialize)]
pub(crate) struct List {
    #[serde(flatten)]
    listed: conflicts::Listed,
    left_out: LeftOut,
}

#[derive(Serialize)]
pub(crate) struct Stats {
    groups: Vec<conflicts::Group>,
    left_out: LeftOut,
}

/// Conflicts that are not in the log since the daemon's start: of the table, kind and policy that are asked for.
#[derive(Serialize)]
struct LeftOut {
    total: u64,
    /// How long ago that start is.
    uptime_seconds: u64,
    by: Vec<LeftOutOf>,
}

#[derive(Serialize)]
struct LeftOutOf {
    table: String,
    kind: &'static str,
    policy: String,
    count: u64,
}

/// The latest conflicts that are asked for.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<List>, Failure> {
    let Query(query) = query.map_err(Failure::usage)?;
    let mut asked = asked(&query, crate::clock::system())?;
    in_full(&api.shared, &mut asked.filter)?;
    let listed = conflicts::list(&api.shared, &asked.filter, asked.page).await;
    let listed = listed.map_err(not_read)?;
    Ok(Json(List {
        listed: listed.ok_or_else(|| no_table(&asked.filter))?,
        left_out: left_out(&api.shared, &asked.filter),
    }))
}

/// How many there are.
pub(crate) async fn stats(
    State(api): State<Arc<Api>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<Stats>, Failure> {
    let Query(query) = query.map_err(Failure::usage)?;
    if let Some((name, _)) = query.iter().find(|(name, _)| name == "limit" || name == "before") {
        return Err(Failure::usage(format!("{name}: stats counts them all")));
    }
    let mut asked = asked(&query, crate::clock::system())?;
    in_full(&api.shared, &mut asked.filter)?;
    let groups = conflicts::stats(&api.shared, &asked.filter).await;
    let groups = groups.map_err(not_read)?;
    Ok(Json(Stats {
        groups: groups.ok_or_else(|| no_table(&asked.filter))?,
        left_out: left_out(&api.shared, &asked.filter),
    }))
}

/// A table may be named without its schema, where that is enough.
fn in_full(shared: &Shared, filter: &mut Filter) -> Result<(), Failure> {
    let Some(name) = &mut filter.table else { return Ok(()) };
    // A table that was dropped may be in the log.
    if let Some((schema, table)) = named(shared, name)? {
        *name = format!("{schema}.{table}");
    }
    Ok(())
}

/// Schema and name of the replicated table that is called so, with its schema or without.
pub(super) fn named(shared: &Shared, name: &str) -> Result<Option<(String, String)>, Failure> {
    let directory = shared.directory();
    match directory.named(name)[..] {
        [] => Ok(None),
        [one] => Ok(Some((one.schema.clone(), one.name.clone()))),
        ref several => {
            let names = several.iter().map(|table| format!("{}.{}", table.schema, table.name));
            let names = names.collect::<Vec<_>>().join(", ");
            Err(Failure::usage(format!("table {name:?}: expected one of {names}")))
        }
    }
}

fn not_read(error: Error) -> Failure {
    let code = if let Error::Sql(sql) = &error { sql.code() } else { None };
    if code == Some(&SqlState::QUERY_CANCELED) {
        Failure::timed_out("the server took too long to read synapse.conflict_log")
            .hint("ask for less: a shorter time with since")
    } else if code == Some(&SqlState::UNDEFINED_TABLE) {
        Failure::refused("this database has no synapse.conflict_log")
            .hint("it is made when synapsed prepares the database: look at `synapsectl status`")
    } else {
        Failure::from(error)
    }
}

fn no_table(filter: &Filter) -> Failure {
    let name = filter.table.as_deref().unwrap_or_default();
    Failure::unknown(format!(
        "table {name:?} is not replicated here, and the log knows none of that name"
    ))
    .hint("tables are named schema.table; `synapsectl table list` names them")
}

fn left_out(shared: &Shared, filter: &Filter) -> LeftOut {
    let wanted = |class: &Class| {
        filter.table.as_ref().is_none_or(|table| *table == class.table)
            && filter.kind.is_none_or(|kind| kind == class.kind)
            && filter.policy.as_ref().is_none_or(|policy| *policy == class.policy)
    };
    let by: Vec<LeftOutOf> = shared
        .conflicts
        .left_out()
        .into_iter()
        .filter(|(class, _)| wanted(class))
        .map(|(Class { table, kind, policy }, count)| LeftOutOf {
            table,
            kind,
            policy,
            count,
        })
        .collect();
    LeftOut {
        total: by.iter().map(|one| one.count).sum(),
        uptime_seconds: shared.clock.monotonic().0 / 1_000_000,
        by,
    }
}

/// Reads a query. Each parameter may stand once.
fn asked(query: &[(String, String)], now: SystemTime) -> Result<Asked, Failure> {
    let mut asked = Asked {
        filter: Filter::default(),
        page: Page {
            limit: LIMIT.0,
            before: None,
        },
    };
    for (at, (name, value)) in query.iter().enumerate() {
        if query[..at].iter().any(|(earlier, _)| earlier == name) {
            return Err(Failure::usage(format!("{name}: expected once")));
        }
        let Asked { filter, page } = &mut asked;
        match name.as_str() {
            "table" => filter.table = Some(value.clone()),
            "kind" => filter.kind = Some(one_of(name, value, &KINDS)?),
            "policy" => filter.policy = Some(policy_named(value).map_err(Failure::usage)?),
            "verdict" => filter.verdict = Some(one_of(name, value, &VERDICTS)?),
            "since" => filter.since = Some(since(value, now)?),
            "limit" => page.limit = number(name, value, LIMIT.1)?,
            "before" => page.before = Some(number(name, value, i64::MAX)?),
            _ => {
                return Err(Failure::usage(format!(
                    "unknown parameter {name:?}: expected table, kind, policy, verdict, since, limit or before"
                )));
            }
        }
    }
    Ok(asked)
}

fn one_of(name: &str, value: &str, known: &[&'static str]) -> Result<&'static str, Failure> {
    let found = known.iter().find(|one| **one == value).copied();
    found.ok_or_else(|| Failure::usage(format!("{name} {value:?}: expected one of {}", known.join(", "))))
}

fn number(name: &str, value: &str, most: i64) -> Result<i64, Failure> {
    let parsed = value.parse().ok().filter(|number| (1..=most).contains(number));
    parsed.ok_or_else(|| Failure::usage(format!("{name} {value:?}: expected a number from 1 to {most}")))
}

/// A length of time before now, or a time in UTC as RFC 3339 or PostgreSQL writes it.
fn since(value: &str, now: SystemTime) -> Result<SystemTime, Failure> {
    let ago = |length: Duration| now.checked_sub(length);
    let time = || humantime::parse_rfc3339_weak(value.strip_suffix("+00").unwrap_or(value)).ok();
    let parsed = humantime::parse_duration(value).ok().and_then(ago).or_else(time);
    parsed.filter(|time| *time >= SystemTime::UNIX_EPOCH).ok_or_else(|| {
        Failure::usage(format!(
            "since {value:?}: expected a length of time like 1h, or a time in UTC like 2026-01-31T12:00:00Z"
        ))
    })
}

#[cfg(test)]
mod tests;
