//! Logical decoding: what pgoutput would send of a commit, as the changes that capture makes of it.

use std::sync::Arc;

use synapse_engine_change::{ChangeSet, OpCode, Relation, Value};

use super::schema::{Datum, Row, Table};
use super::wal::{Commit, Effect, Item};

/// The relations of all tables, made once for a run.
pub(crate) struct Relations([Arc<Relation>; Table::ALL.len()]);

impl Relations {
    pub(crate) fn new() -> Self {
        Relations(Table::ALL.map(Table::relation))
    }

    pub(crate) const fn of(&self, table: Table) -> &Arc<Relation> {
        &self.0[table.index()]
    }
}

/// The row changes of a commit in order; messages are read by the caller.
pub(crate) fn decode(commit: &Commit, relations: &Relations) -> ChangeSet {
    let mut set = ChangeSet::new();
    for item in &commit.items {
        let Item::Change { table, xid, effect } = item else {
            continue;
        };
        if !table.published() {
            continue;
        }
        let (table, effect) = match effect {
            // A displaced row is given up: it goes, though it does not stand in its table.
            Effect::Delete { old } if *table == Table::Displaced => {
                let old = old[..Table::Unique.columns().len()].to_vec();
                (&Table::Unique, &Effect::Delete { old })
            }
            Effect::Insert { .. } | Effect::Update { .. } | Effect::Delete { .. } | Effect::Truncate => (table, effect),
        };
        let (op, tuples) = change(*table, effect);
        let texts: Vec<Sent> = tuples.into_iter().flatten().collect();
        let values = texts.iter().map(Sent::value);
        set.push(relations.of(*table), op, xid.0, values)
            .expect("a simulated transaction is small");
    }
    set
}

/// A value on its way.
enum Sent {
    Null,
    Unchanged,
    Text(String),
}

impl Sent {
    fn of(datum: Datum) -> Self {
        datum.map_or(Sent::Null, |value| Sent::Text(value.to_string()))
    }

    fn value(&self) -> Value<'_> {
        match self {
            Sent::Null => Value::Null,
            Sent::Unchanged => Value::Unchanged,
            Sent::Text(text) => Value::Text(text.as_bytes()),
        }
    }
}

fn change(table: Table, effect: &Effect) -> (OpCode, Vec<Vec<Sent>>) {
    let full = |row: &Row| row.iter().map(|datum| Sent::of(*datum)).collect::<Vec<_>>();
    let key = |row: &Row| {
        let part = |(at, datum): (usize, &Datum)| if at == 0 { Sent::of(*datum) } else { Sent::Null };
        row.iter().enumerate().map(part).collect::<Vec<_>>()
    };
    match effect {
        Effect::Insert { new } => (OpCode::Insert, vec![full(new)]),
        Effect::Delete { old } if table.logs_old_rows() => (OpCode::DeleteFull, vec![full(old)]),
        Effect::Delete { old } => (OpCode::DeleteKey, vec![key(old)]),
        Effect::Truncate => (OpCode::Truncate, Vec::new()),
        Effect::Update { old, new, untouched } => {
            let part = |(at, datum): (usize, &Datum)| {
                if untouched.contains(&at) && datum.is_some() {
                    Sent::Unchanged
                } else {
                    Sent::of(*datum)
                }
            };
            let sent = new.iter().enumerate().map(part).collect();
            if table.logs_old_rows() {
                (OpCode::UpdateOldFull, vec![full(old), sent])
            } else if old[0] == new[0] {
                (OpCode::Update, vec![sent])
            } else {
                (OpCode::UpdateOldKey, vec![key(old), sent])
            }
        }
    }
}
