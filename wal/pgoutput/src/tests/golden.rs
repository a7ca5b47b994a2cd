//! One message of every kind, byte by byte as `proto.c` writes it.

use synapse_wal_types::{Lsn, Oid, PgTimestamp, Xid};

use crate::{
    AbortRecord, Begin, ColumnMessage, Commit, CommitPrepared, Delete, InStream, Insert, Kind, LogicalMessage, Message,
    OldTuple, Origin, Prepared, RelationMessage, ReplicaIdentity, RollbackPrepared, StreamAbort, StreamCommit,
    StreamStart, Truncate, TruncateOptions, TupleData, TypeMessage, Update, Value, decode, encode,
};

const XID: Xid = Xid(0x0102_0304);
const TABLE: Oid = Oid(16384);

fn tuple<'a>(values: &[Value<'a>]) -> TupleData<'a> {
    TupleData {
        values: values.to_vec(),
    }
}

fn prepared(gid: &str) -> Prepared<'_> {
    Prepared {
        prepare_lsn: Lsn(1),
        end_lsn: Lsn(2),
        prepare_ts: PgTimestamp(3),
        xid: Xid(4),
        gid,
    }
}

fn check(bytes: &[u8], in_stream: InStream, message: &Message<'_>) {
    assert_eq!(decode(bytes, in_stream).as_ref(), Ok(message));
    let mut out = b"before".to_vec();
    encode(message, &mut out).unwrap();
    assert_eq!(out.strip_prefix(b"before"), Some(bytes));
}

/// A message with its xid inside a stream, and the same without outside.
fn check_both(head: &[u8], tail: &[u8], make: impl Fn(Option<Xid>) -> Message<'static>) {
    check(&[head, tail].concat(), InStream::No, &make(None));
    check(&[head, &[1, 2, 3, 4], tail].concat(), InStream::Yes, &make(Some(XID)));
}

#[test]
fn transactions_are_framed_by_positions_and_times() {
    let begin = Begin {
        final_lsn: Lsn(0x1_0000_0002),
        commit_ts: PgTimestamp(-2),
        xid: Xid(7),
    };
    let bytes = b"B\0\0\0\x01\0\0\0\x02\xff\xff\xff\xff\xff\xff\xff\xfe\0\0\0\x07";
    check(bytes, InStream::No, &Message::Begin(begin));
    let commit = Commit {
        commit_lsn: Lsn(1),
        end_lsn: Lsn(2),
        commit_ts: PgTimestamp(3),
    };
    let body = b"\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03";
    check(&[b"C", &body[..]].concat(), InStream::No, &Message::Commit(commit));
    let streamed = StreamCommit { xid: XID, commit };
    check(
        &[b"c\x01\x02\x03\x04", &body[..]].concat(),
        InStream::No,
        &Message::StreamCommit(streamed),
    );
    let origin = Origin {
        origin_lsn: Lsn(9),
        name: "här",
    };
    check(
        b"O\0\0\0\0\0\0\0\x09h\xc3\xa4r\0",
        InStream::Yes,
        &Message::Origin(origin),
    );
}

#[test]
fn definitions_name_schema_identity_and_columns() {
    let key = ColumnMessage {
        key: true,
        name: "id",
        type_oid: Oid(23),
        type_modifier: -1,
    };
    let value = ColumnMessage {
        key: false,
        name: "v",
        type_oid: Oid(1043),
        type_modifier: 14,
    };
    let tail = b"\0\0\x40\0public\0t\0d\0\x02\x01id\0\0\0\0\x17\xff\xff\xff\xff\0v\0\0\0\x04\x13\0\0\0\x0e";
    check_both(b"R", tail, |xid| {
        let (schema, name, identity) = ("public", "t", ReplicaIdentity::Default);
        Message::Relation(RelationMessage {
            xid,
            oid: TABLE,
            schema,
            name,
            identity,
            columns: vec![key, value],
        })
    });
    check_both(b"Y", b"\0\0\x40\x01\0mood\0", |xid| {
        Message::Type(TypeMessage {
            xid,
            oid: Oid(16385),
            schema: "",
            name: "mood",
        })
    });
}

#[test]
fn rows_carry_four_forms_of_values() {
    let new = tuple(&[
        Value::Null,
        Value::UnchangedToast,
        Value::Text(b"ab"),
        Value::Binary(b"\xff"),
    ]);
    let bytes = b"\0\x04nut\0\0\0\x02abb\0\0\0\x01\xff";
    check_both(b"I", &[b"\0\0\x40\0N", &bytes[..]].concat(), |xid| {
        Message::Insert(Insert {
            xid,
            relation: TABLE,
            new: new.clone(),
        })
    });
    check_both(b"U", &[b"\0\0\x40\0N", &bytes[..]].concat(), |xid| {
        Message::Update(Update {
            xid,
            relation: TABLE,
            old: None,
            new: new.clone(),
        })
    });
}

