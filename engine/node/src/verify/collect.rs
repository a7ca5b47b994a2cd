//! What the nodes read, gathered.

use std::collections::BTreeMap;
use std::sync::Arc;

use synapse_engine_identity::NodeId;

use super::compare::Readings;
use crate::answer::{AskError, Asked, ask};
use crate::frames::{Answer, Digest, Request, RowKey, RowValues, TablePart};
use crate::shared::Shared;

/// A request carries about so many bytes of keys at most: links take 1 MiB.
const KEY_BYTES_MAX: usize = 400_000;
/// And so many keys.
const KEY_COUNT_MAX: usize = 10_000;
/// What a key takes on its way, beside its text.
const KEY_BYTES_MORE: usize = 16;

/// One digest a bucket.
pub(super) async fn digests(
    shared: &Arc<Shared>,
    node: NodeId,
    part: &TablePart,
    buckets: u32,
) -> Result<BTreeMap<u32, Digest>, AskError> {
    let mut asked = ask(
        shared,
        node,
        Request::Digest {
            part: part.clone(),
            buckets,
        },
    )
    .await?;
    let mut digests = BTreeMap::new();
    while let Some(answer) = asked.next().await? {
        let Answer::Digests(more) = answer else {
            return Err(AskError::beside(node));
        };
        digests.extend(more);
    }
    Ok(digests)
}

/// One digest a key, of some buckets.
pub(super) async fn keys(
    shared: &Arc<Shared>,
    node: NodeId,
    part: &TablePart,
    buckets: u32,
    wanted: &[u32],
) -> Result<BTreeMap<RowKey, Digest>, AskError> {
    let request = Request::Keys {
        part: part.clone(),
        buckets,
        wanted: wanted.to_vec(),
    };
    rows_of(ask(shared, node, request).await?, node).await
}

/// Each of these keys, in their order, as `node` has it now.
pub(crate) async fn rows(
    shared: &Arc<Shared>,
    node: NodeId,
    part: &TablePart,
    keys: &[RowKey],
) -> Result<Readings, AskError> {
    let mut readings = Vec::with_capacity(keys.len());
    for keys in in_requests(keys) {
        let request = Request::Rows {
            part: part.clone(),
            keys: keys.to_vec(),
        };
        let found = rows_of(ask(shared, node, request).await?, node).await?;
        readings.extend(keys.iter().map(|key| found.get(key).copied()));
    }
    Ok(readings)
}

async fn rows_of(mut asked: Asked, node: NodeId) -> Result<BTreeMap<RowKey, Digest>, AskError> {
    let mut rows: BTreeMap<RowKey, Digest> = BTreeMap::new();
    while let Some(answer) = asked.next().await? {
        let Answer::Rows(more) = answer else {
            return Err(AskError::beside(node));
        };
        for (key, digest) in more {
            let sum = rows.entry(key).or_default();
            *sum = sum.and(digest);
        }
    }
    Ok(rows)
}

/// The values of these keys.
pub(crate) async fn values(
    shared: &Arc<Shared>,
    node: NodeId,
    part: &TablePart,
    keys: &[RowKey],
) -> Result<BTreeMap<RowKey, RowValues>, AskError> {
    let mut values = BTreeMap::new();
    for keys in in_requests(keys) {
        let request = Request::Values {
            part: part.clone(),
            keys: keys.to_vec(),
        };
        let mut asked = ask(shared, node, request).await?;
        while let Some(answer) = asked.next().await? {
            let Answer::Values(more) = answer else {
                return Err(AskError::beside(node));
            };
            values.extend(more.into_iter().map(|row| (row.key.clone(), row)));
        }
    }
    Ok(values)
}

/// Divides keys into what one request carries.
pub(crate) fn in_requests(keys: &[RowKey]) -> Vec<&[RowKey]> {
    let mut parts = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (at, key) in keys.iter().enumerate() {
        let size: usize = key.iter().map(|part| part.len() + KEY_BYTES_MORE).sum();
        if at > from && (bytes + size > KEY_BYTES_MAX || at - from >= KEY_COUNT_MAX) {
            parts.push(&keys[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += size;
    }
    if from < keys.len() {
        parts.push(&keys[from..]);
    }
    parts
}

#[cfg(test)]
mod tests;
