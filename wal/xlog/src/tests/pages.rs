use synapse_wal_types::{Lsn, TimelineId};

use super::spec::RecordSpec;
use super::writer::{SYSTEM, Writer, tell};
use crate::{Fault, LONG_HEADER_BYTES, PageHeader, Reader, SegmentSize, Version};

#[test]
fn a_first_page_tells_version_system_and_sizes() {
    for version in Version::ALL {
        let mut writer = Writer::new(version);
        writer.record(&RecordSpec::sized(100, 1));
        let page = PageHeader::read(writer.start, &writer.bytes[..LONG_HEADER_BYTES]).unwrap();
        assert_eq!(
            (page.version, page.timeline, page.address),
            (version, TimelineId(3), writer.start)
        );
        let long = page.long.unwrap();
        assert_eq!(
            (long.system, long.segment_size, long.page_size),
            (SYSTEM, 1 << 20, 8192)
        );
        assert_eq!(page.length(), 40);
        assert!(!page.continues_record() && !page.overwrites_record() && !page.images_removable());
    }
}

#[test]
fn magic_numbers_are_those_of_the_versions_and_no_others() {
    let known: Vec<_> = (0..=u16::MAX)
        .filter_map(|magic| Some((magic, Version::from_magic(magic)?.major())))
        .collect();
    assert_eq!(
        known,
        [(0xD10D, 14), (0xD110, 15), (0xD113, 16), (0xD116, 17), (0xD118, 18)]
    );
    assert!(
        Version::ALL
            .into_iter()
            .all(|version| Version::from_major(version.major()) == Some(version))
    );
    assert_eq!((Version::from_major(13), Version::from_major(19)), (None, None));
}

#[test]
fn a_header_that_is_cut_off_is_an_error_to_who_reads_it_alone() {
    let mut writer = Writer::new(Version::V15);
    writer.align();
    for length in 0..LONG_HEADER_BYTES {
        let error = PageHeader::read(writer.start, &writer.bytes[..length]).unwrap_err();
        assert!(
            matches!(
                error.fault,
                Fault::Short {
                    what: "page header",
                    ..
                }
            ),
            "{length}: {error}"
        );
    }
}

#[test]
fn pages_of_another_version_or_system_are_refused() {
    let mut writer = Writer::new(Version::V15);
    writer.record(&RecordSpec::sized(10_000, 1));
    writer.bytes[8192] = 0x13;
    let error = writer.told(usize::MAX).error.unwrap();
    let expected = Fault::Magic {
        found: 0xD113,
        expected: Some(Version::V15),
    };
    assert_eq!((error.lsn, &error.fault), (Lsn(writer.start.0 + 8192), &expected));
    assert!(
        error
            .to_string()
            .ends_with("page with magic number 0xd113, expected 0xd110 (PostgreSQL 15)"),
        "{error}"
    );
    writer.bytes[8192] = 0x10;

    // Without a system to expect, the first segment's is expected of the next.
    let mut writer = Writer::new(Version::V15);
    writer.switch();
    writer.record(&RecordSpec::sized(100, 1));
    let second = (1 << 20) + 24;
    writer.bytes[second] ^= 1;
    let error = tell(&mut writer.reader(), &writer.bytes, 4096).error.unwrap();
    assert!(matches!(error.fault, Fault::System { expected: SYSTEM, .. }), "{error}");
}

#[test]
fn the_first_page_of_a_segment_has_a_long_header() {
    let mut writer = Writer::new(Version::V15);
    writer.align();
    writer.bytes[2] = 0;
    let error = writer.told(usize::MAX).error.unwrap();
    assert_eq!(
        (error.lsn, error.fault),
        (writer.start, Fault::ShortHeader { found: 0 })
    );
}

#[test]
fn other_segment_and_page_sizes_are_refused() {
    let mut writer = Writer::new(Version::V15);
    writer.record(&RecordSpec::sized(100, 1));
    let mut reader = Reader::at_page(writer.start, SegmentSize::new(2 << 20).unwrap()).unwrap();
    let fault = tell(&mut reader, &writer.bytes, 4096).error.unwrap().fault;
    let expected = SegmentSize::new(2 << 20).unwrap();
    assert_eq!(
        fault,
        Fault::SegmentSize {
            found: 1 << 20,
            expected
        }
    );
    writer.bytes[37] = 0x40;
    let fault = writer.told(4096).error.unwrap().fault;
    assert_eq!(
        fault,
        Fault::PageSize {
            found: 16384,
            expected: 8192
        }
    );
}

#[test]
fn a_continuation_is_neither_missed_nor_made_up() {
    let mut writer = Writer::new(Version::V15);
    let lsn = writer.record(&RecordSpec::sized(20_000, 1));
    let page = Lsn(writer.start.0 + 8192);
    let left = 20_000 - (8192 - 40);
    let mut fault = |offset: usize, bytes: &[u8]| {
        let range = 8192 + offset..8192 + offset + bytes.len();
        let before = writer.bytes[range.clone()].to_vec();
        writer.bytes[range.clone()].copy_from_slice(bytes);
        let error = writer.told(4096).error.unwrap();
        writer.bytes[range].copy_from_slice(&before);
        assert_eq!(error.lsn, lsn);
        error.fault
    };
    assert_eq!(fault(2, &[0, 0]), Fault::NoContinuation { page, expected: left });
    assert_eq!(
        fault(16, &[1, 0, 0, 0]),
        Fault::ContinuationLength {
            page,
            found: 1,
            expected: left
        }
    );

    // The same of a record that began before the first page.
    let second = Lsn(writer.start.0 + 2 * 8192);
    let mut bytes = writer.bytes[8192..].to_vec();
    bytes[8192 + 2] = 0;
    let error = tell(&mut Reader::at_page(page, writer.size).unwrap(), &bytes, 4096)
        .error
        .unwrap();
    let expected = left - (8192 - 24);
    assert_eq!(
        (error.lsn, error.fault),
        (second, Fault::NoContinuation { page: second, expected })
    );

    let mut writer = Writer::new(Version::V15);
    writer.record(&RecordSpec::sized(8192 - 40, 1));
    writer.record(&RecordSpec::sized(100, 1));
    writer.bytes[8192 + 2] = 1;
    let error = writer.told(4096).error.unwrap();
    assert_eq!(
        (error.lsn, error.fault),
        (page, Fault::UnexpectedContinuation { remaining: 0 })
    );
    writer.bytes[2] |= 1;
    let error = writer.told(4096).error.unwrap();
    assert_eq!(
        (error.lsn, error.fault),
        (writer.start, Fault::UnexpectedContinuation { remaining: 0 })
    );
}
