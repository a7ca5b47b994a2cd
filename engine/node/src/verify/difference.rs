//! Differences as they are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::try_join_all;
use serde_json::value::RawValue;
use synapse_engine_identity::NodeId;

use super::VerifyError;
use super::collect;
use super::compare::Readings;
use super::plan::TablePlan;
use super::verdict::Difference;
use crate::frames::{RowKey, RowValues};
use crate::shared::Shared;

/// Longer values are shown by their length, in bytes of JSON.
const SHOWN_MAX: usize = 4096;

/// Reads the values of rows that differ.
pub(super) async fn list(
    shared: &Arc<Shared>,
    plan: &TablePlan,
    rows: Vec<(RowKey, Readings)>,
) -> Result<Vec<Difference>, VerifyError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<RowKey> = rows.iter().map(|(key, _)| key.clone()).collect();
    let values = plan
        .nodes
        .iter()
        .map(|node| collect::values(shared, *node, &plan.part, &keys));
    let values = try_join_all(values).await?;
    Ok(rows
        .into_iter()
        .map(|(key, readings)| show(plan, &key, &readings, &values))
        .collect())
}

fn show(plan: &TablePlan, key: &RowKey, readings: &Readings, nodes: &[BTreeMap<RowKey, RowValues>]) -> Difference {
    let found: Vec<Option<&RowValues>> = nodes.iter().map(|values| values.get(key)).collect();
    let shown = found.iter().flatten().next().map(|row| raw(&row.key_json));
    let shown = shown.unwrap_or_else(|| key_of_text(plan, key));
    if plan.part.key.is_empty() {
        return Difference {
            key: shown,
            columns: Vec::new(),
            nodes: counts(&plan.nodes, readings),
        };
    }
    let differing = differing(plan, &found);
    let of_node = |row: &RowValues| {
        let values = differing
            .iter()
            .filter_map(|at| Some((plan.part.columns[*at].clone(), raw(row.columns.get(*at)?))));
        values.collect()
    };
    let nodes = plan
        .nodes
        .iter()
        .copied()
        .zip(found.iter().map(|row| row.map(of_node)))
        .collect();
    Difference {
        key: shown,
        columns: differing.iter().map(|at| plan.part.columns[*at].clone()).collect(),
        nodes,
    }
}

/// The columns in which rows differ; where a row is missing, all that are not in the key.
fn differing(plan: &TablePlan, found: &[Option<&RowValues>]) -> BTreeSet<usize> {
    let part = &plan.part;
    let missing = found.iter().any(Option::is_none);
    let differs = |at: usize| {
        let digests: BTreeSet<Option<&String>> = found.iter().flatten().map(|row| row.digests.get(at)).collect();
        digests.len() > 1
    };
    (0..part.columns.len())
        .filter(|at| differs(*at) || missing && !part.key.contains(&part.columns[*at]))
        .collect()
}

fn counts(nodes: &[NodeId], readings: &Readings) -> BTreeMap<NodeId, Option<BTreeMap<String, Box<RawValue>>>> {
    let count = |reading: &Option<crate::frames::Digest>| {
        reading.map(|digest| BTreeMap::from([("count".to_owned(), raw(&digest.rows.to_string()))]))
    };
    nodes.iter().copied().zip(readings.iter().map(count)).collect()
}

/// The key of a row that has gone since.
fn key_of_text(plan: &TablePlan, key: &RowKey) -> Box<RawValue> {
    let named: BTreeMap<&String, &String> = plan.part.key.iter().zip(key).collect();
    raw(&serde_json::to_string(&named).expect("a map of text is JSON"))
}

/// JSON as the server wrote it, so that no digit of a number is lost.
fn raw(json: &str) -> Box<RawValue> {
    if json.len() <= SHOWN_MAX
        && let Ok(value) = RawValue::from_string(json.to_owned())
    {
        return value;
    }
    let text = serde_json::Value::from(format!("({} bytes)", json.len())).to_string();
    RawValue::from_string(text).expect("a JSON string is JSON")
}

#[cfg(test)]
mod tests;
