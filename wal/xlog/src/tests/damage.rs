use synapse_wal_types::Lsn;

use super::spec::{BlockSpec, ImageSpec, RELATION, RecordSpec};
use super::writer::{Region, SYSTEM, Writer, tell};
use crate::{Class, Error, Event, Fault, PAGE_BYTES, Rmgr, Version};

/// A segment of four pages: small records with padding between them, one with blocks, one over three pages, and one that ends
/// with its page.
fn small() -> Writer {
    let mut writer = Writer::new(Version::V17);
    for seed in 1..20 {
        writer.record(&RecordSpec::sized(26 + usize::from(seed) * 7, seed));
    }
    let image = ImageSpec {
        bytes: vec![9; 600],
        hole_offset: 100,
        info: 0x03,
        hole_length: None,
    };
    let blocks = RecordSpec::new(Rmgr::HEAP, 0, &[1, 2, 0])
        .block(BlockSpec {
            image: Some(image),
            ..BlockSpec::of(0, RELATION, 0, 7)
        })
        .block(BlockSpec {
            data: vec![4; 33],
            id: 1,
            block: 8,
            ..BlockSpec::default()
        });
    writer.record(&blocks);
    writer.record(&RecordSpec::sized(18_001, 30));
    for seed in 31..50 {
        writer.record(&RecordSpec::sized(24 + usize::from(seed) * 5, seed));
    }
    // The rest of the page, and one record on one more.
    let left = PAGE_BYTES as usize - writer.bytes.len().next_multiple_of(8) % PAGE_BYTES as usize;
    writer.record(&RecordSpec::sized(left, 60));
    writer.record(&RecordSpec::sized(64, 61));
    writer
}

/// Bits of a page header that PostgreSQL does not look at.
fn is_ignored(writer: &Writer, page: Lsn, offset: usize, bit: u8) -> bool {
    let at = (page.0 - writer.start.0) as usize;
    let continues = writer.bytes[at + 2] & 1 != 0;
    let is_last = writer.bytes.len() - at < PAGE_BYTES as usize;
    match offset {
        // What may be removed, and that a record was overwritten where none was expected to go on.
        2 => bit == 2 || (bit == 3 && !continues),
        // A timeline that is greater shows at the next page only.
        4..8 => is_last && writer.timeline.0 & (1 << ((offset - 4) * 8 + usize::from(bit))) == 0,
        16..20 => !continues,
        20..24 => true,
        _ => false,
    }
}

/// Records by place and checksum, and how it ended.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    records: Vec<(Lsn, Lsn, u32)>,
    error: Option<Error>,
    pending: Option<Lsn>,
}

