use std::time::Duration;

use synapse_wal_client::{
    Connection, Error, Event, Feedback, Kind, NextTimeline, PhysicalSlot, PhysicalStart, Session, SlotLife, Started,
    Stream,
};
use synapse_wal_types::{Lsn, SlotName, TimelineId};
use tokio::time::timeout;

use crate::fixture::{Server, value};

const PATIENCE: Duration = Duration::from_secs(60);

async fn physical(server: &Server) -> Connection {
    Connection::connect(&server.local(), Kind::Physical, &Session::default())
        .await
        .unwrap()
}

fn from(start: Lsn, timeline: Option<TimelineId>) -> PhysicalStart {
    PhysicalStart {
        slot: None,
        start,
        timeline,
        feedback: Feedback::default(),
    }
}

/// Reads contiguous WAL from `at` on, up to `until` or the stream's end; where it stopped.
async fn read(stream: &mut Stream, mut at: Lsn, until: Lsn) -> Lsn {
    while at < until {
        match timeout(PATIENCE, stream.next()).await.unwrap().unwrap() {
            Some(Event::XLogData { start, data, .. }) => {
                assert_eq!(start, at);
                at.0 += u64::try_from(data.len()).unwrap();
            }
            Some(Event::Keepalive { .. }) => {}
            None => break,
        }
    }
    at
}

#[tokio::test]
async fn wal_arrives_without_gaps_and_the_session_takes_commands_again() {
    let server = Server::start("", "");
    let mut session = physical(&server).await;
    let slot: SlotName = "p".parse().unwrap();
    let temporary = PhysicalSlot {
        life: SlotLife::Permanent,
        reserve_wal: true,
    };
    session.create_physical_slot(&slot, temporary).await.unwrap();
    let kept = session
        .read_physical_slot(&slot)
        .await
        .unwrap()
        .unwrap()
        .restart
        .unwrap();
    let mut sql = server.sql().await;
    sql.query("CREATE TABLE public.t AS SELECT generate_series(1, 1000)")
        .await
        .unwrap();
    let end: Lsn = value(&mut sql, "SELECT pg_current_wal_flush_lsn()")
        .await
        .unwrap()
        .parse()
        .unwrap();
    let options = PhysicalStart {
        slot: Some(slot),
        ..from(kept, Some(TimelineId(1)))
    };
    let Started::Streaming(mut stream) = session.start_physical(options).await.unwrap() else {
        panic!("no stream")
    };
    assert!(read(&mut stream, kept, end).await >= end);
    let (mut session, next) = timeout(PATIENCE, stream.finish()).await.unwrap().unwrap();
    assert_eq!(next, None);
    assert_eq!(session.identify_system().await.unwrap().timeline, TimelineId(1));
}

#[tokio::test]
async fn a_stream_follows_the_server_to_its_next_timeline() {
    let mut server = Server::start("restore_command = 'false'\nwal_keep_size = 64MB", "");
    let start = physical(&server).await.identify_system().await.unwrap().flushed;
    let segment = Lsn(start.0 / (16 << 20) * (16 << 20));
    assert!(server.stop("fast"));
    server.put("recovery.signal", "", 0o600);
    server.begin();

    let mut session = physical(&server).await;
    let second = TimelineId(2);
    assert_eq!(session.identify_system().await.unwrap().timeline, second);
    let history = session.timeline_history(second).await.unwrap();
    assert_eq!(history.file_name, "00000002.history");
    let switch: Lsn = str::from_utf8(&history.content)
        .unwrap()
        .split('\t')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();

    let options = from(segment, Some(TimelineId(1)));
    let Started::Streaming(mut stream) = session.start_physical(options).await.unwrap() else {
        panic!("no stream")
    };
    assert_eq!(read(&mut stream, segment, Lsn::MAX).await, switch);
    let (session, next) = timeout(PATIENCE, stream.finish()).await.unwrap().unwrap();
    let expected = NextTimeline {
        timeline: second,
        start: switch,
    };
    assert_eq!(next, Some(expected));

    match session.start_physical(from(switch, Some(TimelineId(1)))).await.unwrap() {
        Started::AtEndOfTimeline(mut session, next) => {
            assert_eq!(next, expected);
            session.identify_system().await.unwrap();
        }
        Started::Streaming(_) => panic!("a stream of nothing"),
    }
    let gone = physical(&server)
        .await
        .start_physical(from(Lsn::ZERO, Some(TimelineId(9))))
        .await
        .unwrap_err();
    assert!(matches!(gone, Error::Server(_)), "{gone}");
}
