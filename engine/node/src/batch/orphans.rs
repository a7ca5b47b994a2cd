//! What a batch takes away while others refer to it: looked for when all is written, and kept by another attempt.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use synapse_engine_apply::{Orphaned, REFERRING_MAX, Reference, Transaction};
use synapse_engine_change::{Change, Old, Value};
use synapse_engine_identity::{ColumnId, KeyHash, Origin, RowId, Stamp};
use synapse_engine_plan::Table;
use synapse_wal_types::Lsn;

use super::Done;
use super::failure::Failure;
use super::gone::{Gone, References};
use crate::feed::Next;
use crate::lane::Applier;
use crate::orphans::{self, Keys};
use crate::shared::lock;
use crate::wait::nodes;

/// What was found when a transaction looked for rows that refer to what went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looked {
    /// References that are left to other nodes.
    others: u64,
    /// Whether anything was noted.
    noted: bool,
}

/// What the next attempt keeps as it is: it goes in it, and rows of this node refer to it.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    keys: Arc<Keys>,
    key: usize,
    reference: Reference,
    /// The stamp of the write that takes it, as JSON.
    gone_by: String,
}

impl Applier {
    /// Notes what an earlier attempt found to be referred to. Comes before anything is written.
    pub(super) async fn keep(&self, transaction: &mut Transaction<'_>, origin: Origin) -> Result<(), Failure> {
        let Some(kept) = self.kept.get(&origin) else {
            return Ok(());
        };
        for alike in kept.chunk_by(|a, b| a.key == b.key && a.gone_by == b.gone_by && Arc::ptr_eq(&a.keys, &b.keys)) {
            let references: Vec<Reference> = alike.iter().map(|kept| kept.reference.clone()).collect();
            let Kept { keys, key, gone_by, .. } = &alike[0];
            transaction
                .keep(keys.at(*key), keys.all(), &references, gone_by)
                .await?;
        }
        Ok(())
    }

    /// Commits what was carried out, unless rows would be left without what they refer to.
    pub(super) async fn commit(
        &mut self,
        mut transaction: Transaction<'_>,
        txns: &[Next],
        (origin, decided_at): (Origin, Lsn),
        mut done: Done,
    ) -> Result<(), Failure> {
        let gone = std::mem::take(&mut done.gone);
        let looked = match txns.last() {
            Some(last) => {
                self.look_for_orphans(&mut transaction, (origin, &last.stamp()), txns, gone)
                    .await?
            }
            None => Looked::default(),
        };
        transaction.commit().await?;
        self.tell_orphans(looked);
        if let Some(last) = txns.last() {
            let conflicts = std::mem::take(&mut done.conflicts);
            self.reported
                .note((origin, last.stamp().txn.lsn), decided_at, conflicts);
        }
        self.count(done);
        Ok(())
    }

    /// Comes after the commit.
    pub(super) fn tell_orphans(&self, Looked { others, noted }: Looked) {
        self.shared.orphans.left_to_others.add(others);
        if noted {
            self.shared.orphans.noted();
        }
    }

    /// Looks for rows that refer to what went. Where some are this node's to mend and what they refer to is not kept,
    /// the attempt fails, and the next one keeps it; what was displaced is kept already, and noted at once.
    pub(super) async fn look_for_orphans(
        &mut self,
        transaction: &mut Transaction<'_>,
        (origin, last): (Origin, &Stamp),
        txns: &[Next],
        gone: Gone,
    ) -> Result<Looked, Failure> {
        let keys = Arc::clone(&gone.keys);
        let tables: Vec<(String, String)> = gone.tables.into_iter().collect();
        let mut looked = Looked::default();
        if tables.is_empty() && gone.missed.is_empty() {
            return Ok(looked);
        }
        // Others than were read may have been made meanwhile.
        if gone.mixed || !keys.agree(&tables, &transaction.marks(&tables).await?) {
            orphans::refresh(&self.shared, &self.catalog).await?;
            return Err(Failure::OtherKeys);
        }
        for (place, displaced) in gone.displaced {
            looked = self
                .note_displaced(transaction, &keys, (place, displaced), looked)
                .await?;
        }
        // Whoever made a row, or brought it back, may be the only one that sees what it refers to.
        let mut lost: BTreeMap<usize, BTreeSet<Reference>> = BTreeMap::new();
        for (place, references) in gone.missed {
            let references: Vec<Reference> = references.into_iter().collect();
            let found = transaction.orphaned(keys.at(place), &references).await?;
            lost.entry(place)
                .or_default()
                .extend(found.into_iter().map(|o| o.reference));
        }
        for (place, references) in gone.by_key {
            let key = keys.at(place);
            let references = match references {
                References::These(these) => these.into_iter().collect(),
                References::Any => transaction.dangling(key).await?,
            };
            if references.is_empty() {
                continue;
            }
            let found = transaction.orphaned(key, &references).await?;
            let mine = self.mine(transaction, &keys, place, &found).await?;
            let mine = and_overwritten(mine, &found);
            looked.others += (found.len() - mine.len()) as u64;
            lost.entry(place).or_default().extend(mine);
        }
        let mut open = Vec::new();
        for (place, lost) in lost {
            let known = self.kept.get(&origin).map_or(&[][..], Vec::as_slice);
            let is_kept = |r: &Reference| {
                known
                    .iter()
                    .any(|k| keys.at(place) == k.keys.at(k.key) && k.reference == *r)
            };
            let missing = lost.into_iter().filter(|reference| !is_kept(reference));
            open.extend(missing.map(|reference| {
                let by = taker(txns, &keys, place, &reference);
                Kept {
                    keys: Arc::clone(&keys),
                    key: place,
                    reference,
                    gone_by: as_json(by.as_ref().unwrap_or(last)),
                }
            }));
        }
        if open.is_empty() {
            return Ok(looked);
        }
        // What is kept has all columns of now.
        if orphans::refresh(&self.shared, &self.catalog).await? != keys {
            return Err(Failure::OtherKeys);
        }
        let kept = self.kept.entry(origin).or_default();
        kept.extend(open);
        Err(Failure::Orphaned)
    }

