//! Reading again until nothing moves.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::compare::{Between, Judged, Readings, Suspects, judge};
use super::plan::TablePlan;
use super::tell::{Step, Tell};
use super::{VerifyError, collect};
use crate::frames::RowKey;
use crate::shared::Shared;
use crate::wait::{Reason, wait};

/// How long rows of one table may keep moving.
const SETTLE_MAX: Duration = Duration::from_secs(120);

/// The suspects that differ in truth, as they were read last.
pub(crate) async fn settle(
    shared: &Arc<Shared>,
    plan: &TablePlan,
    mut suspects: Suspects,
    tell: &Tell,
) -> Result<Vec<(RowKey, Readings)>, VerifyError> {
    let deadline = Instant::now() + SETTLE_MAX;
    let mut different = Vec::new();
    let total = suspects.len() as u64;
    while !suspects.is_empty() {
        let unsettled = |rows: usize, why: String| VerifyError::Unsettled {
            table: plan.name.clone(),
            rows,
            why,
        };
        tell.progress(Step::Settling, total - suspects.len() as u64, total);
        // Positions are asked for after the reading, so that all that it showed is at or below them.
        let waited = wait(shared, deadline.saturating_duration_since(Instant::now())).await;
        let between = match waited.reason {
            None => Between::Applied,
            Some(Reason::Stands) => Between::Stands,
            Some(Reason::Timeout) => return Err(unsettled(suspects.len(), waited.detail.unwrap_or_default())),
        };
        let (keys, first): (Vec<RowKey>, Vec<Readings>) = suspects.into_iter().unzip();
        let reading = plan
            .nodes
            .iter()
            .map(|node| collect::rows(shared, *node, &plan.part, &keys));
        let second = by_key(try_join_all(reading).await?, keys.len());
        suspects = Suspects::new();
        for ((key, first), second) in keys.into_iter().zip(first).zip(second) {
            match judge(&first, &second, between) {
                Judged::Equal => {}
                Judged::Different => different.push((key, second)),
                Judged::Moving => {
                    suspects.insert(key, second);
                }
            }
        }
        if !suspects.is_empty() && Instant::now() >= deadline {
            return Err(unsettled(
                suspects.len(),
                "they were written again and again".to_owned(),
            ));
        }
    }
    Ok(different)
}

/// From one list a node to one list a key.
pub(crate) fn by_key(nodes: Vec<Readings>, keys: usize) -> Vec<Readings> {
    let mut rows = vec![Vec::with_capacity(nodes.len()); keys];
    for node in nodes {
        for (row, reading) in rows.iter_mut().zip(node) {
            row.push(reading);
        }
    }
    rows
}
