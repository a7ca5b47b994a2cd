use synapse_wal_types::{Lsn, Xid};

use super::{TABLE, abort, begin, commit, error, insert, message, origin, relation, start, stream_commit};
use crate::{Assembler, Class, Error, Kind, Message, Prepared, StreamCommit};

const STOP: Message<'static> = Message::StreamStop;

#[test]
fn messages_out_of_order_are_refused() {
    let (between, inside) = ("between transactions", "inside a transaction");
    let chunk = "inside a chunk of a streamed transaction";
    let cases = [
        (vec![commit(100)], Kind::Commit, between),
        (vec![origin("o")], Kind::Origin, between),
        (vec![relation(0, &["a"])], Kind::Relation, between),
        (vec![insert(0, 1)], Kind::Insert, between),
        (vec![message(0, "x")], Kind::Message, between),
        (vec![STOP], Kind::StreamStop, between),
        (vec![begin(7, 100), begin(8, 200)], Kind::Begin, inside),
        (vec![begin(7, 100), start(10, true)], Kind::StreamStart, inside),
        (vec![begin(7, 100), STOP], Kind::StreamStop, inside),
        (vec![begin(7, 100), abort(10, 10)], Kind::StreamAbort, inside),
        (vec![start(10, true), begin(7, 100)], Kind::Begin, chunk),
        (vec![start(10, true), commit(100)], Kind::Commit, chunk),
        (vec![start(10, true), start(20, true)], Kind::StreamStart, chunk),
        (vec![start(10, true), stream_commit(10, 100)], Kind::StreamCommit, chunk),
        (vec![start(10, true), abort(10, 10)], Kind::StreamAbort, chunk),
    ];
    for (messages, kind, place) in cases {
        let error = error(messages);
        assert_eq!(error, Error::OutOfOrder { kind, place });
        assert_eq!(error.class(), Class::Bug);
    }
}

#[test]
fn an_unknown_transaction_is_refused() {
    let unknown = |kind| Error::UnknownTransaction { kind, xid: Xid(10) };
    assert_eq!(error([stream_commit(10, 100)]), unknown(Kind::StreamCommit));
    assert_eq!(error([abort(10, 11)]), unknown(Kind::StreamAbort));
    assert_eq!(error([start(10, false)]), unknown(Kind::StreamStart));
    assert_eq!(
        error([start(10, true), STOP, abort(10, 10), start(10, false)]),
        unknown(Kind::StreamStart)
    );
    assert_eq!(
        error([start(10, true), STOP, stream_commit(10, 100), stream_commit(10, 200)]),
        unknown(Kind::StreamCommit)
    );
    assert_eq!(
        error([start(10, true), STOP, start(10, true)]),
        Error::StreamedTwice { xid: Xid(10) }
    );
}

#[test]
fn a_message_has_an_xid_in_a_chunk_and_nowhere_else() {
    let refused = |error| {
        matches!(
            error,
            Error::WrongXid {
                kind: Kind::Relation,
                ..
            }
        )
    };
    assert!(refused(error([relation(10, &["a"])])));
    assert!(refused(error([begin(7, 100), relation(10, &["a"])])));
    assert!(refused(error([start(10, true), relation(0, &["a"])])));
}

#[test]
fn a_change_needs_a_definition_that_fits() {
    let unknown = Error::UnknownRelation {
        kind: Kind::Insert,
        oid: TABLE,
    };
    assert_eq!(error([begin(7, 100), insert(0, 1)]), unknown);
    let short = Error::ColumnCount {
        kind: Kind::Insert,
        oid: TABLE,
        expected: 2,
        found: 1,
    };
    assert_eq!(error([begin(7, 100), relation(0, &["a", "b"]), insert(0, 1)]), short);
}

#[test]
fn commits_agree_with_their_begin_and_come_in_order() {
    let mismatch = Error::CommitMismatch {
        xid: Xid(7),
        begun: Lsn(100),
        committed: Lsn(101),
    };
    assert_eq!(error([begin(7, 100), commit(101)]), mismatch);
    let order = |commit_lsn, end_lsn, last| Error::CommitOrder {
        xid: Xid(10),
        commit_lsn,
        end_lsn,
        last,
    };
    let open = [start(10, true), STOP, begin(7, 200), commit(200)];
    let late = [&open[..], &[stream_commit(10, 200)]].concat();
    assert_eq!(error(late), order(Lsn(200), Lsn(208), Lsn(200)));
    let mut empty = super::commit_at(300);
    empty.end_lsn = empty.commit_lsn;
    let empty = Message::StreamCommit(StreamCommit {
        xid: Xid(10),
        commit: empty,
    });
    assert_eq!(
        error([&open[..], &[empty]].concat()),
        order(Lsn(300), Lsn(300), Lsn(200))
    );
}

#[test]
fn two_phase_messages_are_refused_everywhere() {
    let (lsn, ts) = (Lsn(1), synapse_wal_types::PgTimestamp(0));
    let prepared = Prepared {
        prepare_lsn: lsn,
        end_lsn: lsn,
        prepare_ts: ts,
        xid: Xid(7),
        gid: "g",
    };
    let place = "on a stream without two-phase";
    for (message, kind) in [
        (Message::BeginPrepare(prepared), Kind::BeginPrepare),
        (Message::Prepare(prepared), Kind::Prepare),
        (Message::StreamPrepare(prepared), Kind::StreamPrepare),
    ] {
        assert_eq!(Assembler::new().push(message), Err(Error::OutOfOrder { kind, place }));
    }
}
