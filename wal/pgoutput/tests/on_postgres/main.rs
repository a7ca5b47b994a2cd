//! What a real server sends, against what the same server says it means.
//!
//! One workload, several slots: pgoutput is decoded and assembled here and compared, change by change, with the text of
//! `test_decoding`. The newest server under `/usr/lib/postgresql` is used, or the one whose `bin` folder
//! `SYNAPSE_POSTGRES_BIN` named when the tests were compiled.

#[cfg(test)]
mod reading;
#[cfg(test)]
mod server;
#[cfg(test)]
mod text;
#[cfg(test)]
mod workload;

use std::collections::BTreeSet;

use reading::{Reading, read};
use server::Server;
use synapse_wal_pgoutput::{Assembler, First, InStream, Kind, Message, Value, decode, encode};

/// A server with the workload done and slots that saw all of it.
fn after_the_workload() -> Server {
    let server = Server::start();
    server.psql(workload::TABLES);
    for (slot, plugin) in [("pgoutput", "pgoutput"), ("text", "test_decoding")] {
        server.psql(&format!(
            "SELECT pg_create_logical_replication_slot('{slot}', '{plugin}')"
        ));
    }
    workload::run(&server);
    server
}

fn tags(kinds: &BTreeSet<u8>) -> String {
    kinds.iter().map(|tag| char::from(*tag)).collect()
}

#[test]
fn transactions_read_in_chunks_and_whole_are_those_the_server_tells() {
    let server = after_the_workload();
    let types = server.type_names();
    let told = server.told("text");
    let (streaming, whole) = (server.streaming_options(), "'proto_version', '1'");
    let (in_chunks, whole) = (server.peek("pgoutput", streaming), server.peek("pgoutput", whole));
    let in_chunks: Reading = read(&in_chunks, &types);
    let whole: Reading = read(&whole, &types);

    assert_eq!(tags(&in_chunks.kinds), "ABCDEIMORSTUYc");
    assert_eq!(tags(&whole.kinds), "BCDIMORTUY");
    assert!(in_chunks.savepoints_aborted > 0 && in_chunks.open_at_once > 1);
    // From 18 on the server does not stream what it already knows to have rolled back.
    assert_eq!(in_chunks.transactions_aborted > 0, server.major() < 18);
    text::assert_same(&in_chunks.lines, &told);
    text::assert_same(&whole.lines, &told);

    // Streamed transactions appear in both readings, with the same facts.
    let facts = |reading: &Reading| -> Vec<_> {
        reading
            .commits
            .iter()
            .map(|c| (c.xid, c.commit_lsn, c.end_lsn, c.commit_ts, c.first.clone()))
            .collect()
    };
    assert!(in_chunks.commits.iter().filter(|commit| commit.streamed).count() >= 5);
    assert!(whole.commits.iter().all(|commit| !commit.streamed));
    let with_items = |reading| {
        facts(reading)
            .into_iter()
            .filter(|(.., first)| *first != First::Nothing)
            .collect::<Vec<_>>()
    };
    assert_eq!(with_items(&in_chunks), with_items(&whole));
}

#[test]
fn the_first_item_and_the_origin_are_those_the_workload_wrote() {
    let server = after_the_workload();
    let types = server.type_names();
    for options in [server.streaming_options(), "'proto_version', '1'"] {
        let messages = server.peek("pgoutput", options);
        let reading = read(&messages, &types);
        let marked = |content: &str| {
            let first = First::Message {
                prefix: "marker".into(),
                content: content.as_bytes().into(),
            };
            let found: Vec<_> = reading.commits.iter().filter(|commit| commit.first == first).collect();
            assert_eq!(found.len(), 1, "{content}");
            found[0]
        };
        for content in ["small", "large", "after a rolled back savepoint"] {
            assert_eq!(marked(content).origin, None);
        }
        let applied = marked("small, from elsewhere").origin.as_ref().unwrap();
        assert_eq!(
            (&*applied.name, applied.origin_lsn.to_string().as_str()),
            ("elsewhere", "0/55")
        );
        // A streamed transaction whose first item is a message names no origin (`pgoutput_stream_start` asks too early).
        let large = marked("large, from elsewhere");
        assert_eq!(large.origin.is_none(), large.streamed);
        assert_eq!(large.streamed, options != "'proto_version', '1'");
        assert_eq!(
            reading.messages,
            ["outside of any", "in a rolled back transaction", "the end"]
        );
    }
}

#[test]
fn binary_values_and_prepared_transactions_encode_to_the_bytes_they_came_in() {
    let server = Server::start();
    server.psql(workload::TABLES);
    // pgoutput of 14 sends no prepared transactions.
    let two_phase = server.major() > 14;
    server.psql(&format!(
        "SELECT pg_create_logical_replication_slot('prepared', 'pgoutput', false, {two_phase})"
    ));
    workload::run(&server);
    server.psql(workload::PREPARED);
    let (options, seen) = match two_phase {
        true => (
            "'proto_version', '3', 'streaming', 'on', 'binary', 'on'",
            "ABCDEIKMOPRSTUYbcpr",
        ),
        false => (
            "'proto_version', '2', 'streaming', 'on', 'binary', 'on'",
            "ABCDEIMORSTUYc",
        ),
    };
    let (mut kinds, mut binary, mut in_stream) = (BTreeSet::new(), 0, InStream::No);
    for bytes in server.peek("prepared", options) {
        let message = decode(&bytes, in_stream).unwrap();
        if message.kind() == Kind::StreamStart {
            in_stream = InStream::Yes;
        }
        if message.kind() == Kind::StreamStop {
            in_stream = InStream::No;
        }
        let mut again = Vec::new();
        encode(&message, &mut again).unwrap();
        assert_eq!(again, bytes);
        kinds.insert(message.kind().tag());
        if let Message::Insert(insert) = &message {
            binary += insert
                .new
                .values
                .iter()
                .filter(|value| matches!(value, Value::Binary(_)))
                .count();
        }
    }
    assert_eq!(tags(&kinds), seen);
    assert!(binary > 1_000, "{binary} binary values");
}

#[test]
fn a_walsender_sends_the_bytes_that_sql_shows() {
    let server = after_the_workload();
    let shown = server.peek("pgoutput", server.streaming_options());
    let sent = server.receive("pgoutput", server.streaming_options());
    // The client ends each message with a newline.
    let shown_lines: Vec<u8> = shown
        .iter()
        .flat_map(|bytes| bytes.iter().copied().chain([b'\n']))
        .collect();
    assert_eq!(sent.len(), shown_lines.len());
    assert!(sent == shown_lines, "the bytes differ");
    let mut assembler = Assembler::new();
    assert!(shown.iter().all(|bytes| assembler.feed(bytes).is_ok()));
    assert_eq!(assembler.open_streams(), 0);
}
