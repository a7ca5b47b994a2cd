use std::time::Duration;

use synapse_wal_client::{
    Class, Connection, DecodingMemory, Ending, Error, Event, Feedback, Kind, LogicalSlot, LogicalStart, Reply, Session,
    SlotLife, SlotSnapshot, Stream,
};
use synapse_wal_types::{Lsn, PgTimestamp, SlotName};
use tokio::time::{Instant, timeout, timeout_at};

use crate::fixture::{Server, value};

/// No event of these tests takes longer, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn slot() -> SlotName {
    "s".parse().unwrap()
}

/// A table, a publication and a slot; a stream of them.
async fn streaming(server: &Server) -> (Connection, Stream) {
    let mut sql = server.sql().await;
    let setup =
        "CREATE TABLE public.t (a int PRIMARY KEY, b text); CREATE PUBLICATION \"it's \"\"p\"\"\" FOR TABLE public.t";
    sql.query(setup).await.unwrap();
    let permanent = LogicalSlot {
        life: SlotLife::Permanent,
        snapshot: SlotSnapshot::None,
    };
    sql.create_logical_slot(&slot(), permanent).await.unwrap();
    (sql, start(server).await)
}

async fn start(server: &Server) -> Stream {
    let session = Session {
        decoding_memory: Some(DecodingMemory::from_bytes(0)),
        ..Session::default()
    };
    let connection = Connection::connect(&server.local(), Kind::Logical, &session)
        .await
        .unwrap();
    let options = LogicalStart {
        publications: vec!["it's \"p\"".to_owned()],
        messages: true,
        ..LogicalStart::default()
    };
    connection.start_logical(&slot(), Lsn::ZERO, options).await.unwrap()
}

/// The next piece of data: its position and message type.
async fn data(stream: &mut Stream) -> (Lsn, u8) {
    loop {
        let event = timeout(PATIENCE, stream.next())
            .await
            .expect("an event")
            .unwrap()
            .expect("no end");
        if let Event::XLogData { end, data, .. } = event {
            return (end, data[0]);
        }
    }
}

/// The types of the messages up to the next commit, and the commit's position.
async fn transaction(stream: &mut Stream) -> (String, Lsn) {
    let mut types = String::new();
    loop {
        let (end, tag) = data(stream).await;
        types.push(char::from(tag));
        if tag == b'C' {
            return (types, end);
        }
    }
}

#[tokio::test]
async fn inserts_arrive_and_what_is_reported_moves_the_slot() {
    let server = Server::start("", "");
    let (mut sql, mut stream) = streaming(&server).await;
    sql.query("INSERT INTO public.t VALUES (1, 'x'), (2, 'y')")
        .await
        .unwrap();
    let (types, end) = transaction(&mut stream).await;
    assert_eq!(types, "BRIIC");
    sql.query("SELECT pg_logical_emit_message(true, 'p', 'c')")
        .await
        .unwrap();
    assert_eq!(transaction(&mut stream).await.0, "BMC");

    let feedback = Feedback {
        write: end,
        flush: end,
        apply: Lsn(end.0 + 1),
    };
    // The server answers after it has taken the status in; a keepalive may be on its way already, which says nothing of it.
    let taken_in = async {
        loop {
            stream.status(feedback, PgTimestamp(1), Reply::Wanted).await.unwrap();
            while !matches!(stream.next().await.unwrap(), Some(Event::Keepalive { .. })) {}
            let confirmed = value(&mut sql, "SELECT confirmed_flush_lsn FROM pg_replication_slots").await;
            if confirmed == Some(end.to_string()) {
                break;
            }
        }
    };
    timeout(PATIENCE, taken_in)
        .await
        .expect("what is reported moves the slot");
    let positions = "write_lsn || ' ' || flush_lsn || ' ' || replay_lsn";
    let seen = format!(
        "SELECT {positions} FROM pg_stat_replication WHERE pid = {}",
        stream.backend_pid()
    );
    assert_eq!(
        value(&mut sql, &seen).await,
        Some(format!("{end} {end} {}", feedback.apply))
    );
    let back = stream
        .status(Feedback::all(Lsn(1)), PgTimestamp(2), Reply::NotNeeded)
        .await
        .unwrap_err();
    assert!(
        matches!(back, Error::FeedbackWentBack { position: "write", .. }),
        "{back}"
    );

    let (mut connection, next) = timeout(PATIENCE, stream.finish()).await.unwrap().unwrap();
    assert_eq!(next, None);
    assert_eq!(value(&mut connection, "SELECT 1").await.as_deref(), Some("1"));
    // A new stream repeats what was not reported: the message alone.
    let mut stream = start(&server).await;
    assert_eq!(transaction(&mut stream).await.0, "BMC");
}