#[test]
fn the_row_before_is_a_key_or_whole() {
    let (old, new) = (tuple(&[Value::Text(b"1")]), tuple(&[Value::Text(b"2")]));
    let (before, after) = (b"\0\x01t\0\0\0\x011", b"N\0\x01t\0\0\0\x012");
    type Make = fn(TupleData<'static>) -> OldTuple<'static>;
    let forms: [(&[u8], Make); 2] = [(b"\0\0\x40\0K", OldTuple::Key), (b"\0\0\x40\0O", OldTuple::Full)];
    for (announced, make) in forms {
        check_both(b"U", &[announced, before, after].concat(), |xid| {
            Message::Update(Update {
                xid,
                relation: TABLE,
                old: Some(make(old.clone())),
                new: new.clone(),
            })
        });
        check_both(b"D", &[announced, before].concat(), |xid| {
            Message::Delete(Delete {
                xid,
                relation: TABLE,
                old: make(old.clone()),
            })
        });
    }
}

#[test]
fn truncate_lists_tables_behind_its_options() {
    for (byte, cascade, restart_identity) in [(0, false, false), (1, true, false), (2, false, true), (3, true, true)] {
        check_both(
            b"T",
            &[&[0, 0, 0, 2, byte][..], b"\0\0\x40\0\0\0\x40\x01"].concat(),
            |xid| {
                let options = TruncateOptions {
                    cascade,
                    restart_identity,
                };
                Message::Truncate(Truncate {
                    xid,
                    options,
                    relations: vec![TABLE, Oid(16385)],
                })
            },
        );
    }
}

#[test]
fn a_logical_message_holds_any_bytes() {
    for (byte, transactional) in [(0, false), (1, true)] {
        check_both(
            b"M",
            &[&[byte][..], b"\0\0\0\0\0\0\0\x05mine\0\0\0\0\x03\0\xff\n"].concat(),
            |xid| {
                Message::Message(LogicalMessage {
                    xid,
                    transactional,
                    lsn: Lsn(5),
                    prefix: "mine",
                    content: b"\0\xff\n",
                })
            },
        );
    }
}

#[test]
fn chunks_are_framed_by_start_and_stop() {
    for (byte, first_segment) in [(0, false), (1, true)] {
        let start = StreamStart {
            xid: XID,
            first_segment,
        };
        check(&[b'S', 1, 2, 3, 4, byte], InStream::No, &Message::StreamStart(start));
    }
    check(b"E", InStream::Yes, &Message::StreamStop);
}

#[test]
fn an_abort_tells_its_record_from_protocol_4_on() {
    let abort = StreamAbort {
        xid: XID,
        subxid: Xid(9),
        record: None,
    };
    check(
        b"A\x01\x02\x03\x04\0\0\0\x09",
        InStream::No,
        &Message::StreamAbort(abort),
    );
    let abort = StreamAbort {
        record: Some(AbortRecord {
            lsn: Lsn(6),
            ts: PgTimestamp(7),
        }),
        ..abort
    };
    let bytes = b"A\x01\x02\x03\x04\0\0\0\x09\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\x07";
    check(bytes, InStream::No, &Message::StreamAbort(abort));
}

#[test]
fn prepared_transactions_carry_their_name() {
    let body = b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\x04g\0";
    check(
        &[b"b", &body[..]].concat(),
        InStream::No,
        &Message::BeginPrepare(prepared("g")),
    );
    check(
        &[b"P\0", &body[..]].concat(),
        InStream::No,
        &Message::Prepare(prepared("g")),
    );
    check(
        &[b"p\0", &body[..]].concat(),
        InStream::No,
        &Message::StreamPrepare(prepared("g")),
    );
    let (commit_lsn, end_lsn, commit_ts) = (Lsn(1), Lsn(2), PgTimestamp(3));
    let commit = CommitPrepared {
        commit_lsn,
        end_lsn,
        commit_ts,
        xid: Xid(4),
        gid: "g",
    };
    check(
        &[b"K\0", &body[..]].concat(),
        InStream::No,
        &Message::CommitPrepared(commit),
    );
    let bytes = b"r\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x05\0\0\0\x04g\0";
    let rollback = RollbackPrepared {
        prepare_end_lsn: Lsn(1),
        rollback_end_lsn: Lsn(2),
        prepare_ts: PgTimestamp(3),
        rollback_ts: PgTimestamp(5),
        xid: Xid(4),
        gid: "g",
    };
    check(bytes, InStream::No, &Message::RollbackPrepared(rollback));
}

#[test]
fn every_kind_has_a_tag_of_its_own() {
    let mut tags: Vec<u8> = Kind::all().map(Kind::tag).collect();
    assert!(Kind::all().all(|kind| Kind::of_tag(kind.tag()) == Some(kind)));
    tags.sort_unstable();
    assert_eq!(String::from_utf8(tags).unwrap(), "ABCDEIKMOPRSTUYbcpr");
}
