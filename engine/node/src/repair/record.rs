//! What `synapse.repair_log` keeps of a row.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use synapse_engine_identity::NodeId;

use crate::frames::{RowKey, RowValues, TablePart};

/// One row of the log, as JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) key: String,
    /// Each node's row; null where there was none.
    pub(super) before: String,
    /// The row that all are to have; nothing when it is deleted.
    pub(super) after: Option<String>,
}

/// The record of a row, given each node's values. `after` is what becomes of it.
pub(super) fn record(
    part: &TablePart,
    key: &RowKey,
    before: &[(NodeId, Option<&RowValues>)],
    after: Option<&RowValues>,
) -> Record {
    let shown = before.iter().find_map(|(_, row)| row.map(|row| row.key_json.clone()));
    let nodes: BTreeMap<NodeId, Option<Box<RawValue>>> = before
        .iter()
        .map(|(node, row)| (*node, row.map(|row| raw(&json(part, row)))))
        .collect();
    Record {
        key: shown.unwrap_or_else(|| of_text(part, key)),
        before: text(&nodes),
        after: after.map(|row| json(part, row)),
    }
}

/// A row as an object.
fn json(part: &TablePart, row: &RowValues) -> String {
    let values = row.columns.iter().map(|value| raw(value));
    text(&part.columns.iter().zip(values).collect::<BTreeMap<_, _>>())
}

fn of_text(part: &TablePart, key: &RowKey) -> String {
    text(&part.key.iter().zip(key).collect::<BTreeMap<_, _>>())
}

fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("maps by text are JSON")
}

/// JSON as the server wrote it, so that no digit of a number is lost. What a `json` column may hold and `jsonb` may not
/// (`\u0000`, half of a surrogate pair, numbers beyond all bounds) is kept as text.
fn raw(json: &str) -> Box<RawValue> {
    let fits = !json.contains("\\u0000") && serde_json::from_str::<serde_json::Value>(json).is_ok();
    let json = match fits {
        true => json.to_owned(),
        false => serde_json::Value::from(json).to_string(),
    };
    RawValue::from_string(json).expect("it was parsed, or is a JSON string")
}

#[cfg(test)]
mod tests;
