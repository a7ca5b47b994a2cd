//! When, and by whose transaction, rows were written last.

use std::collections::BTreeMap;
use std::sync::Arc;

use synapse_engine_identity::NodeId;
use tokio::sync::mpsc;
use tokio_postgres::Row;

use super::statement;
use crate::answer::{AskError, ask};
use crate::error::Error;
use crate::frames::{Answer, Request, RowKey, TablePart, WrittenAt};
use crate::shared::Shared;
use crate::verify::collect::in_requests;
use crate::verify::read::{Reader, by_column, give, key, key_width, parameters};

/// What replication origins of ours are called: `synapse_<node>_<incarnation>`.
const ORIGIN_PREFIX: &str = "synapse_";

/// Asks `node` when these rows were written there, those that it has.
pub(super) async fn collect(
    shared: &Arc<Shared>,
    node: NodeId,
    part: &TablePart,
    keys: &[RowKey],
) -> Result<BTreeMap<RowKey, WrittenAt>, AskError> {
    let mut written = BTreeMap::new();
    for keys in in_requests(keys) {
        let request = Request::Written {
            part: part.clone(),
            keys: keys.to_vec(),
        };
        let mut asked = ask(shared, node, request).await?;
        while let Some(answer) = asked.next().await? {
            let Answer::Written(more) = answer else {
                return Err(AskError::beside(node));
            };
            written.extend(more);
        }
    }
    Ok(written)
}

/// When the rows with these keys were written here.
pub(crate) async fn written(
    shared: &Shared,
    part: &TablePart,
    keys: &[RowKey],
    parts: &mpsc::Sender<Answer>,
) -> Result<(), Error> {
    let sql = statement::written(part, &shared.directory().catalog);
    let columns = by_column(part, keys)?;
    let reader = Reader::connect(shared).await?;
    let rows = reader.query(&sql, &parameters(&columns)).await?;
    let me = shared.me.node;
    let width = key_width(part);
    let read = |row: &Row| {
        let origin: Option<&str> = row.try_get(width + 1)?;
        let written = WrittenAt {
            micros: row.try_get(width)?,
            by: origin.and_then(author).unwrap_or(me),
        };
        Ok((key(row, width)?, written))
    };
    give(rows, parts, read, Answer::Written).await?;
    reader.done();
    Ok(())
}

/// The node behind a replication origin of ours.
fn author(origin: &str) -> Option<NodeId> {
    let (node, _) = origin.strip_prefix(ORIGIN_PREFIX)?.rsplit_once('_')?;
    node.parse().ok()
}

#[cfg(test)]
mod tests;
