use proptest::prelude::*;
use synapse_wal_types::{Lsn, TimelineId};

use super::spec::RecordSpec;
use super::writer::{SYSTEM, Writer, tell};
use crate::{Event, Fault, InvalidStart, PAGE_BYTES, Pending, Reader, Version};

/// Sizes around everything that matters: the least record, short and long main data, page ends, many pages.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![
        Just(24),
        26..400usize,
        281..9_000usize,
        8_100..8_300usize,
        15_000..60_000usize
    ];
    prop::collection::vec(size.prop_filter("no such main data", |size| *size != 25), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_written_is_read_in_pieces_of_any_size(sizes in sizes(), piece in 1..20_000usize, major in 14..=18u32) {
        let mut writer = Writer::new(Version::from_major(major).unwrap());
        for (seed, size) in sizes.iter().enumerate() {
            writer.record(&RecordSpec::sized(*size, seed as u8));
        }
        let whole = writer.told(usize::MAX);
        prop_assert_eq!(&whole.error, &None);
        prop_assert_eq!(whole.lsns(), writer.lsns.clone());
        let mut previous = Lsn(0x1F_FF00);
        for (seed, ((lsn, next, bytes), size)) in whole.records.iter().zip(&sizes).enumerate() {
            prop_assert_eq!(bytes, &RecordSpec::sized(*size, seed as u8).encode(previous));
            prop_assert!(*next >= Lsn(lsn.0 + bytes.len() as u64) && next.0 % 8 == 0);
            previous = *lsn;
        }
        prop_assert_eq!(writer.told(piece), whole);
    }

    #[test]
    fn reading_begins_at_any_page_and_any_record(sizes in sizes(), pick in any::<prop::sample::Index>()) {
        let mut writer = Writer::new(Version::V17);
        for (seed, size) in sizes.iter().enumerate() {
            writer.record(&RecordSpec::sized(*size, seed as u8));
        }
        let whole = writer.told(usize::MAX);
        let page = pick.index(writer.bytes.len().div_ceil(PAGE_BYTES as usize)) * PAGE_BYTES as usize;
        let lsn = Lsn(writer.start.0 + page as u64);
        let found = tell(&mut Reader::at_page(lsn, writer.size).unwrap(), &writer.bytes[page..], 4096);
        let expected: Vec<_> = whole.records.iter().filter(|record| record.0 >= lsn).cloned().collect();
        prop_assert_eq!((found.records, found.error), (expected, None));

        let at = pick.index(whole.records.len());
        let lsn = whole.records[at].0;
        let mut reader = Reader::at_record(lsn, writer.size, Version::V17).unwrap();
        let found = tell(&mut reader, &writer.bytes[(lsn.0 - writer.start.0) as usize..], 4096);
        prop_assert_eq!((found.records, found.error), (whole.records[at..].to_vec(), None));
    }
}

#[test]
fn a_record_within_a_page_is_borrowed_and_one_across_pages_is_not() {
    let mut writer = Writer::new(Version::V16);
    writer.record(&RecordSpec::sized(100, 1));
    writer.record(&RecordSpec::sized(9_000, 2));
    let input = writer.bytes.as_ptr_range();
    let mut reader = writer.reader();
    let mut feed = reader.feed(&writer.bytes);
    let mut borrowed = Vec::new();
    while let Some(event) = feed.poll().unwrap() {
        if let Event::Record(record) = event {
            borrowed.push(input.contains(&record.bytes().as_ptr()));
        }
    }
    assert_eq!(borrowed, [true, false]);
}

#[test]
fn segments_follow_each_other_and_say_where_they_begin() {
    let mut writer = Writer::new(Version::V14);
    let sizes = [900_000, 300_000, 1_200_000];
    for (seed, size) in sizes.into_iter().enumerate() {
        writer.record(&RecordSpec::sized(size, seed as u8));
    }
    let told = writer.told(65_536);
    assert_eq!(told.error, None);
    assert_eq!(told.records.len(), 3);
    let starts: Vec<_> = told
        .others
        .iter()
        .filter(|other| other.starts_with("Segment"))
        .collect();
    assert_eq!(starts.len(), 3);
    assert!(
        starts[2].contains("lsn: 0/400000, timeline: TimelineId(3), version: V14"),
        "{}",
        starts[2]
    );
}

