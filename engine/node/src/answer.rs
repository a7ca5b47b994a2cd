//! What a node answers to its peers, and how it asks them. What it asks of itself goes the same way, without a link.

mod applied;
mod ask;
mod blocks;
mod copies;
mod hold;
mod position;
mod texts;

use std::sync::Arc;

use bytes::Bytes;
use synapse_engine_apply::Aside;
use synapse_engine_replication::{InvalidPolicy, Policy};
use synapse_engine_setup::Catalog;
use synapse_engine_transport::Responder;
use tokio::sync::mpsc;

use crate::error::Error;
use crate::frames::{self, Answer, Request, TableShape};
use crate::generation::refresh;
use crate::orphans::{InvalidRule, Rule};
use crate::shared::Shared;
use crate::{join, policies, repair, sql, verify};

pub(crate) use ask::{AskError, Asked, ask, ask_one};
pub(crate) use copies::{OpenCopy, WORKERS};
pub(crate) use hold::{hold, resume};

/// Parts of an answer that wait to be sent.
const PARTS_AHEAD: usize = 4;

/// Answers one request of a peer.
pub(crate) async fn answer(shared: Arc<Shared>, payload: Bytes, mut responder: Responder) {
    let request = match frames::decode::<Request>(&payload) {
        Ok(request) => request,
        Err(error) => {
            // A peer that is gone wants no answer.
            let _ = responder.fail(&format!("unreadable request: {error}")).await;
            return;
        }
    };
    let (parts, mut coming) = mpsc::channel(PARTS_AHEAD);
    let work = perform(&shared, request, &parts);
    tokio::pin!(work);
    let ended = loop {
        tokio::select! {
            () = responder.unwanted() => return,
            ended = &mut work => break ended,
            Some(part) = coming.recv() => {
                if responder.send(frames::encode(&part)).await.is_err() {
                    return;
                }
            }
        }
    };
    while let Ok(part) = coming.try_recv() {
        if responder.send(frames::encode(&part)).await.is_err() {
            return;
        }
    }
    // The link's end is heard by whoever serves it.
    let _ = match ended {
        Ok(()) => responder.finish().await,
        Err(error) => responder.fail(&error.to_string()).await,
    };
}

/// Does what a request asks, and gives the parts of the answer.
async fn perform(shared: &Arc<Shared>, request: Request, parts: &mpsc::Sender<Answer>) -> Result<(), Error> {
    let one = match request {
        Request::Position => position::position(shared).await?,
        Request::Applied { wanted, patience_ms } => applied::applied(shared, &wanted, patience_ms).await,
        Request::Hold { to } => {
            hold(shared, to)?;
            Answer::Done
        }
        Request::Resume { to } => {
            resume(shared, to)?;
            Answer::Done
        }
        Request::Standing => Answer::Standing(join::standing(shared)?),
        Request::CopyTables => {
            refresh(shared, &mut sql::connect(shared, "tables").await?).await?;
            Answer::Tables(copies::to_copy(shared))
        }
        Request::CopyOpen { joiner, members } => return copies::open(shared, joiner, members, parts).await,
        Request::CopyTable { copy, table } => return copies::table(shared, copy, &table, parts).await,
        Request::CopyDisplaced { copy, schema, table } => {
            return copies::aside(shared, copy, (&schema, &table), Aside::Displaced, parts).await;
        }
        Request::CopyRivals { copy, schema, table } => {
            return copies::aside(shared, copy, (&schema, &table), Aside::Rivals, parts).await;
        }
        Request::Tables => Answer::Tables(shapes(&catalog(shared).await?)),
        Request::Digest { part, buckets } => return verify::read::digests(shared, &part, buckets, parts).await,
        Request::Keys { part, buckets, wanted } => {
            return verify::read::keys(shared, &part, buckets, &wanted, parts).await;
        }
        Request::Rows { part, keys } => return verify::read::rows(shared, &part, &keys, parts).await,
        Request::Values { part, keys } => return verify::read::values(shared, &part, &keys, parts).await,
        Request::Blocks { origin, after, until } => return blocks::blocks(shared, origin, after, until, parts).await,
        Request::Written { part, keys } => return repair::written(shared, &part, &keys, parts).await,
        Request::Repair(rows) => repair::execute(shared, &rows).await?,
        Request::CheckPolicy { schema, table, policy } => {
            Answer::Problems(policies::problems(shared, &schema, &table, &read(&policy)?).await?)
        }
        Request::SetPolicy { schema, table, policy } => {
            // It asks this node too: a future of its own, or this one would contain itself.
            policies::agree::given(Box::pin(policies::set::give(shared, &schema, &table, &read(&policy)?)).await)
        }
        Request::CheckForeignKeys { schema, table } => {
            Answer::Problems(policies::foreign_keys::problems(shared, &schema, &table).await?)
        }
        Request::SetForeignKeys { schema, table, rule } => {
            let rule: Rule = rule
                .parse()
                .map_err(|error: InvalidRule| Error::Refused(error.to_string()))?;
            policies::agree::given(Box::pin(policies::foreign_keys::give(shared, &schema, &table, rule)).await)
        }
        Request::RowTexts {
            schema,
            table,
            key,
            columns,
        } => Answer::RowTexts(texts::row(shared, (&schema, &table), &key, &columns).await?),
    };
    // Nobody listens any more: the answer is not wanted.
    let _ = parts.send(one).await;
    Ok(())
}

fn read(policy: &str) -> Result<Policy, Error> {
    policy
        .parse()
        .map_err(|error: InvalidPolicy| Error::Refused(error.to_string()))
}

/// The tables as they are now. What the applier knows of them may be older, and is left as it is: that it changes is the
/// sign for the applier to try again.
pub(crate) async fn catalog(shared: &Shared) -> Result<Catalog, Error> {
    let patterns = shared.config.replication.exclude.iter();
    let exclude: Vec<_> = patterns
        .map(|p| p.parse().expect("the configuration was checked when it was read"))
        .collect();
    let mut client = sql::connect(shared, "tables").await?;
    Ok(synapse_engine_setup::catalog(&mut client, &exclude).await?)
}

fn shapes(catalog: &Catalog) -> Vec<TableShape> {
    let shape = |table: &synapse_engine_setup::Table| TableShape {
        schema: table.schema.clone(),
        table: table.name.clone(),
        columns: table.columns.iter().map(|column| column.name.clone()).collect(),
        key: table.key().map_or_else(Vec::new, |key| key.columns.clone()),
    };
    catalog.tables.iter().map(shape).collect()
}
