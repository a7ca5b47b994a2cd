//! What the crate itself reads of a server's WAL.

use std::collections::BTreeMap;

use synapse_wal_xlog::{Error, Event, Reader, Record, SegmentName, SegmentSize, Stats, Version};

use crate::oracle::Named;
use crate::server::Server;

/// Bytes that are given at once: no multiple of a page, so that everything is cut somewhere.
const PIECE: usize = 1_000_003;

/// Gives segments to a reader one after the other, and its events to `look`; the error that ends it.
pub(crate) fn follow(
    reader: &mut Reader,
    server: &Server,
    segments: &[SegmentName],
    mut look: impl FnMut(Event<'_>),
) -> Option<Error> {
    for segment in segments {
        let bytes = server.read(*segment);
        for piece in bytes.chunks(PIECE) {
            let mut feed = reader.feed(piece);
            loop {
                match feed.poll() {
                    Ok(Some(event)) => look(event),
                    Ok(None) => break,
                    Err(error) => return Some(error),
                }
            }
        }
    }
    None
}

/// Reads segments from the first to the last, which must be complete.
pub(crate) fn records(server: &Server, segments: &[SegmentName], mut look: impl FnMut(&Record<'_>)) {
    let mut reader = Reader::at_page(segments[0].start(), server.size).unwrap();
    let error = follow(&mut reader, server, segments, |event| match event {
        Event::Record(record) => look(&record),
        Event::Unused(unused) => assert_eq!(unused.nonzero, None, "{unused:?}"),
        Event::Segment(_) | Event::Overwritten(_) => {}
    });
    assert_eq!(error, None);
    assert_eq!(reader.version(), Some(server.version));
}

/// Whether a record lies whole in the segment in which it begins.
pub(crate) fn is_whole(record: &Record<'_>, size: SegmentSize) -> bool {
    SegmentName::at(record.lsn, record.page_timeline, size).end() >= record.next
}

/// Counts the records that lie whole in each segment.
pub(crate) fn counts(server: &Server, segments: &[SegmentName]) -> BTreeMap<SegmentName, Stats> {
    let mut counted = BTreeMap::new();
    records(server, segments, |record| {
        if is_whole(record, server.size) {
            let segment = SegmentName::at(record.lsn, segments[0].timeline, server.size);
            counted.entry(segment).or_insert_with(Stats::new).count(record);
        }
    });
    counted
}

/// Counts in the words of the server's tools.
pub(crate) fn named(stats: &Stats, version: Version) -> Named {
    let kinds = stats.kinds();
    kinds
        .map(|(kind, counts)| (format!("{}/{}", kind.rmgr(), kind.display(version)), counts))
        .collect()
}
