//! WAL that real servers wrote, read by this crate and by PostgreSQL's own tools.
#![cfg(test)]

mod changed;
mod described;
mod oracle;
mod reading;
mod recovery;
mod server;
mod shown;
mod survived;
mod workload;

use std::collections::BTreeSet;

use synapse_wal_xlog::{Event, Reader, Stats, Version};

use oracle::Oracle;
use reading::{counts, follow, is_whole, named, records};
use server::Server;
use shown::{ALL_RMGRS, Shown};

/// Everything of a workload is read as the server's own tools read it.
fn agree(version: Version, megabytes: u32) {
    let server = Server::start(version, megabytes);
    let methods = workload::methods(&server, megabytes);
    workload::run(&server, &methods);
    let oracle = Oracle::of(&server);
    let mut segments = server.segments();
    segments.pop();

    // By segment: how many records of which kind, and how long.
    let ours = counts(&server, &segments);
    let asked: Vec<_> = ours.keys().copied().collect();
    let theirs = oracle.counts(&server, &asked);
    assert_eq!(theirs.len(), ours.len());
    let mut total = Stats::new();
    for (segment, stats) in &ours {
        assert_eq!(named(stats, version), theirs[segment], "segment {segment}");
        total.add(stats);
    }

    // A segment alone tells the same as in its row.
    for segment in &segments {
        let mut alone = Stats::new();
        let mut reader = Reader::at_page(segment.start(), server.size).unwrap();
        let error = follow(&mut reader, &server, &[*segment], |event| match event {
            Event::Record(record) => alone.count(&record),
            Event::Segment(_) | Event::Overwritten(_) | Event::Unused(_) => {}
        });
        assert_eq!(error, None, "segment {segment}");
        let in_row = ours.get(segment).map(|stats| named(stats, version)).unwrap_or_default();
        assert_eq!(named(&alone, version), in_row, "segment {segment}");
    }

    // Record by record, in the segments with most kinds of them: place, link, transaction, lengths, blocks and images,
    // and what it says.
    let mut compared = asked.clone();
    compared.sort_by_key(|segment| std::cmp::Reverse(ours[segment].kinds().count()));
    compared.truncate(16usize.div_ceil(megabytes as usize));
    let mut seen = 0;
    for segment in compared {
        let theirs = oracle.records(&server, segment);
        let mut theirs = theirs.into_iter();
        records_of(&server, segment, |ours| {
            let expected = theirs.next();
            assert_eq!(Some(ours), expected);
            seen += 1;
        });
        assert_eq!(theirs.next(), None, "segment {segment}");
    }

    if megabytes == 1 {
        survived::damaged_segments_never_tell_what_was_not_written(&server, &asked[..asked.len().min(40)]);
    }

    let rmgrs: BTreeSet<u8> = total.kinds().map(|(kind, _)| kind.rmgr().0).collect();
    assert_eq!(
        rmgrs,
        ALL_RMGRS.collect(),
        "the workload reaches every built-in resource manager"
    );
    let (kinds, counts) = (total.kinds().count(), total.total());
    println!(
        "PostgreSQL {version}, {megabytes} MB, {methods:?}: {} segments, {} records of {kinds} kinds, {} bytes and {} of \
         images; {seen} compared one by one",
        segments.len(),
        counts.records,
        counts.record_bytes,
        counts.image_bytes
    );
}

fn records_of(server: &Server, segment: synapse_wal_xlog::SegmentName, mut look: impl FnMut(Shown)) {
    records(server, &[segment], |record| {
        if is_whole(record, server.size) {
            look(Shown::of(record));
        }
    });
}

#[test]
fn wal_of_14_is_read_as_pg_waldump_reads_it() {
    agree(Version::V14, 16);
}

#[test]
fn wal_of_15_in_small_segments_is_read_as_pg_waldump_reads_it() {
    agree(Version::V15, 1);
}

#[test]
fn wal_of_15_in_large_segments_is_read_as_pg_waldump_reads_it() {
    agree(Version::V15, 64);
}

#[test]
fn wal_of_16_is_read_as_pg_waldump_reads_it() {
    agree(Version::V16, 16);
}

#[test]
fn wal_of_17_is_read_as_pg_walinspect_reads_it() {
    agree(Version::V17, 16);
}

#[test]
fn wal_of_18_in_small_segments_is_read_as_pg_walinspect_reads_it() {
    agree(Version::V18, 1);
}
