use std::sync::Arc;

use synapse_wal_types::Oid;

use super::{TABLE, abort, begin, columns, commit, error, insert, relation, start, steps, stream_commit, table};
use crate::{Assembler, Error, Kind, Message, RelationMessage, ReplicaIdentity};

#[test]
fn a_definition_stays_in_force_until_the_next() {
    let mut assembler = Assembler::new();
    steps(&mut assembler, [begin(7, 100), relation(0, &["a"]), commit(100)]);
    let taken = steps(
        &mut assembler,
        [
            begin(8, 200),
            insert(0, 1),
            relation(0, &["a", "b"]),
            insert(0, 2),
            commit(200),
        ],
    );
    assert_eq!(columns(&taken[1]), ["a"]);
    assert_eq!(columns(&taken[3]), ["a", "b"]);
}

#[test]
fn a_definition_that_says_nothing_new_stays_the_same_object() {
    let mut assembler = Assembler::new();
    let transaction = |xid, lsn| [begin(xid, lsn), relation(0, &["a"]), insert(0, 1), commit(lsn)];
    let (first, second) = (
        steps(&mut assembler, transaction(7, 100)),
        steps(&mut assembler, transaction(8, 200)),
    );
    assert!(Arc::ptr_eq(&table(&first[2]), &table(&second[2])));
}

#[test]
fn a_streamed_definition_is_its_transactions_own_until_the_commit() {
    let mut assembler = Assembler::new();
    steps(&mut assembler, [begin(7, 100), relation(0, &["a"]), commit(100)]);
    steps(
        &mut assembler,
        [start(10, true), relation(10, &["a", "b"]), Message::StreamStop],
    );
    let outside = steps(&mut assembler, [begin(8, 200), insert(0, 1), commit(200)]);
    assert_eq!(columns(&outside[1]), ["a"]);
    let inside = steps(
        &mut assembler,
        [
            start(10, false),
            insert(10, 2),
            Message::StreamStop,
            stream_commit(10, 300),
        ],
    );
    assert_eq!(columns(&inside[1]), ["a", "b"]);
    let after = steps(&mut assembler, [begin(9, 400), insert(0, 2), commit(400)]);
    assert_eq!(columns(&after[1]), ["a", "b"]);
}

#[test]
fn a_streamed_definition_goes_with_its_transaction() {
    let mut assembler = Assembler::new();
    steps(&mut assembler, [begin(7, 100), relation(0, &["a"]), commit(100)]);
    steps(
        &mut assembler,
        [
            start(10, true),
            relation(10, &["a", "b"]),
            Message::StreamStop,
            abort(10, 10),
        ],
    );
    let after = steps(&mut assembler, [begin(8, 200), insert(0, 1)]);
    assert_eq!(columns(&after[1]), ["a"]);
}

#[test]
fn a_rolled_back_savepoint_takes_the_definitions_of_its_transaction_along() {
    let unknown = Error::UnknownRelation {
        kind: Kind::Insert,
        oid: TABLE,
    };
    let open = [
        start(10, true),
        relation(10, &["a"]),
        insert(11, 1),
        Message::StreamStop,
        abort(10, 11),
    ];
    let more = [start(10, false), insert(10, 1)];
    assert_eq!(error(open.clone().into_iter().chain(more)), unknown);
    // The server does not count them as sent either, so that they do not come into force with the commit.
    let ended = [stream_commit(10, 100), begin(7, 200), insert(0, 1)];
    assert_eq!(error(open.into_iter().chain(ended)), unknown);
}

#[test]
fn a_streamed_transaction_does_not_see_definitions_of_others() {
    let unknown = Error::UnknownRelation {
        kind: Kind::Insert,
        oid: TABLE,
    };
    assert_eq!(
        error([
            begin(7, 100),
            relation(0, &["a"]),
            commit(100),
            start(10, true),
            insert(10, 1)
        ]),
        unknown
    );
}

#[test]
fn a_committed_stream_does_not_undo_a_later_definition() {
    let mut assembler = Assembler::new();
    steps(
        &mut assembler,
        [start(10, true), relation(10, &["a"]), Message::StreamStop],
    );
    steps(
        &mut assembler,
        [begin(7, 100), relation(0, &["b"]), commit(100), stream_commit(10, 200)],
    );
    let after = steps(&mut assembler, [begin(8, 300), insert(0, 1)]);
    assert_eq!(columns(&after[1]), ["b"]);
}

#[test]
fn an_empty_schema_is_the_catalogue() {
    let (oid, schema, name, identity) = (Oid(1), "", "t", ReplicaIdentity::Nothing);
    let message = RelationMessage {
        xid: None,
        oid,
        schema,
        name,
        identity,
        columns: vec![],
    };
    let truncate = crate::Truncate {
        xid: None,
        options: crate::TruncateOptions::default(),
        relations: vec![oid],
    };
    let mut assembler = Assembler::new();
    let taken = steps(
        &mut assembler,
        [begin(7, 100), Message::Relation(message), Message::Truncate(truncate)],
    );
    let crate::Step::Change(crate::Change::Truncate { relations, .. }) = &taken[2] else {
        panic!("{taken:?}")
    };
    assert_eq!(relations[0].schema, "pg_catalog");
}
