use synapse_wal_types::{Lsn, PgTimestamp, Xid};

use super::{abort, begin, commit, insert, message, origin, relation, start, steps, stream_commit};
use crate::{
    AbortRecord, Assembler, Begin, Change, Committed, First, InStream, LogicalMessage, Message, NamedOrigin, Step,
    StreamAbort, Truncate, TruncateOptions,
};

#[test]
fn a_whole_transaction_begins_changes_and_commits() {
    let mut assembler = Assembler::new();
    let taken = steps(
        &mut assembler,
        [begin(7, 100), relation(0, &["a"]), insert(0, 1), commit(100)],
    );
    let [
        Step::Begin(begun),
        Step::Noted,
        Step::Change(Change::Insert { relation, new }),
        Step::Commit(done),
    ] = &taken[..]
    else {
        panic!("{taken:?}")
    };
    assert_eq!(
        *begun,
        Begin {
            final_lsn: Lsn(100),
            commit_ts: PgTimestamp(0),
            xid: Xid(7)
        }
    );
    assert_eq!(
        (relation.schema.as_str(), relation.name.as_str(), new.values.len()),
        ("public", "t", 1)
    );
    let (xid, commit_lsn, end_lsn, commit_ts) = (Xid(7), Lsn(100), Lsn(108), PgTimestamp(0));
    let (streamed, first, origin) = (false, First::Change, None);
    assert_eq!(
        *done,
        Committed {
            xid,
            commit_lsn,
            end_lsn,
            commit_ts,
            streamed,
            first,
            origin
        }
    );
}

#[test]
fn chunks_of_two_transactions_interleave_with_whole_ones() {
    let mut assembler = Assembler::new();
    let chunk = |xid, first| {
        [
            start(xid, first),
            relation(xid, &["a"]),
            insert(xid + 1, 1),
            Message::StreamStop,
        ]
    };
    let taken = steps(&mut assembler, chunk(10, true));
    assert_eq!(
        taken[0],
        Step::ChunkStart {
            xid: Xid(10),
            first: true
        }
    );
    assert!(
        matches!(
            taken[2],
            Step::ChunkChange {
                xid: Xid(10),
                subxid: Xid(11),
                ..
            }
        ),
        "{taken:?}"
    );
    assert_eq!(taken[3], Step::ChunkStop { xid: Xid(10) });
    steps(&mut assembler, chunk(20, true));
    steps(&mut assembler, [begin(30, 100), commit(100)]);
    assert_eq!(
        steps(&mut assembler, chunk(10, false))[0],
        Step::ChunkStart {
            xid: Xid(10),
            first: false
        }
    );
    assert_eq!(assembler.open_streams(), 2);
    for (xid, lsn) in [(20, 200), (10, 300)] {
        let done = steps(&mut assembler, [stream_commit(xid, lsn)]);
        let [
            Step::Commit(Committed {
                xid: top,
                commit_lsn,
                streamed: true,
                ..
            }),
        ] = done[..]
        else {
            panic!("{done:?}")
        };
        assert_eq!((top, commit_lsn), (Xid(xid), Lsn(lsn)));
    }
    assert_eq!(assembler.open_streams(), 0);
}

#[test]
fn messages_in_a_chunk_are_decoded_with_their_xid() {
    let mut assembler = Assembler::new();
    assert_eq!(assembler.in_stream(), InStream::No);
    assembler.feed(b"S\0\0\0\x0a\x01").unwrap();
    assert_eq!(assembler.in_stream(), InStream::Yes);
    let step = assembler
        .feed(b"M\0\0\0\x0b\x01\0\0\0\0\0\0\0\x05p\0\0\0\0\x01c")
        .unwrap();
    let change = Change::Message {
        lsn: Lsn(5),
        prefix: "p",
        content: b"c",
    };
    assert_eq!(
        step,
        Step::ChunkChange {
            xid: Xid(10),
            subxid: Xid(11),
            change
        }
    );
    assembler.feed(b"E").unwrap();
    assert_eq!(assembler.in_stream(), InStream::No);
}

#[test]
fn a_rolled_back_savepoint_leaves_its_transaction_open() {
    let mut assembler = Assembler::new();
    steps(&mut assembler, [start(10, true), message(11, "x"), Message::StreamStop]);
    let record = Some(AbortRecord {
        lsn: Lsn(50),
        ts: PgTimestamp(5),
    });
    let (xid, subxid) = (Xid(10), Xid(11));
    let taken = steps(
        &mut assembler,
        [Message::StreamAbort(StreamAbort { xid, subxid, record })],
    );
    assert_eq!(taken, [Step::StreamAbort { xid, subxid, record }]);
    assert_eq!(assembler.open_streams(), 1);
    steps(&mut assembler, [abort(10, 10)]);
    assert_eq!(assembler.open_streams(), 0);
}

#[test]
fn an_xid_may_be_streamed_again_after_its_end() {
    let mut assembler = Assembler::new();
    for end in [abort(10, 10), stream_commit(10, 100), stream_commit(10, 200)] {
        steps(&mut assembler, [start(10, true), Message::StreamStop, end]);
    }
}

#[test]
fn a_message_outside_of_transactions_stands_alone() {
    let logical = LogicalMessage {
        xid: None,
        transactional: false,
        lsn: Lsn(9),
        prefix: "p",
        content: b"c",
    };
    let mut assembler = Assembler::new();
    assert_eq!(
        steps(&mut assembler, [Message::Message(logical)]),
        [Step::Message(logical)]
    );
}

#[test]
fn a_truncate_names_the_definitions_of_its_tables() {
    let options = TruncateOptions {
        cascade: true,
        restart_identity: false,
    };
    let truncate = Message::Truncate(Truncate {
        xid: None,
        options,
        relations: vec![super::TABLE],
    });
    let mut assembler = Assembler::new();
    let taken = steps(&mut assembler, [begin(7, 100), relation(0, &["a"]), truncate]);
    let Step::Change(Change::Truncate {
        relations,
        options: given,
    }) = &taken[2]
    else {
        panic!("{taken:?}")
    };
    assert_eq!((relations.len(), relations[0].oid, *given), (1, super::TABLE, options));
}

#[test]
fn the_origin_of_a_transaction_is_told_at_its_commit() {
    let named = Some(NamedOrigin {
        name: "elsewhere".into(),
        origin_lsn: Lsn(77),
    });
    assert_eq!(
        super::committed([begin(7, 100), origin("elsewhere"), commit(100)]).origin,
        named
    );
    let streamed = [
        start(10, true),
        origin("elsewhere"),
        Message::StreamStop,
        stream_commit(10, 100),
    ];
    assert_eq!(super::committed(streamed).origin, named);
    assert_eq!(super::committed([begin(7, 100), commit(100)]).origin, None);
}
