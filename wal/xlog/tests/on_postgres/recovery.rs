//! What crashes and promotions leave in the WAL, and where WAL ends.

use synapse_wal_types::{Lsn, TimelineId};
use synapse_wal_xlog::control::Control;
use synapse_wal_xlog::{Event, Overwritten, Reader, SegmentName, TimelineHistory, Version, WalFile};

use crate::oracle::Oracle;
use crate::reading::{counts, follow, named};
use crate::server::{Server, output, read};

/// Crashes while a record that crosses into another segment is written, of which that segment is lost; comes back.
fn lose_a_record(server: &Server) {
    let message = "SELECT pg_logical_emit_message(true, 'test', repeat('lost', 50000))";
    let name = || server.value("SELECT pg_walfile_name(pg_current_wal_insert_lsn())");
    server.psql("SELECT pg_switch_wal()");
    server.psql(message);
    let before = name();
    while name() == before {
        server.psql(message);
    }
    let lost = name();
    server.stop("immediate");
    for segment in server.files() {
        if segment.to_string() >= lost {
            output(std::process::Command::new("rm").arg(server.segment_path(segment)));
        }
    }
    server.again();
    server.psql("CREATE TABLE after_the_crash (i int); SELECT pg_switch_wal(); CREATE TABLE behind (i int)");
}

fn a_lost_record_is_told(version: Version) {
    let server = Server::start(version, 1);
    lose_a_record(&server);
    let mut segments = server.segments();
    segments.pop();
    let (mut lost, mut named_lost, mut pages) = (Vec::new(), Vec::new(), Vec::new());
    let mut reader = Reader::at_page(segments[0].start(), server.size).unwrap();
    let error = follow(&mut reader, &server, &segments, |event| match event {
        Event::Overwritten(Overwritten { record, page }) => {
            lost.push(record);
            pages.push(page);
        }
        Event::Record(record) => {
            if let Some(Control::OverwriteContrecord { overwritten, .. }) = Control::read(&record).unwrap() {
                named_lost.push(overwritten);
                assert_eq!(record.lsn.0 & !8191, pages[pages.len() - 1].0);
            }
        }
        Event::Segment(_) | Event::Unused(_) => {}
    });
    assert_eq!(error, None);
    assert_eq!(lost.len(), 1);
    assert_eq!(lost, named_lost);
    let ours = counts(&server, &segments);
    let asked: Vec<_> = ours.keys().copied().collect();
    let theirs = Oracle::of(&server).counts(&server, &asked);
    for (segment, stats) in &ours {
        assert_eq!(named(stats, version), theirs[segment], "segment {segment}");
    }
}

#[test]
fn a_record_that_14_lost_in_a_crash_is_told() {
    a_lost_record_is_told(Version::V14);
}

#[test]
fn a_record_that_18_lost_in_a_crash_is_told() {
    a_lost_record_is_told(Version::V18);
}

/// Stops the server and lets it recover as from an archive: it goes on on a timeline of its own.
fn promote(server: &Server) {
    server.stop("fast");
    server.append("recovery.signal", "");
    server.append("postgresql.conf", "restore_command = 'false'\n");
    server.again();
    // It is told to be up as soon as it can be read.
    while server.value("SELECT pg_is_in_recovery()") == "t" {}
    server.psql("INSERT INTO first VALUES (1)");
}