    /// Notes those displaced rows that rows refer to which are this node's to look after.
    async fn note_displaced(
        &self,
        transaction: &mut Transaction<'_>,
        keys: &Keys,
        (place, displaced): (usize, BTreeMap<Reference, String>),
        Looked { others, noted }: Looked,
    ) -> Result<Looked, Failure> {
        let key = keys.at(place);
        let references: Vec<Reference> = displaced.keys().cloned().collect();
        let found = transaction.orphaned(key, &references).await?;
        let mine = self.mine(transaction, keys, place, &found).await?;
        let mut by: BTreeMap<&str, Vec<Reference>> = BTreeMap::new();
        for reference in &mine {
            by.entry(&displaced[reference]).or_default().push(reference.clone());
        }
        for (gone_by, references) in by {
            transaction.note_displaced(key, &references, gone_by).await?;
        }
        Ok(Looked {
            others: others + (found.len() - mine.len()) as u64,
            noted: noted || !mine.is_empty(),
        })
    }

    /// Those that this node mends: it wrote one of the rows that refer. Where nobody is known to have, the first node does.
    async fn mine(
        &self,
        transaction: &mut Transaction<'_>,
        keys: &Keys,
        place: usize,
        found: &[Orphaned],
    ) -> Result<Vec<Reference>, Failure> {
        let first = nodes(&self.shared).first() == Some(&self.shared.me.node);
        let at_once = |orphaned: &&Orphaned| orphaned.local || (orphaned.forgotten && first);
        let mut mine: Vec<Reference> = found.iter().filter(at_once).map(|o| o.reference.clone()).collect();
        let open: Vec<Reference> = found
            .iter()
            .filter(|orphaned| !at_once(orphaned))
            .map(|o| o.reference.clone())
            .collect();
        let directory = self.shared.directory();
        let key = keys.at(place);
        let leaves = key
            .child
            .leaves
            .iter()
            .filter_map(|(schema, name)| directory.get(schema, name));
        let Some(table) = leaves.into_iter().find(|table| table.has_key()) else {
            return Ok(mine);
        };
        if open.is_empty() {
            return Ok(mine);
        }
        let names: Vec<String> = table.key.iter().map(|id| table.at(*id).name.clone()).collect();
        let rows = transaction.referring(key, &open, &names).await?;
        // Who wrote the rest is not looked up: better two nodes bring back the same than none.
        let mut wrote = vec![rows.len() >= REFERRING_MAX; open.len()];
        let mut kernel = lock(&self.kernel);
        for row in rows {
            let (schema, name) = &row.table;
            if let Some(table) = directory.get(schema, name)
                && let Some(id) = row_id(table, &names, &row.values)
                && kernel.wrote(id)
            {
                wrote[row.at] = true;
            }
        }
        mine.extend(open.into_iter().zip(wrote).filter(|(_, wrote)| *wrote).map(|(r, _)| r));
        Ok(mine)
    }
}

/// What a batch updated whose own node had lost already what it refers to may have been written here before: then nobody
/// else sees it.
fn and_overwritten(mut mine: Vec<Reference>, found: &[Orphaned]) -> Vec<Reference> {
    for orphaned in found.iter().filter(|orphaned| orphaned.overwritten) {
        if !mine.contains(&orphaned.reference) {
            mine.push(orphaned.reference.clone());
        }
    }
    mine
}

/// The number of a row by its key's texts; `None` where its table has another key.
fn row_id(table: &Table, names: &[String], values: &[Option<Vec<u8>>]) -> Option<RowId> {
    let part = |id: &ColumnId| {
        let column = table.at(*id);
        let at = names.iter().position(|name| *name == column.name)?;
        Some(column.class.canonical(values[at].as_deref()?))
    };
    let parts = table.key.iter().map(part).collect::<Option<Vec<_>>>()?;
    Some(RowId {
        table: table.id,
        key: KeyHash::of(parts.iter().map(AsRef::as_ref)),
    })
}

/// The last transaction that deletes what `reference` names, gives it another key, or empties its table.
fn taker(txns: &[Next], keys: &Keys, place: usize, reference: &Reference) -> Option<Stamp> {
    let key = keys.at(place);
    let takes = |change: Change<'_>| {
        let relation = change.relation();
        let is_parent = |(schema, name): &(String, String)| *schema == relation.schema && *name == relation.name;
        if !key.parent.leaves.iter().any(is_parent) {
            return false;
        }
        let old = match change {
            Change::Insert { .. } | Change::Update { old: None, .. } => return false,
            Change::Truncate { .. } => return true,
            Change::Delete { old, .. } | Change::Update { old: Some(old), .. } => Old::tuple(old),
        };
        key.columns.iter().zip(reference).all(|(pair, text)| {
            let at = relation.columns.iter().position(|column| column.name == pair.parent);
            at.is_some_and(|at| old.get(at) == text.as_deref().map_or(Value::Null, Value::Text))
        })
    };
    let taker = txns.iter().rev().find(|next| next.block.changes_of(next.at).any(takes));
    taker.map(Next::stamp)
}

/// A stamp as `synapse.conflict_log` has it.
fn as_json(stamp: &Stamp) -> String {
    crate::orphans::stamp_json(stamp.txn, stamp.hlc).to_string()
}
