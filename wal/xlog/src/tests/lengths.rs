use synapse_wal_types::Lsn;

use super::spec::{BlockSpec, ImageSpec, RELATION, RecordSpec, raw, seal};
use super::writer::{Writer, tell};
use crate::{Fault, RECORD_BYTES_MAX, Rmgr, Version};

/// The fault of a record whose body is this.
fn fault(version: Version, body: &[u8]) -> Fault {
    let mut writer = Writer::new(version);
    let lsn = writer.whole(&raw(Rmgr::HEAP.0, 0, 0, writer.previous, body));
    let error = writer.told(usize::MAX).error.unwrap();
    assert_eq!(error.lsn, lsn);
    error.fault
}

fn image(info: u8, bytes: usize, hole_offset: u16, hole_length: Option<u16>) -> RecordSpec {
    RecordSpec::new(Rmgr::XLOG, 0xB0, &[]).block(BlockSpec {
        image: Some(ImageSpec {
            bytes: vec![1; bytes],
            hole_offset,
            info,
            hole_length,
        }),
        ..BlockSpec::of(0, RELATION, 0, 0)
    })
}

#[test]
fn lengths_that_do_not_agree_are_errors() {
    let ids = "a fragment id of 0 to 32 or 252 to 255";
    let lengths = "a length that is 0 exactly where the flags say so";
    let cases: [(&[u8], Fault); 12] = [
        (&[255], short(25, 1, 0)),
        (&[255, 3, 1, 2], short(26, 3, 2)),
        (
            &[255, 1, 1, 2],
            Fault::Trailing {
                what: "record",
                offset: 27,
                left: 1,
            },
        ),
        (&[254, 0, 0, 0], short(25, 4, 3)),
        (&[254, 255, 255, 255, 255], short(29, 0xFFFF_FFFF, 0)),
        (&[253, 1], short(25, 2, 1)),
        (&[252, 1, 2, 3], short(25, 4, 3)),
        (&[33], field(24, ids, 33)),
        (&[0, 4, 0, 0], field(25, "a fork from 0 to 3", 4)),
        (&[0, 0x20, 0, 0], field(26, lengths, 0)),
        (&[0, 0, 1, 0], field(26, lengths, 1)),
        (
            &[0, 0x80, 0, 0],
            field(28, "a relation before one that is the same", 0x80),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(fault(Version::V15, body), expected, "{body:?}");
    }
    let twice = BlockSpec::of(3, RELATION, 0, 0);
    let spec = RecordSpec::default().block(twice.clone()).block(twice);
    let found = fault(Version::V15, &spec.encode(Lsn(0))[24..]);
    assert!(
        matches!(
            found,
            Fault::Field {
                expected: "block ids that grow",
                found: 3,
                ..
            }
        ),
        "{found}"
    );
}

fn short(offset: usize, needed: usize, left: usize) -> Fault {
    let what = "record";
    Fault::Short {
        what,
        offset,
        needed,
        left,
    }
}

fn field(offset: usize, expected: &'static str, found: i64) -> Fault {
    let what = "record";
    Fault::Field {
        what,
        offset,
        expected,
        found,
    }
}

#[test]
fn images_keep_to_their_page() {
    let cases = [
        (Version::V14, image(0x05, 8192 - 100, 100, None), true),
        (Version::V14, image(0x07, 50, 100, Some(8_000)), true),
        (Version::V14, image(0x06, 50, 0, None), true),
        (Version::V15, image(0x03, 8192 - 100, 100, None), true),
        (Version::V15, image(0x02, 8192, 0, None), true),
        (Version::V15, image(0x0B, 50, 100, Some(8_092)), true),
        (Version::V18, image(0x12, 50, 0, None), true),
        // Longer than a page; not compressed at all; a hole that is none, or not told, or goes beyond.
        (Version::V15, image(0x02, 8193, 0, None), false),
        (Version::V15, image(0x06, 8192, 0, None), false),
        (Version::V15, image(0x03, 8192, 100, None), false),
        (Version::V15, image(0x03, 8000, 0, None), false),
        (Version::V15, image(0x02, 8000, 0, None), false),
        (Version::V15, image(0x02, 8192, 5, None), false),
        (Version::V15, image(0x0B, 50, 100, Some(8_093)), false),
        (Version::V15, image(0x0B, 50, 100, Some(0)), false),
        (Version::V14, image(0x07, 50, 9_000, Some(1)), false),
    ];
    for (version, spec, is_good) in cases {
        let mut writer = Writer::new(version);
        writer.record(&spec);
        let error = writer.told(usize::MAX).error;
        assert_eq!(
            error.is_none(),
            is_good,
            "{version} {:?}: {error:?}",
            spec.blocks[0].image.as_ref().unwrap().info
        );
    }
}

#[test]
fn a_lying_length_reserves_nothing() {
    let mut writer = Writer::new(Version::V16);
    writer.record(&RecordSpec::sized(8_000, 1));
    let lsn = writer.record(&RecordSpec::sized(40_000, 2));
    // Record and pages agree on the lie, as far as they are given.
    let at = (lsn.0 - writer.start.0) as usize;
    let mut bytes = writer.bytes.clone();
    bytes[at..at + 4].copy_from_slice(&RECORD_BYTES_MAX.to_le_bytes());
    let mut held = 8192 - at;
    for page in 1..5 {
        let rest = RECORD_BYTES_MAX - held as u32;
        bytes[page * 8192 + 16..page * 8192 + 20].copy_from_slice(&rest.to_le_bytes());
        held += 8192 - 24;
    }
    let mut reader = writer.reader();
    let told = tell(&mut reader, &bytes[..5 * 8192], 1_000);
    assert_eq!(told.error, None);
    let pending = reader.pending().unwrap();
    assert_eq!((pending.lsn, pending.total), (lsn, Some(RECORD_BYTES_MAX)));
    assert_eq!(pending.held, held);
    assert!(
        reader.held_bytes() <= 2 * bytes.len(),
        "{} bytes reserved",
        reader.held_bytes()
    );

    bytes[at..at + 4].copy_from_slice(&(RECORD_BYTES_MAX + 1).to_le_bytes());
    let fault = tell(&mut writer.reader(), &bytes, 1_000).error.unwrap().fault;
    assert!(
        matches!(fault, Fault::RecordLength { found, .. } if found == RECORD_BYTES_MAX + 1),
        "{fault}"
    );
}

#[test]
fn the_memory_of_a_long_record_is_given_back() {
    let mut writer = Writer::new(Version::V16);
    writer.record(&RecordSpec::sized(5_000_000, 1));
    for seed in 0..4 {
        writer.record(&RecordSpec::sized(8_000, seed));
    }
    let mut reader = writer.reader();
    let told = tell(&mut reader, &writer.bytes, usize::MAX);
    assert_eq!((told.error, told.records.len()), (None, 5));
    assert!(
        reader.held_bytes() < (1 << 20) + 100,
        "{} bytes are kept",
        reader.held_bytes()
    );
}

#[test]
fn a_header_that_lies_across_pages_is_checked_before_more_is_taken() {
    // 16 bytes of the header are on the first page: resource manager and CRC are on the next.
    let mut writer = Writer::new(Version::V15);
    writer.record(&RecordSpec::sized(8192 - 40 - 16, 1));
    let mut bytes = RecordSpec::sized(30_000, 2).encode(writer.previous);
    bytes[17] = 99;
    seal(&mut bytes);
    let lsn = writer.whole(&bytes);
    let mut reader = writer.reader();
    let error = tell(&mut reader, &writer.bytes, usize::MAX).error.unwrap();
    assert_eq!((error.lsn, error.fault), (lsn, Fault::Rmgr { found: Rmgr(99) }));
    assert_eq!(reader.held_bytes() / 8192, 0);
}
