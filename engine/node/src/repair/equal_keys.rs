//! Keys that are equal and have other text: `1.0` and `1.00`. Compared as text they are two rows, one missing here and
//! one there; to delete the one would delete the other with it.

use std::sync::Arc;

use synapse_engine_identity::NodeId;
use synapse_engine_plan::KeyClass;

use super::decide::Decision;
use crate::answer::{AskError, ask_one};
use crate::frames::{Act, Answer, Request};
use crate::shared::Shared;
use crate::verify::plan::TablePlan;

/// Leaves out deletes of rows that the source has under an equal key: they are mended as the source sends its own.
pub(super) async fn leave_out(
    shared: &Arc<Shared>,
    plan: &TablePlan,
    source: NodeId,
    decisions: Vec<Decision>,
) -> Result<Vec<Decision>, AskError> {
    if text_tells(shared, plan) {
        return Ok(decisions);
    }
    let mut kept = Vec::with_capacity(decisions.len());
    for decision in decisions {
        if decision.act == Act::Send || !has_equal(shared, plan, source, &decision).await? {
            kept.push(decision);
        }
    }
    Ok(kept)
}

/// Whether equal keys have equal text.
fn text_tells(shared: &Shared, plan: &TablePlan) -> bool {
    let part = &plan.part;
    let directory = shared.directory();
    let (Some(table), Some(listed)) = (
        directory.get(&part.schema, &part.table),
        directory.catalog.find(&part.schema, &part.table),
    ) else {
        return false;
    };
    part.key.iter().all(|name| {
        let exact = table
            .column(name)
            .is_some_and(|id| table.at(id).class == KeyClass::Exact);
        exact && listed.column(name).is_some_and(|column| column.deterministic)
    })
}

async fn has_equal(
    shared: &Arc<Shared>,
    plan: &TablePlan,
    source: NodeId,
    decision: &Decision,
) -> Result<bool, AskError> {
    let part = &plan.part;
    let texts = decision.key.iter().map(|text| text.clone().into_bytes());
    let request = Request::RowTexts {
        schema: part.schema.clone(),
        table: part.table.clone(),
        key: part.key.iter().cloned().zip(texts).collect(),
        columns: Vec::new(),
    };
    let Answer::RowTexts(found) = ask_one(shared, source, request).await? else {
        return Err(AskError::beside(source));
    };
    Ok(found.is_some())
}