#[tokio::test]
async fn a_large_transaction_arrives_before_it_commits() {
    let server = Server::start("", "");
    let (mut sql, mut stream) = streaming(&server).await;
    sql.query("BEGIN; INSERT INTO public.t SELECT i, repeat('x', 100) FROM generate_series(1, 3000) i")
        .await
        .unwrap();
    // Somebody's commit makes the server flush, and so send, the open transaction's records.
    server
        .sql()
        .await
        .query("SELECT txid_current(); CREATE TABLE public.u ()")
        .await
        .unwrap();
    let mut types = String::new();
    while !types.ends_with("E") {
        types.push(char::from(data(&mut stream).await.1));
    }
    assert!(types.starts_with("SRI") || types.starts_with("BCSRI"), "{types:.20}");
    sql.query("COMMIT").await.unwrap();
    while data(&mut stream).await.1 != b'c' {}
}

#[tokio::test]
async fn an_idle_stream_outlives_the_servers_timeout() {
    let server = Server::start("wal_sender_timeout = 1s", "");
    let (mut sql, mut stream) = streaming(&server).await;
    let until = Instant::now() + Duration::from_secs(4);
    let mut requests = 0;
    while let Ok(event) = timeout_at(until, stream.next()).await {
        if let Some(Event::Keepalive {
            reply_requested: true, ..
        }) = event.unwrap()
        {
            requests += 1;
        }
    }
    assert!(
        requests >= 2,
        "the server asked {requests} times in four of its timeouts"
    );
    sql.query("INSERT INTO public.t VALUES (1, 'x')").await.unwrap();
    assert_eq!(transaction(&mut stream).await.0, "BRIC");
}

#[tokio::test]
async fn two_halves_read_and_answer_side_by_side() {
    let server = Server::start("wal_sender_timeout = 1s", "");
    let (mut sql, stream) = streaming(&server).await;
    let (mut reader, mut writer) = stream.split();
    let answering = tokio::spawn(async move {
        loop {
            writer.reply_wanted().await;
            if writer.reply(PgTimestamp(0)).await.is_err() {
                return;
            }
        }
    });
    let until = Instant::now() + Duration::from_secs(3);
    while let Ok(event) = timeout_at(until, reader.next()).await {
        assert!(event.unwrap().is_some());
    }
    sql.query("INSERT INTO public.t VALUES (1, 'x')").await.unwrap();
    while !matches!(
        timeout(PATIENCE, reader.next()).await.unwrap().unwrap(),
        Some(Event::XLogData { .. })
    ) {}
    answering.abort();
}

#[tokio::test]
async fn a_stream_that_never_answers_is_cut() {
    let server = Server::start("wal_sender_timeout = 1s", "");
    let (_, stream) = streaming(&server).await;
    let (mut reader, _writer) = stream.split();
    let lost = loop {
        match timeout(PATIENCE, reader.next()).await.expect("the server's timeout") {
            Ok(event) => assert!(event.is_some()),
            Err(error) => break error,
        }
    };
    assert!(matches!(lost, Error::Closed { .. } | Error::Io { .. }), "{lost}");
}

#[tokio::test]
async fn errors_inside_a_stream_keep_their_sqlstate() {
    let server = Server::start("", "");
    let (mut sql, mut stream) = streaming(&server).await;
    sql.query(&format!("SELECT pg_terminate_backend({})", stream.backend_pid()))
        .await
        .unwrap();
    let ended = timeout(PATIENCE, async {
        loop {
            match stream.next().await {
                Ok(event) => assert!(event.is_some()),
                Err(error) => break error,
            }
        }
    });
    let error = ended.await.expect("an error");
    assert!(
        matches!(&error, Error::Server(server) if server.code == "57P01" && server.is_fatal()),
        "{error}"
    );
    assert_eq!(error.class(), Class::Transient);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_shuts_down_ends_the_stream_in_order() {
    let server = Server::start("", "");
    let (sql, stream) = streaming(&server).await;
    sql.close().await.unwrap();
    let (mut reader, mut writer) = stream.split();
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| server.stop("fast"));
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            runtime.block_on(async {
                while let Some(event) = timeout(PATIENCE, reader.next()).await.unwrap().unwrap() {
                    if let Event::Keepalive { wal_end, clock, .. } = event {
                        writer
                            .status(Feedback::all(wal_end), clock, Reply::NotNeeded)
                            .await
                            .unwrap();
                    }
                }
            });
        });
        assert!(stopping.join().unwrap());
    });
    assert_eq!(reader.ending(), Some(Ending::Shutdown));
}
