//! Blocks to test with.

use std::sync::Arc;

use synapse_engine_change::{Block, ChangeSet, Column, Identity, OpCode, Part, Relation, Transaction, Value};
use synapse_engine_identity::{Context, Epoch, Hlc, Incarnation, Origin};
use synapse_wal_types::{Lsn, PgTimestamp, Xid};

use crate::encode::{EncodedBlock, encode_block};

pub(crate) fn origin(name: &str) -> Origin {
    Origin {
        node: name.parse().unwrap(),
        incarnation: Incarnation(7),
    }
}

pub(crate) fn relation(name: &str, columns: usize) -> Arc<Relation> {
    let columns = (0..columns)
        .map(|n| Column {
            name: format!("c{n}"),
            key: n == 0,
            type_oid: 23,
        })
        .collect();
    Arc::new(Relation {
        schema: "public".into(),
        name: name.into(),
        identity: Identity::Default,
        columns,
    })
}

pub(crate) fn transaction(lsn: u64) -> Transaction {
    Transaction {
        lsn: Lsn(lsn),
        hlc: Hlc(1_000_000 + lsn),
        context: Arc::new(Context::from_iter([(origin("n2"), Lsn(lsn / 4))])),
        epoch: Epoch(3),
        commit_ts: PgTimestamp(-5),
        xid: Xid(700),
        changes: 0..0,
        part: Part::Whole,
    }
}

/// Rows whose text follows from `seed`, so that no two blocks are alike.
pub(crate) fn rows(seed: u64, count: usize) -> ChangeSet {
    let table = relation("accounts", 2);
    let mut set = ChangeSet::new();
    for row in 0..count {
        let text = format!("{seed}/{row}");
        let values = [Value::Text(text.as_bytes()), Value::Null];
        set.push(&table, OpCode::Insert, 700, values).unwrap();
    }
    set
}

/// A block of one-row transactions at `lsns`.
pub(crate) fn block(lsns: &[u64]) -> Block {
    let mut changes = ChangeSet::new();
    let mut transactions = Vec::new();
    for lsn in lsns {
        let at = changes.len();
        changes.extend_from(&rows(*lsn, 1), 0..1, |_| true).unwrap();
        transactions.push(Transaction {
            changes: at..at + 1,
            ..transaction(*lsn)
        });
    }
    Block {
        origin: origin("n1"),
        transactions,
        changes,
    }
}

pub(crate) fn encoded(lsns: &[u64]) -> EncodedBlock {
    encode_block(&block(lsns)).unwrap()
}

/// A transaction at `lsn` in `count` parts.
pub(crate) fn parts(lsn: u64, count: u32) -> Vec<EncodedBlock> {
    (0..count)
        .map(|number| {
            let changes = rows(lsn * 1000 + u64::from(number), 2);
            let part = if number + 1 == count {
                Part::Last(number)
            } else {
                Part::Middle(number)
            };
            let transactions = vec![Transaction {
                changes: 0..2,
                part,
                ..transaction(lsn)
            }];
            let origin = origin("n1");
            encode_block(&Block {
                origin,
                transactions,
                changes,
            })
            .unwrap()
        })
        .collect()
}