#[test]
fn what_a_switch_leaves_is_passed_and_looked_at() {
    let mut writer = Writer::new(Version::V18);
    writer.record(&RecordSpec::sized(100, 1));
    let switch = writer.switch();
    let after = writer.record(&RecordSpec::sized(100, 2));
    let told = writer.told(10_000);
    assert_eq!((told.error.clone(), told.lsns()), (None, writer.lsns.clone()));
    assert_eq!(told.records[1].1, Lsn(0x30_0000), "a switch ends with its segment");
    assert!(after > told.records[1].1);
    let unused = format!("switch: {switch}, from: {}, to: 0/300000", Lsn(switch.0 + 24));
    assert!(
        told.others[1].contains(&format!("{unused}, nonzero: None")),
        "{:?}",
        told.others
    );

    // A receiver that left an old segment's bytes there has done no damage.
    writer.bytes[0x9_0001] = 1;
    let told = writer.told(10_000);
    assert_eq!(told.lsns(), writer.lsns);
    assert!(
        told.others[1].contains(&format!("{unused}, nonzero: Some(0/290001)")),
        "{:?}",
        told.others
    );
}

#[test]
fn a_switch_at_the_very_end_of_a_segment_leaves_nothing() {
    let mut writer = Writer::new(Version::V15);
    let end = writer.start.0 + u64::from(writer.size.bytes());
    while end - writer.position().0 > 3 * u64::from(PAGE_BYTES) {
        writer.record(&RecordSpec::sized(3_000, 1));
    }
    // Two page headers are still to come.
    let left = (end - writer.position().0.next_multiple_of(8) - 24) as usize;
    let headers = (left / PAGE_BYTES as usize) * 24;
    writer.record(&RecordSpec::sized(left - headers, 2));
    writer.switch();
    assert_eq!(writer.position().0, end);
    writer.record(&RecordSpec::sized(100, 3));
    let told = writer.told(usize::MAX);
    assert_eq!((told.error.clone(), told.lsns()), (None, writer.lsns.clone()));
    assert!(
        !told.others.iter().any(|other| other.starts_with("Unused")),
        "{:?}",
        told.others
    );
}

#[test]
fn a_record_that_was_lost_in_a_crash_is_passed_over() {
    for pages in 1..4 {
        let mut writer = Writer::new(Version::V15);
        writer.record(&RecordSpec::sized(100, 1));
        let lost = writer.lost(&RecordSpec::sized(40_000, 2), pages);
        let page = writer.position().0 / 8192 * 8192;
        writer.overwrite(lost);
        writer.record(&RecordSpec::sized(100, 3));
        let told = writer.told(777);
        assert_eq!((told.error.clone(), told.lsns()), (None, writer.lsns.clone()));
        let overwritten = format!("Overwritten(Overwritten {{ record: {lost}, page: {} }})", Lsn(page));
        assert_eq!(told.others[1], overwritten);
    }
}

#[test]
fn a_record_that_overwrites_another_one_than_was_lost_is_an_error() {
    let mut writer = Writer::new(Version::V15);
    let lost = writer.lost(&RecordSpec::sized(40_000, 2), 2);
    let wrong = Lsn(lost.0 + 8);
    let lsn = writer.overwrite(wrong);
    let error = writer.told(usize::MAX).error.unwrap();
    assert_eq!(
        (error.lsn, error.fault),
        (
            lsn,
            Fault::Overwrites {
                found: wrong,
                expected: lost
            }
        )
    );
}

#[test]
fn the_first_record_follows_whom_the_caller_says() {
    let mut writer = Writer::new(Version::V15);
    writer.record(&RecordSpec::sized(100, 1));
    let follow = |previous| tell(&mut writer.reader().following(previous), &writer.bytes, 100);
    assert_eq!(follow(Lsn(0x1F_FF00)).error, None);
    let error = follow(Lsn(0x1F_FE00)).error.unwrap();
    let expected = Fault::PreviousLink {
        found: Lsn(0x1F_FF00),
        expected: Lsn(0x1F_FE00),
    };
    assert_eq!((error.lsn, error.fault), (writer.lsns[0], expected));
}

