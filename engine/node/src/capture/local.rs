//! Local changes as the kernel sees them.

use std::sync::Arc;

use synapse_engine_change::{Change, ChangeSet};
use synapse_engine_identity::Stamp;
use synapse_engine_plan::writes_of;

use super::relations::Relations;
use crate::shared::NodeKernel;

/// Notes every change of `set` under `stamp`.
pub(super) fn note(kernel: &mut NodeKernel, stamp: &Stamp, relations: &Relations, set: &ChangeSet) {
    for change in set.iter(0..set.len()) {
        let mapping = relations.mapping(change.relation());
        if let Change::Truncate { .. } = change {
            kernel.note_local_truncate(stamp, mapping.table().id);
            continue;
        }
        let rules = Arc::clone(kernel.policies().at(mapping.table().id, stamp.epoch));
        for write in writes_of(mapping, &change, &rules).into_iter().flatten() {
            kernel.note_local(stamp, &write);
        }
    }
}