fn timelines_are_followed(version: Version) {
    let server = Server::start(version, 1);
    server.psql("CREATE TABLE first (i int)");
    promote(&server);
    promote(&server);
    let timeline = TimelineId(3);
    let path = server
        .data()
        .join("pg_wal")
        .join(WalFile::History(timeline).to_string());
    let text = String::from_utf8(read(&path)).unwrap();
    let history = TimelineHistory::parse(timeline, &text).unwrap();
    assert_eq!(history.to_string(), text);
    let ancestors: Vec<u32> = history.ancestors().iter().map(|branch| branch.timeline.0).collect();
    assert_eq!(ancestors, [1, 2]);

    // The newest file of each number holds its ancestors' WAL up to where they were left.
    let mut segments = server.segments();
    segments.retain(|segment| segment.timeline == timeline);
    let size = server.size;
    let first = SegmentName::at(Lsn(0x10_0000), TimelineId(1), size);
    if segments.first().is_some_and(|segment| segment.number > first.number) {
        let missing = first.number.0..segments[0].number.0;
        let older = missing.map(|number| {
            let start = synapse_wal_xlog::SegmentNumber(number).start(size);
            SegmentName::at(start, history.timeline_at(start), size)
        });
        let older: Vec<_> = older.filter(|segment| server.segment_path(*segment).exists()).collect();
        segments.splice(0..0, older);
    }
    let mut reader = Reader::at_page(segments[0].start(), size).unwrap();
    let (mut seen, mut begun) = (Vec::new(), Vec::new());
    let flushed = server.lsn("SELECT pg_current_wal_flush_lsn()");
    let error = follow(&mut reader, &server, &segments, |event| {
        let Event::Record(record) = event else { return };
        let page = Lsn(record.lsn.0 & !8191);
        assert_eq!(record.page_timeline, history.timeline_at(page), "{}", record.lsn);
        seen.push(history.timeline_at(record.lsn).0);
        if let Some(Control::EndOfRecovery(end)) = Control::read(&record).unwrap() {
            begun.push((end.previous_timeline.0, end.timeline.0));
        } else if let Some(Control::Checkpoint(checkpoint)) = Control::read(&record).unwrap()
            && checkpoint.previous_timeline != checkpoint.timeline
        {
            begun.push((checkpoint.previous_timeline.0, checkpoint.timeline.0));
        }
    });
    assert!(error.unwrap().is_end_of_wal(flushed));
    seen.dedup();
    assert_eq!((seen, begun), (vec![1, 2, 3], vec![(1, 2), (2, 3)]));
}

#[test]
fn timelines_of_18_are_followed_as_their_history_says() {
    timelines_are_followed(Version::V18);
}

/// A live segment ends where the server has flushed to, whether the rest of its file is zeros or was used before.
#[test]
fn wal_ends_where_the_server_has_flushed_to() {
    let server = Server::start(Version::V15, 1);
    server.append(
        "postgresql.conf",
        "wal_keep_size = 0\nmin_wal_size = '8MB'\nmax_wal_size = '8MB'\n",
    );
    server.stop("fast");
    server.again();
    let mut kinds = std::collections::BTreeSet::new();
    for round in 0..12 {
        let sql = format!(
            "SELECT pg_logical_emit_message(true, 'test', repeat('x', {}))",
            700_000 + round * 20_011
        );
        server.psql("CHECKPOINT");
        server.psql(&sql);
        if round % 2 == 1 {
            server.psql("SELECT pg_switch_wal()");
        }
        let flushed = server.lsn("SELECT pg_current_wal_flush_lsn()");
        let segment = SegmentName::at(flushed, TimelineId(1), server.size);
        if !server.files().contains(&segment) {
            // Behind a switch the next file need not be there yet.
            assert_eq!(flushed, segment.start());
            continue;
        }
        let mut reader = Reader::at_page(segment.start(), server.size).unwrap();
        let mut last = segment.start();
        let error = follow(&mut reader, &server, &[segment], |event| {
            if let Event::Record(record) = event {
                last = record.next;
            }
        });
        let error = error.unwrap_or_else(|| panic!("{segment} has no end"));
        assert!(
            error.is_end_of_wal(flushed) && !error.is_end_of_wal(segment.end()),
            "{error}"
        );
        assert_eq!((error.lsn, last), (flushed, flushed), "{error}");
        kinds.insert(format!("{:?}", error.fault).split(' ').next().unwrap().to_owned());
    }
    // Zeros within a page, and a page of the file's former use.
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["PageAddress", "RecordLength"]);
}
