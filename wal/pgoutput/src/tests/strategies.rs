//! Any message. Names and contents are leaked: a test's messages borrow from nothing that must outlive them.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use synapse_wal_types::{Lsn, Oid, PgTimestamp, Xid};

use crate::{
    AbortRecord, Begin, ColumnMessage, Commit, CommitPrepared, Delete, InStream, Insert, LogicalMessage, Message,
    OldTuple, Origin, Prepared, RelationMessage, ReplicaIdentity, RollbackPrepared, StreamAbort, StreamCommit,
    StreamStart, Truncate, TruncateOptions, TupleData, TypeMessage, Update, Value,
};

pub(crate) fn in_stream() -> impl Strategy<Value = InStream> {
    prop_oneof![Just(InStream::No), Just(InStream::Yes)]
}

/// Any message that may stand there.
pub(crate) fn message(in_stream: InStream) -> impl Strategy<Value = Message<'static>> {
    prop_oneof![framing(), prepared(), definition(in_stream), change(in_stream)]
}

fn xid() -> impl Strategy<Value = Xid> {
    any::<u32>().prop_map(Xid)
}

fn oid() -> impl Strategy<Value = Oid> {
    any::<u32>().prop_map(Oid)
}

fn lsn() -> impl Strategy<Value = Lsn> {
    any::<u64>().prop_map(Lsn)
}

fn ts() -> impl Strategy<Value = PgTimestamp> {
    any::<i64>().prop_map(PgTimestamp)
}

fn name() -> impl Strategy<Value = &'static str> {
    "[^\0]{0,9}".prop_map(|text| &*text.leak())
}

fn bytes() -> impl Strategy<Value = &'static [u8]> {
    vec(any::<u8>(), 0..40).prop_map(|bytes| &*bytes.leak())
}

fn writer(in_stream: InStream) -> BoxedStrategy<Option<Xid>> {
    match in_stream {
        InStream::No => Just(None).boxed(),
        InStream::Yes => xid().prop_map(Some).boxed(),
    }
}

fn commit() -> impl Strategy<Value = Commit> {
    (lsn(), lsn(), ts()).prop_map(|(commit_lsn, end_lsn, commit_ts)| Commit {
        commit_lsn,
        end_lsn,
        commit_ts,
    })
}

fn framing() -> impl Strategy<Value = Message<'static>> {
    let begin = (lsn(), ts(), xid()).prop_map(|(final_lsn, commit_ts, xid)| Begin {
        final_lsn,
        commit_ts,
        xid,
    });
    let origin = (lsn(), name()).prop_map(|(origin_lsn, name)| Origin { origin_lsn, name });
    let start = (xid(), any::<bool>()).prop_map(|(xid, first_segment)| StreamStart { xid, first_segment });
    let record = option::of((lsn(), ts()).prop_map(|(lsn, ts)| AbortRecord { lsn, ts }));
    let abort = (xid(), xid(), record).prop_map(|(xid, subxid, record)| StreamAbort { xid, subxid, record });
    prop_oneof![
        begin.prop_map(Message::Begin),
        commit().prop_map(Message::Commit),
        origin.prop_map(Message::Origin),
        start.prop_map(Message::StreamStart),
        Just(Message::StreamStop),
        (xid(), commit()).prop_map(|(xid, commit)| Message::StreamCommit(StreamCommit { xid, commit })),
        abort.prop_map(Message::StreamAbort),
    ]
}

fn prepared() -> impl Strategy<Value = Message<'static>> {
    let whole = || {
        (lsn(), lsn(), ts(), xid(), name()).prop_map(|(prepare_lsn, end_lsn, prepare_ts, xid, gid)| Prepared {
            prepare_lsn,
            end_lsn,
            prepare_ts,
            xid,
            gid,
        })
    };
    let commit = whole().prop_map(|p| CommitPrepared {
        commit_lsn: p.prepare_lsn,
        end_lsn: p.end_lsn,
        commit_ts: p.prepare_ts,
        xid: p.xid,
        gid: p.gid,
    });
    let rollback = (whole(), ts()).prop_map(|(p, rollback_ts)| RollbackPrepared {
        prepare_end_lsn: p.prepare_lsn,
        rollback_end_lsn: p.end_lsn,
        prepare_ts: p.prepare_ts,
        rollback_ts,
        xid: p.xid,
        gid: p.gid,
    });
    prop_oneof![
        whole().prop_map(Message::BeginPrepare),
        whole().prop_map(Message::Prepare),
        whole().prop_map(Message::StreamPrepare),
        commit.prop_map(Message::CommitPrepared),
        rollback.prop_map(Message::RollbackPrepared),
    ]
}

fn definition(in_stream: InStream) -> impl Strategy<Value = Message<'static>> {
    let identity = prop_oneof![
        Just(ReplicaIdentity::Default),
        Just(ReplicaIdentity::Nothing),
        Just(ReplicaIdentity::Full),
        Just(ReplicaIdentity::Index),
    ];
    let column =
        (any::<bool>(), name(), oid(), any::<i32>()).prop_map(|(key, name, type_oid, type_modifier)| ColumnMessage {
            key,
            name,
            type_oid,
            type_modifier,
        });
    let relation = (writer(in_stream), oid(), name(), name(), identity, vec(column, 0..6)).prop_map(
        |(xid, oid, schema, name, identity, columns)| RelationMessage {
            xid,
            oid,
            schema,
            name,
            identity,
            columns,
        },
    );
    let named = (writer(in_stream), oid(), name(), name()).prop_map(|(xid, oid, schema, name)| TypeMessage {
        xid,
        oid,
        schema,
        name,
    });
    prop_oneof![relation.prop_map(Message::Relation), named.prop_map(Message::Type)]
}

fn tuple() -> impl Strategy<Value = TupleData<'static>> {
    let value = prop_oneof![
        Just(Value::Null),
        Just(Value::UnchangedToast),
        bytes().prop_map(Value::Text),
        bytes().prop_map(Value::Binary),
    ];
    vec(value, 0..6).prop_map(|values| TupleData { values })
}

fn old() -> impl Strategy<Value = OldTuple<'static>> {
    prop_oneof![tuple().prop_map(OldTuple::Key), tuple().prop_map(OldTuple::Full)]
}

fn change(in_stream: InStream) -> impl Strategy<Value = Message<'static>> {
    let writer = move || writer(in_stream);
    let insert = (writer(), oid(), tuple()).prop_map(|(xid, relation, new)| Insert { xid, relation, new });
    let update = (writer(), oid(), option::of(old()), tuple()).prop_map(|(xid, relation, old, new)| Update {
        xid,
        relation,
        old,
        new,
    });
    let delete = (writer(), oid(), old()).prop_map(|(xid, relation, old)| Delete { xid, relation, old });
    let truncate = (writer(), any::<bool>(), any::<bool>(), vec(oid(), 0..4)).prop_map(
        |(xid, cascade, restart_identity, relations)| {
            let options = TruncateOptions {
                cascade,
                restart_identity,
            };
            Truncate {
                xid,
                options,
                relations,
            }
        },
    );
    let message =
        (writer(), any::<bool>(), lsn(), name(), bytes()).prop_map(|(xid, transactional, lsn, prefix, content)| {
            LogicalMessage {
                xid,
                transactional,
                lsn,
                prefix,
                content,
            }
        });
    prop_oneof![
        insert.prop_map(Message::Insert),
        update.prop_map(Message::Update),
        delete.prop_map(Message::Delete),
        truncate.prop_map(Message::Truncate),
        message.prop_map(Message::Message),
    ]
}