#[test]
fn a_first_record_points_backwards() {
    for (ahead, is_good) in [(-8, true), (0, false), (8, false)] {
        let mut writer = Writer::new(Version::V15);
        writer.previous = Lsn((writer.start.0 + 40).wrapping_add_signed(ahead));
        let found = writer.previous;
        let lsn = writer.record(&RecordSpec::sized(100, 1));
        let error = writer.told(usize::MAX).error;
        let expected = (!is_good).then_some((lsn, Fault::PreviousAhead { found }));
        assert_eq!(error.map(|error| (error.lsn, error.fault)), expected);
    }
}

#[test]
fn timelines_grow_within_the_wal_and_records_say_their_page_s() {
    let mut writer = Writer::new(Version::V15);
    writer.record(&RecordSpec::sized(8_000, 1));
    writer.timeline = TimelineId(5);
    writer.record(&RecordSpec::sized(8_000, 2));
    writer.record(&RecordSpec::sized(100, 3));
    let mut reader = writer.reader();
    let mut feed = reader.feed(&writer.bytes);
    let mut timelines = Vec::new();
    while let Some(event) = feed.poll().unwrap() {
        if let Event::Record(record) = event {
            timelines.push(record.page_timeline.0);
        }
    }
    assert_eq!(timelines, [3, 3, 5]);
    let error = tell(&mut writer.reader().from_timeline(TimelineId(4)), &writer.bytes, 100)
        .error
        .unwrap();
    let expected = Fault::PageTimeline {
        found: TimelineId(3),
        after: TimelineId(4),
    };
    assert_eq!((error.lsn, error.fault), (writer.start, expected));
}

#[test]
fn a_reader_says_where_it_stands_and_what_it_waits_for() {
    let mut writer = Writer::new(Version::V15);
    let lsn = writer.record(&RecordSpec::sized(20_000, 1));
    let mut reader = writer.reader().of_system(SYSTEM);
    for (fed, pending) in [
        (30, None),
        (42, Some((2, None))),
        (50, Some((10, Some(20_000)))),
        (8_192 + 20, Some((8_152, Some(20_000)))),
    ] {
        let taken = (reader.position().0 - writer.start.0) as usize;
        assert!(tell(&mut reader, &writer.bytes[taken..fed], usize::MAX).error.is_none());
        assert_eq!(reader.position(), Lsn(writer.start.0 + fed as u64));
        let expected = pending.map(|(held, total)| Pending { lsn, held, total });
        assert_eq!(reader.pending(), expected);
    }
}

#[test]
fn input_that_is_not_polled_is_not_taken() {
    let mut writer = Writer::new(Version::V15);
    writer.record(&RecordSpec::sized(100, 1));
    writer.record(&RecordSpec::sized(100, 2));
    let mut reader = writer.reader();
    assert!(matches!(reader.feed(&writer.bytes).poll(), Ok(Some(Event::Segment(_)))));
    let taken = (reader.position().0 - writer.start.0) as usize;
    assert_eq!(taken, 40);
    assert_eq!(tell(&mut reader, &writer.bytes[taken..], 64).lsns(), writer.lsns);
}

#[test]
fn reading_begins_at_pages_and_records_only() {
    let size = Writer::new(Version::V15).size;
    let at = |lsn| Reader::at_page(Lsn(lsn), size).map(|_| ());
    assert_eq!(at(0x20_2000), Ok(()));
    assert!(matches!(
        at(0x20_2008),
        Err(InvalidStart {
            lsn: Lsn(0x20_2008),
            ..
        })
    ));
    let at = |lsn| Reader::at_record(Lsn(lsn), size, Version::V15).map(|_| ()).is_ok();
    let allowed = [
        (0x20_2000, true),
        (0x20_2008, false),
        (0x20_2018, true),
        (0x20_201C, false),
        (0x20_3FF8, true),
    ];
    for (lsn, is_allowed) in allowed {
        assert_eq!(at(lsn), is_allowed, "{lsn:x}");
    }
}

#[test]
fn an_error_is_final() {
    let mut writer = Writer::new(Version::V15);
    writer.record(&RecordSpec::sized(100, 1));
    writer.bytes[60] ^= 1;
    let mut reader = writer.reader();
    let error = tell(&mut reader, &writer.bytes, 100).error.unwrap();
    writer.bytes[60] ^= 1;
    assert_eq!(tell(&mut reader, &writer.bytes, 100).error, Some(error));
}
