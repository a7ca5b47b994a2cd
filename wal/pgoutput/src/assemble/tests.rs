//! Sequences of messages, and what they mean.

use std::sync::Arc;

use synapse_wal_types::{Lsn, Oid, PgTimestamp, Xid};

use crate::{
    Assembler, Begin, Change, ColumnMessage, Commit, Committed, Error, Insert, LogicalMessage, Message, Origin,
    Relation, RelationMessage, ReplicaIdentity, Step, StreamAbort, StreamCommit, StreamStart, TupleData, Value,
};

mod definitions;
mod first_items;
mod order;
mod transactions;

const TABLE: Oid = Oid(16384);

fn begin(xid: u32, final_lsn: u64) -> Message<'static> {
    Message::Begin(Begin {
        final_lsn: Lsn(final_lsn),
        commit_ts: PgTimestamp(0),
        xid: Xid(xid),
    })
}

fn commit_at(commit_lsn: u64) -> Commit {
    Commit {
        commit_lsn: Lsn(commit_lsn),
        end_lsn: Lsn(commit_lsn + 8),
        commit_ts: PgTimestamp(0),
    }
}

fn commit(commit_lsn: u64) -> Message<'static> {
    Message::Commit(commit_at(commit_lsn))
}

fn start(xid: u32, first_segment: bool) -> Message<'static> {
    Message::StreamStart(StreamStart {
        xid: Xid(xid),
        first_segment,
    })
}

fn stream_commit(xid: u32, commit_lsn: u64) -> Message<'static> {
    Message::StreamCommit(StreamCommit {
        xid: Xid(xid),
        commit: commit_at(commit_lsn),
    })
}

fn abort(xid: u32, subxid: u32) -> Message<'static> {
    Message::StreamAbort(StreamAbort {
        xid: Xid(xid),
        subxid: Xid(subxid),
        record: None,
    })
}

/// The definition of the table with as many columns as `names`; zero stands for no xid.
fn relation(xid: u32, names: &[&'static str]) -> Message<'static> {
    let column = |name: &&'static str| ColumnMessage {
        key: false,
        name,
        type_oid: Oid(25),
        type_modifier: -1,
    };
    Message::Relation(RelationMessage {
        xid: writer(xid),
        oid: TABLE,
        schema: "public",
        name: "t",
        identity: ReplicaIdentity::Default,
        columns: names.iter().map(column).collect(),
    })
}

fn insert(xid: u32, columns: usize) -> Message<'static> {
    Message::Insert(Insert {
        xid: writer(xid),
        relation: TABLE,
        new: TupleData {
            values: vec![Value::Null; columns],
        },
    })
}

fn message(xid: u32, content: &'static str) -> Message<'static> {
    Message::Message(LogicalMessage {
        xid: writer(xid),
        transactional: true,
        lsn: Lsn(1),
        prefix: "p",
        content: content.as_bytes(),
    })
}

fn origin(name: &'static str) -> Message<'static> {
    Message::Origin(Origin {
        origin_lsn: Lsn(77),
        name,
    })
}

fn writer(xid: u32) -> Option<Xid> {
    (xid != 0).then_some(Xid(xid))
}

/// The steps of messages that all make sense.
fn steps(assembler: &mut Assembler, messages: impl IntoIterator<Item = Message<'static>>) -> Vec<Step<'static>> {
    messages
        .into_iter()
        .map(|message| assembler.push(message).unwrap())
        .collect()
}

/// The error of the last of `messages`, of which all others make sense.
fn error(messages: impl IntoIterator<Item = Message<'static>>) -> Error {
    let mut assembler = Assembler::new();
    let mut messages: Vec<_> = messages.into_iter().collect();
    let last = messages.pop().unwrap();
    steps(&mut assembler, messages);
    assembler.push(last).unwrap_err()
}

/// The commit that the last of `messages` makes.
fn committed(messages: impl IntoIterator<Item = Message<'static>>) -> Committed {
    match steps(&mut Assembler::new(), messages).pop() {
        Some(Step::Commit(committed)) => committed,
        other => panic!("no commit but {other:?}"),
    }
}

/// The definition that the insert in `step` was given.
fn table(step: &Step<'_>) -> Arc<Relation> {
    let (Step::Change(Change::Insert { relation, .. })
    | Step::ChunkChange {
        change: Change::Insert { relation, .. },
        ..
    }) = step
    else {
        panic!("no insert but {step:?}")
    };
    Arc::clone(relation)
}

/// The names of the columns in that definition.
fn columns(step: &Step<'_>) -> Vec<String> {
    table(step).columns.iter().map(|column| column.name.clone()).collect()
}
