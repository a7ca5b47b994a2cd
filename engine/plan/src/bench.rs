//! Batches as lines of text, for tests: `insert t 1 x y`, `update t 1 x ~`, `move t 1 2 x ~`, `delete t 1`, `truncate t`.
//! A value is a word; `-` is NULL, `~` is an unchanged TOAST value.

use std::sync::Arc;

use synapse_engine_change::{Block, ChangeSet, Column, Identity, OpCode, Part, Relation, Transaction, Value};
use synapse_engine_identity::{
    ColumnId, ColumnSet, Context, Epoch, Hlc, Incarnation, Origin, RowId, Stamp, TableId, TxnId, Write, WriteOp,
};
use synapse_engine_replication::{Kernel, Limits, MarkerKind, MemoryOverflow, Progress};
use synapse_wal_types::{Lsn, PgTimestamp};

use crate::{
    Batch, Builder, Constrained, Error, KeyClass, KeylessStep, Mapping, Path, Row, Rows, Step, Table, TableColumn,
    Tables,
};

/// Tables `t` and `u` with the key `id`, and `k` without one; each has the columns `id, a, b`.
pub(crate) struct Bench {
    tables: Vec<Arc<Table>>,
    pub(crate) kernel: Kernel<MemoryOverflow>,
}

impl Tables for Bench {
    fn find(&self, relation: &Relation) -> Option<Arc<Table>> {
        self.tables.iter().find(|table| table.name == relation.name).cloned()
    }
}

pub(crate) fn table(id: u32, name: &str, columns: &[&str]) -> Table {
    let column = |name: &&str| TableColumn {
        name: (*name).to_owned(),
        type_sql: "pg_catalog.text".to_owned(),
        class: KeyClass::Exact,
        identity_always: false,
        writable: true,
    };
    let key = columns
        .iter()
        .position(|column| *column == "id")
        .filter(|_| name != "k");
    Table {
        id: TableId(id),
        schema: "public".to_owned(),
        name: name.to_owned(),
        columns: columns.iter().map(column).collect(),
        key: key.into_iter().map(|at| ColumnId(u16::try_from(at).unwrap())).collect(),
        constrained: match name {
            "u" => Constrained::Enforced,
            _ => Constrained::No,
        },
    }
}

pub(crate) fn relation(name: &str, columns: &[&str]) -> Arc<Relation> {
    let keyed = name != "k";
    let column = |column: &&str| Column {
        name: (*column).to_owned(),
        key: keyed && *column == "id",
        type_oid: 25,
    };
    Arc::new(Relation {
        schema: "public".to_owned(),
        name: name.to_owned(),
        identity: if keyed { Identity::Default } else { Identity::Full },
        columns: columns.iter().map(column).collect(),
    })
}

pub(crate) fn value(word: &str) -> Value<'_> {
    match word {
        "-" => Value::Null,
        "~" => Value::Unchanged,
        word => Value::Text(word.as_bytes()),
    }
}

fn origin(node: &str) -> Origin {
    let (node, incarnation) = (node.parse().unwrap(), Incarnation(1));
    Origin { node, incarnation }
}

