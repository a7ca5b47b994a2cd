mod steps;

use std::collections::HashMap;
use std::sync::Arc;

use synapse_engine_change::{Block, Change, Old, Relation, Tuple, Value};
use synapse_engine_identity::{Context, Epoch, Hlc, RowId, Stamp, TableId, TxnId, Write, WriteOp};
use synapse_engine_replication::{Kernel, Kind, Met, Overflow, Policy, Rules, Verdict};

use crate::net::{Net, Next};
use crate::{Added, Batch, Constrained, Error, Mapping, Row, Table, TruncateTable, Undecided, writes_of};

/// The local tables, by the names origins know them by. A port: the daemon answers from the catalogue.
pub trait Tables {
    /// The table that `relation` belongs to.
    fn find(&self, relation: &Relation) -> Option<Arc<Table>>;

    /// What a change says of conflict policies, when it sets one.
    fn policy(&self, _change: &Change<'_>) -> Option<PolicySet> {
        None
    }

    /// What `table` held when it was copied from another node; `None` once, or as long as, that does not matter.
    /// Changes that it covers are noted, and not written again.
    fn copied(&self, _table: &Table) -> Option<&Context> {
        None
    }
}

/// A change that sets a table's conflict policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySet {
    /// From when on.
    pub epoch: Epoch,
    /// Of which table.
    pub table: TableId,
    /// What.
    pub rules: Rules,
}

/// How rows of tables are applied whose rows may exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// As all others: in set-based statements, where nothing is known against it.
    Set,
    /// One by one, each looked at together with those that it excludes: a statement has met one. A legal swap of unique
    /// values nets to statements that fail, too.
    Exact,
}

/// A conflict, as found: an incoming write met one it had not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The row.
    pub row: RowId,
    /// The incoming transaction.
    pub txn: TxnId,
    /// Its time.
    pub hlc: Hlc,
    /// The kind.
    pub kind: Kind,
    /// What it met, and what became of it.
    pub met: Met,
}

/// Collects transactions into a batch.
#[derive(Debug)]
pub struct Builder<'a> {
    path: Path,
    /// For a re-check: the kernel knows these transactions, and they are not decided again.
    decided: bool,
    /// By the address of the block's relation; blocks outlive the builder.
    mappings: HashMap<usize, Mapping>,
    /// Rows of the open segment in the order of their first change.
    segment: Vec<(RowId, Arc<Table>, Row<'a>, Net<'a>)>,
    places: HashMap<RowId, usize>,
    keyless: HashMap<TableId, (Arc<Table>, Vec<Row<'a>>)>,
    contested: std::collections::HashSet<RowId>,
    /// Who inserted rows that have counters: what it adds to them is in what it says of them.
    inserted: HashMap<RowId, TxnId>,
    batch: Batch<'a>,
}

impl<'a> Builder<'a> {
    /// An empty batch.
    #[must_use]
    pub fn new(path: Path) -> Self {
        Builder {
            path,
            decided: false,
            mappings: HashMap::new(),
            segment: Vec::new(),
            places: HashMap::new(),
            keyless: HashMap::new(),
            contested: std::collections::HashSet::new(),
            inserted: HashMap::new(),
            batch: Batch::default(),
        }
    }

    /// For a re-check of a batch that is committed: the rows it wrote and their values, and no verdicts. To decide them
    /// once more would put them after what was written since.
    #[must_use]
    pub fn recheck() -> Self {
        Builder {
            decided: true,
            ..Builder::new(Path::Set)
        }
    }

    /// Adds the transaction at `at` of `block`, deciding each of its writes. After an error the batch is of no use:
    /// the kernel's transaction is given up.
    pub fn add<O: Overflow>(
        &mut self,
        kernel: &mut Kernel<O>,
        tables: &impl Tables,
        block: &'a Block,
        at: usize,
    ) -> Result<(), Error> {
        let stamp = block.stamp(at);
        for change in block.changes_of(at) {
            let mapping = self.mapping(tables, change.relation(), &stamp)?;
            self.batch.changes += 1;
            if let Some(set) = tables.policy(&change) {
                kernel.learn(set.epoch, set.table, set.rules.clone());
                self.batch.policies.push(set);
            }
            match tables.copied(mapping.table()).filter(|copy| copy.covers(stamp.txn)) {
                Some(copy) if !self.decided => self.copied(kernel, &stamp, &mapping, &change, copy),
                Some(_) | None => self.change(kernel, &stamp, &mapping, &change)?,
            }
        }
        Ok(())
    }