fn see(writer: &Writer, bytes: &[u8], mut records: Vec<(Lsn, Lsn, u32)>) -> Seen {
    records.clear();
    let mut reader = writer.reader().of_system(SYSTEM).from_timeline(writer.timeline);
    let mut feed = reader.feed(bytes);
    let error = loop {
        match feed.poll() {
            Ok(Some(Event::Record(record))) => records.push((record.lsn, record.next, record.crc())),
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let pending = reader.pending().map(|pending| pending.lsn);
    Seen {
        records,
        error,
        pending,
    }
}

/// What a failed check shows.
#[derive(Debug)]
#[expect(dead_code, reason = "shown by its Debug form")]
struct Place<'a> {
    at: usize,
    bit: u8,
    region: Region,
    error: &'a Option<Error>,
}

/// Whether a flipped bit is noticed where it is, and only if it matters.
fn check(writer: &Writer, whole: &Seen, at: usize, bit: u8, told: &Seen) {
    let region = writer.regions[at];
    let place = Place {
        at,
        bit,
        region,
        error: &told.error,
    };
    let blamed = told.error.as_ref().map(|error| error.lsn).or(told.pending);
    match region {
        Region::Padding => assert_eq!(told, whole, "{place:?}"),
        Region::Record { lsn, .. } => {
            assert_eq!(blamed, Some(lsn), "{place:?}");
            let before = whole.records.iter().filter(|record| record.0 < lsn);
            assert!(told.records.iter().eq(before), "{place:?}");
        }
        Region::Header { page, offset } if is_ignored(writer, page, offset, bit) => {
            assert_eq!((&told.records, &told.error), (&whole.records, &None), "{place:?}");
        }
        Region::Header { page, offset } => {
            let blamed = blamed.unwrap_or_else(|| panic!("not noticed: {place:?}"));
            // A record that goes on wrongly is blamed itself; a greater timeline makes the next page look wrong; what is
            // taken for a lost record's successor is none.
            let pages = page.0 - 3 * 8192..=page.0 + 8192 + 24;
            let is_timeline = (4..8).contains(&offset);
            let near = if is_timeline {
                page.0 + 8192..=page.0 + 8192
            } else {
                pages
            };
            let down = is_timeline && blamed == page;
            assert!(near.contains(&blamed.0) || down, "blamed {blamed}: {place:?}");
        }
        Region::Unused => unreachable!("no switch here"),
    }
}

#[test]
fn every_flipped_bit_is_noticed_unless_nothing_covers_it() {
    let writer = small();
    let whole = see(&writer, &writer.bytes, Vec::new());
    assert_eq!((&whole.error, whole.pending), (&None, None));
    assert!(
        whole
            .records
            .iter()
            .map(|record| record.0)
            .eq(writer.lsns.iter().copied())
    );
    let (mut bytes, mut records) = (writer.bytes.clone(), Vec::new());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            let told = see(&writer, &bytes, records);
            check(&writer, &whole, at, bit, &told);
            records = told.records;
            bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn an_error_says_where_and_what_was_expected_and_found() {
    let mut writer = Writer::new(Version::V17);
    let first = writer.record(&RecordSpec::sized(100, 1));
    let second = writer.record(&RecordSpec::sized(100, 2));
    let at = (second.0 - writer.start.0) as usize;
    let mut damaged = |offset: usize, value: u8| {
        let before = std::mem::replace(&mut writer.bytes[offset], value);
        let error = writer.told(usize::MAX).error.unwrap();
        writer.bytes[offset] = before;
        assert_eq!(error.class(), Class::Definite);
        error.to_string()
    };
    let cases = [
        (
            damaged(0, 0),
            "WAL at 0/200000: page with magic number 0xd100, expected that of PostgreSQL 14 to 18",
        ),
        (
            damaged(9, 1),
            "WAL at 0/200000: page with address 0/200100, expected its own",
        ),
        (
            damaged(24, 0),
            "WAL at 0/200000: page of system 7645753434211049472, expected system 7645753434211049585",
        ),
        (
            damaged(34, 0x20),
            "WAL at 0/200000: page with segment size 2097152, expected 1048576",
        ),
        (damaged(at, 3), "record with length 3, expected 24 to 1073741823"),
        (
            damaged(at + 17, 22),
            "record with resource manager 22, expected 0 to 21, or 128 to 255 from version 15 on",
        ),
        (damaged(at + 9, 7), "expected 0/200028"),
        (damaged(at + 40, 7), "record with CRC "),
    ];
    for (message, expected) in cases {
        assert!(message.contains(expected), "{message:?} does not hold {expected:?}");
    }
    assert_eq!((first, second), (Lsn(0x20_0028), Lsn(0x20_0090)));
}

#[test]
fn the_flush_position_tells_the_end_of_wal_from_damage() {
    let mut writer = Writer::new(Version::V16);
    writer.record(&RecordSpec::sized(100, 1));
    writer.record(&RecordSpec::sized(100, 2));
    writer.align();
    let end = writer.position();

    // A live segment: zeros, or what a recycled file held before.
    let mut zeros = writer.bytes.clone();
    zeros.extend([0; 8192]);
    let error = tell(&mut writer.reader(), &zeros, 512).error.unwrap();
    assert_eq!((error.lsn, error.judged_to), (end, Lsn(end.0 + 4)));
    assert!(matches!(error.fault, Fault::RecordLength { found: 0, .. }));
    assert!(error.is_end_of_wal(end) && !error.is_end_of_wal(Lsn::MAX));

    let mut recycled = writer.bytes.clone();
    recycled.extend(RecordSpec::sized(64, 3).encode(Lsn(0x10_0000)));
    let error = tell(&mut writer.reader(), &recycled, 512).error.unwrap();
    assert!(matches!(error.fault, Fault::PreviousLink { .. }));
    assert!(error.is_end_of_wal(end) && !error.is_end_of_wal(Lsn(end.0 + 24)));

    // The same before the flush position is damage.
    let at = writer.bytes.len() - 20;
    writer.bytes[at] ^= 1;
    let error = writer.told(512).error.unwrap();
    assert!(matches!(error.fault, Fault::Checksum { .. }));
    assert!(!error.is_end_of_wal(end));
    assert!(
        error.is_end_of_wal(Lsn(end.0 - 8)),
        "a record that is not flushed whole may be half written"
    );
}