/// A transaction of n2 for each list of lines.
fn block(txns: &[&[&str]]) -> Block {
    let columns = ["id", "a", "b"];
    let relations = ["t", "u", "k"].map(|name| relation(name, &columns));
    let mut changes = ChangeSet::new();
    let mut transactions = Vec::new();
    for (at, lines) in txns.iter().enumerate() {
        let first = changes.len();
        for line in *lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (verb, name, rest) = (words[0], words[1], &words[2..]);
            let (op, row): (OpCode, Vec<&str>) = match verb {
                "insert" => (OpCode::Insert, rest.to_vec()),
                "update" if name == "k" => (OpCode::UpdateOldFull, rest.to_vec()),
                "update" => (OpCode::Update, rest.to_vec()),
                "move" => (OpCode::UpdateOldKey, [&[rest[0], "-", "-"], &rest[1..]].concat()),
                "delete" if name == "k" => (OpCode::DeleteFull, rest.to_vec()),
                "delete" => (OpCode::DeleteKey, vec![rest[0], "-", "-"]),
                "truncate" => (OpCode::Truncate, Vec::new()),
                other => panic!("no such change: {other}"),
            };
            let relation = relations.iter().find(|relation| relation.name == name).unwrap();
            changes.push(relation, op, 1, row.into_iter().map(value)).unwrap();
        }
        let lsn = Lsn(100 + at as u64);
        transactions.push(Transaction {
            lsn,
            hlc: Hlc(lsn.0),
            context: Arc::new(Context::new()),
            epoch: Epoch::default(),
            commit_ts: PgTimestamp(0),
            xid: synapse_wal_types::Xid(1),
            changes: first..changes.len(),
            part: Part::Whole,
        });
    }
    Block {
        origin: origin("n2"),
        transactions,
        changes,
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let columns = ["id", "a", "b"];
        let tables = ["t", "u", "k"]
            .iter()
            .zip(0..)
            .map(|(name, id)| Arc::new(table(id, name, &columns)));
        let limits = Limits {
            clock_skew_max_micros: 1,
            registers_max: 100,
        };
        let (progress, overflow) = (Progress::default(), MemoryOverflow::default());
        Bench {
            tables: tables.collect(),
            kernel: Kernel::new(origin("n1"), 2, limits, progress, Context::new(), overflow),
        }
    }

    /// This node updates a row of `t`, which no transaction of n2 has seen.
    pub(crate) fn local_update(&mut self, key: &str, hlc: u64) {
        let stamp = Stamp {
            txn: TxnId {
                origin: origin("n1"),
                lsn: Lsn(hlc),
            },
            context: Arc::new(Context::new()),
            hlc: Hlc(hlc),
            epoch: Epoch::default(),
        };
        let op = WriteOp::Update {
            missing: ColumnSet::new(),
        };
        let row = self.row(key);
        self.kernel.note_local(&stamp, &Write { row, op });
    }

    pub(crate) fn row(&self, key: &str) -> RowId {
        RowId {
            table: self.tables[0].id,
            key: synapse_engine_identity::KeyHash::of([key.as_bytes()]),
        }
    }

    /// The steps of a batch of these transactions; and the rows of `t` among `keys` that are contested.
    pub(crate) fn plan(&mut self, path: Path, txns: &[&[&str]]) -> Vec<String> {
        let block = block(txns);
        let batch = self.batch(path, &block).unwrap();
        let mut lines: Vec<String> = batch.steps.iter().map(step).collect();
        let contested: Vec<&str> = ["1", "2", "3"]
            .into_iter()
            .filter(|key| batch.contested.contains(&self.row(key)))
            .collect();
        if !contested.is_empty() {
            lines.push(format!("contested: {}", contested.join(", ")));
        }
        lines
    }

    /// What the batch knows of a row of `t`.
    pub(crate) fn known(&mut self, txns: &[&[&str]], key: &str) -> String {
        let block = block(txns);
        let batch = self.batch(Path::Set, &block).unwrap();
        words(&batch.rows[&self.row(key)].1)
    }

    fn batch<'a>(&mut self, path: Path, block: &'a Block) -> Result<Batch<'a>, Error> {
        let mut builder = Builder::new(path);
        let last = block.transactions.last().unwrap().lsn;
        self.kernel.begin(MarkerKind::Batch, block.origin, last);
        let tables = Bench {
            tables: self.tables.clone(),
            ..Bench::new()
        };
        for at in 0..block.transactions.len() {
            builder.add(&mut self.kernel, &tables, block, at)?;
        }
        Ok(builder.finish())
    }
}

/// A tuple of the relation as a row of the table.
pub(crate) fn mapped(mapping: &Mapping, relation: &Arc<Relation>, row: &[&str]) -> (String, Vec<u16>) {
    let mut set = ChangeSet::new();
    set.push(relation, OpCode::Insert, 1, row.iter().map(|word| value(word)))
        .unwrap();
    let change = set.iter(0..1).next().unwrap();
    let synapse_engine_change::Change::Insert { new, .. } = change else {
        panic!("an insert was put in");
    };
    let missing = mapping.missing(new).iter().map(|column| column.0).collect();
    (words(&mapping.row(new)), missing)
}

fn words(row: &Row<'_>) -> String {
    let word = |value: &Value<'_>| match value {
        Value::Null => "-".to_owned(),
        Value::Unchanged => "~".to_owned(),
        Value::Text(text) | Value::Binary(text) => String::from_utf8_lossy(text).into_owned(),
    };
    row.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn step(step: &Step<'_>) -> String {
    let grouped = |verb: &str, rows: &Rows<'_>| {
        let names: Vec<&str> = rows.columns.iter().map(|id| rows.table.at(*id).name.as_str()).collect();
        let values: Vec<String> = rows.rows.iter().map(|(_, row)| words(row)).collect();
        format!(
            "{verb} {} ({}): {}",
            rows.table.name,
            names.join(", "),
            values.join("; ")
        )
    };
    match step {
        Step::Delete(rows) => grouped("delete", rows),
        Step::Update(rows) => grouped("update", rows),
        Step::Insert(rows) => grouped("insert", rows),
        Step::InsertKeyless { table, rows, .. } => {
            let rows: Vec<String> = rows.iter().map(words).collect();
            format!("insert {}: {}", table.name, rows.join("; "))
        }
        Step::Move { table, from, to } => format!("move {}: {} to {}", table.name, words(&from.1), words(&to.1)),
        Step::Keyless { table, step } => match step {
            KeylessStep::Update { old, new } => format!("update {}: {} to {}", table.name, words(old), words(new)),
            KeylessStep::Delete { old } => format!("delete {}: {}", table.name, words(old)),
        },
        Step::Truncate { tables, .. } => {
            let names: Vec<&str> = tables.iter().map(|t| t.table.name.as_str()).collect();
            format!("truncate {}", names.join(", "))
        }
    }
}