    /// The batch.
    #[must_use]
    pub fn finish(mut self) -> Batch<'a> {
        self.close();
        let mut contested: Vec<RowId> = self.contested.into_iter().collect();
        contested.sort_unstable();
        self.batch.contested = contested;
        self.batch
    }

    fn mapping(&mut self, tables: &impl Tables, relation: &Arc<Relation>, stamp: &Stamp) -> Result<Mapping, Error> {
        if let Some(known) = self.mappings.get(&Arc::as_ptr(relation).addr()) {
            return Ok(known.clone());
        }
        let table = tables.find(relation).ok_or_else(|| Error::MissingTable {
            schema: relation.schema.clone(),
            table: relation.name.clone(),
            on: stamp.txn.origin.node.to_string(),
        })?;
        let mapping = Mapping::new(relation, &table)?;
        self.mappings.insert(Arc::as_ptr(relation).addr(), mapping.clone());
        Ok(mapping)
    }

    fn change<O: Overflow>(
        &mut self,
        kernel: &mut Kernel<O>,
        stamp: &Stamp,
        mapping: &Mapping,
        change: &Change<'a>,
    ) -> Result<(), Error> {
        match *change {
            Change::Truncate { .. } if self.decided => {}
            Change::Truncate { restart_identity, .. } => {
                Undecided::check_truncate(kernel.registers_mut(), mapping.table(), stamp)?;
                let survivors = kernel.decide_truncate(stamp, mapping.table().id);
                let met = self.truncate_met(kernel, stamp, mapping.table());
                if kernel.policies().may_revive(mapping.table().id) {
                    // What a TRUNCATE overrules may have stood in the way of a write that wins then.
                    self.contested.extend(&survivors);
                }
                self.truncate(
                    TruncateTable {
                        table: Arc::clone(mapping.table()),
                        survivors,
                        met,
                    },
                    restart_identity,
                );
            }
            Change::Insert { .. } | Change::Update { .. } | Change::Delete { .. } if !mapping.table().has_key() => {
                self.keyless(mapping, change);
            }
            Change::Insert { .. } | Change::Update { .. } | Change::Delete { .. } => {
                self.write(kernel, stamp, mapping, change)?;
            }
        }
        Ok(())
    }

    /// Notes what a TRUNCATE is in conflict over; answers which rows.
    fn truncate_met<O: Overflow>(&mut self, kernel: &mut Kernel<O>, stamp: &Stamp, table: &Table) -> Vec<RowId> {
        let met = kernel.registers_mut().met_by_truncate(stamp, table.id);
        let rows = met.iter().map(|(row, _)| *row).collect();
        self.batch.conflicts.extend(met.into_iter().map(|(row, met)| Conflict {
            row,
            txn: stamp.txn,
            hlc: stamp.hlc,
            kind: Kind::of(&WriteOp::Delete, met.standing),
            met,
        }));
        rows
    }

    /// A change that the copy of its table holds. Its row stands as it was copied, unless a write that the copy does not
    /// hold came before it here: neither saw the other.
    fn copied<O: Overflow>(
        &mut self,
        kernel: &mut Kernel<O>,
        stamp: &Stamp,
        mapping: &Mapping,
        change: &Change<'a>,
        copy: &Context,
    ) {
        let tuples = match *change {
            Change::Truncate { .. } => {
                kernel.decide_truncate(stamp, mapping.table().id);
                return;
            }
            Change::Insert { .. } | Change::Update { .. } | Change::Delete { .. } if !mapping.table().has_key() => {
                return;
            }
            Change::Insert { new, .. } => [None, Some(mapping.row(new))],
            Change::Update { old, new, .. } => {
                let was = old.map(|old| mapping.key_row(old.tuple()));
                [was, Some(mapping.row(new))]
            }
            Change::Delete { old, .. } => [Some(mapping.key_row(old.tuple())), None],
        };
        let rules = Arc::clone(kernel.policies().at(mapping.table().id, stamp.epoch));
        for write in writes_of(mapping, change, &rules).into_iter().flatten() {
            if !kernel.decide_copied(stamp, &write, copy) {
                continue;
            }
            self.contested.insert(write.row);
            // The old key stands first, and belongs to the row that is deleted.
            let values = match write.op {
                WriteOp::Delete => tuples.iter().flatten().next(),
                WriteOp::Insert { .. } | WriteOp::Update { .. } => tuples.iter().flatten().next_back(),
            };
            if let Some(values) = values {
                self.know(write.row, mapping.table(), values);
            }
        }
    }

    /// A change of a row with a key: one write, or two for a key change.
    fn write<O: Overflow>(
        &mut self,
        kernel: &mut Kernel<O>,
        stamp: &Stamp,
        mapping: &Mapping,
        change: &Change<'a>,
    ) -> Result<(), Error> {
        let rules = Arc::clone(kernel.policies().at(mapping.table().id, stamp.epoch));
        match (writes_of(mapping, change, &rules), *change) {
            (
                [Some(from), Some(to)],
                Change::Update {
                    old: Some(old), new, ..
                },
            ) => {
                let (was, values) = (mapping.key_row(old.tuple()), mapping.whole(Some(old), new));
                let toast_left_behind = matches!(&to.op, WriteOp::Insert { missing } if !missing.is_empty());
                let plain = self.decide(kernel, stamp, mapping, &from)? & self.decide(kernel, stamp, mapping, &to)?;
                if plain && toast_left_behind {
                    self.step_move(mapping, (from.row, was), (to.row, values));
                    return Ok(());
                }
                if toast_left_behind {
                    // Without its old row the new one is not whole: only the exact path knows where to find the rest.
                    self.contested.insert(to.row);
                }
                self.inserted(&rules, stamp, to.row);
                self.net(from.row, mapping, was, Next::Delete);
                self.net(to.row, mapping, values.clone(), Next::Insert(values));
            }
            ([Some(write), _], Change::Update { old, new, .. }) => {
                self.old_row(stamp, mapping, &rules, (write.row, old, new))?;
                self.decide(kernel, stamp, mapping, &write)?;
                let values = mapping.carried(old, new, &rules);
                let mut said = values.clone();
                if self.inserted.get(&write.row) != Some(&stamp.txn) {
                    // What it made of counters is no value of its own: it says what it added.
                    rules
                        .counters
                        .iter()
                        .for_each(|id| said[usize::from(id.0)] = Value::Unchanged);
                }
                self.net(write.row, mapping, said, Next::Update(values));
            }
            ([Some(write), _], Change::Insert { new, .. }) => {
                self.decide(kernel, stamp, mapping, &write)?;
                let values = mapping.row(new);
                self.inserted(&rules, stamp, write.row);
                self.net(write.row, mapping, values.clone(), Next::Insert(values));
            }
            ([Some(write), _], Change::Delete { old, .. }) => {
                self.decide(kernel, stamp, mapping, &write)?;
                self.net(write.row, mapping, mapping.key_row(old.tuple()), Next::Delete);
            }
            ([_, _], _) => {}
        }
        Ok(())
    }

    fn inserted(&mut self, rules: &Rules, stamp: &Stamp, row: RowId) {
        if !rules.counters.is_empty() {
            self.inserted.insert(row, stamp.txn);
        }
    }

    /// Keeps what an UPDATE found, and what it added to counters.
    fn old_row(
        &mut self,
        stamp: &Stamp,
        mapping: &Mapping,
        rules: &Rules,
        (row, old, new): (RowId, Option<Old<'a>>, Tuple<'a>),
    ) -> Result<(), Error> {
        let table = mapping.table();
        let Some(Old::Full(was)) = old else {
            if rules.policy.needs_old_rows() {
                return Err(Error::OldRowNeeded {
                    schema: table.schema.clone(),
                    table: table.name.clone(),
                    policy: rules.policy.to_string(),
                    on: stamp.txn.origin.node.to_string(),
                });
            }
            return Ok(());
        };
        let (was, is) = (mapping.row(was), mapping.whole(old, new));
        for column in rules.counters.iter().filter(|_| !self.decided) {
            let at = usize::from(column.0);
            let (Some(old), Some(new)) = (was.get(at).copied(), is.get(at).copied()) else {
                continue;
            };
            if old != new {
                let added = self.batch.added.entry(row).or_default();
                added.push((
                    column,
                    Added {
                        old,
                        new,
                        planned: false,
                    },
                ));
            }
        }
        self.batch.old.insert(row, was);
        Ok(())
    }

    /// Whether the write is plain; else its row goes to the exact path, or nowhere.
    fn decide<O: Overflow>(
        &mut self,
        kernel: &mut Kernel<O>,
        stamp: &Stamp,
        mapping: &Mapping,
        write: &Write,
    ) -> Result<bool, Error> {
        if self.decided {
            kernel.remember(write.row);
            return Ok(true);
        }
        let met = match kernel.decide(stamp, write) {
            Verdict::Plain => {
                let table = mapping.table();
                let asks_first = match table.constrained {
                    Constrained::No => false,
                    Constrained::Enforced => self.path == Path::Exact || kernel.contended(table.id),
                    Constrained::Deferrable => true,
                };
                if asks_first {
                    self.contested.insert(write.row);
                }
                return Ok(!self.contested.contains(&write.row));
            }
            Verdict::Lost(met) | Verdict::Contested(met) => met,
        };
        let kind = Kind::of(&write.op, met.standing);
        if met.rules.policy == Policy::Error {
            Undecided::check(kernel.registers_mut(), mapping.table(), write.row)?;
        }
        self.batch.conflicts.push(Conflict {
            row: write.row,
            txn: stamp.txn,
            hlc: stamp.hlc,
            kind,
            met,
        });
        self.contested.insert(write.row);
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
