use proptest::prelude::*;
use synapse_wal_types::{Lsn, TimelineId};

use crate::{
    InvalidHistory, RecordKind, Rmgr, SegmentName, SegmentNumber, SegmentSize, TimelineHistory, Version, WalFile,
};

#[test]
fn resource_managers_have_the_names_of_pg_waldump() {
    let names: Vec<String> = (0..24).map(|id| Rmgr(id).to_string()).collect();
    let expected = "XLOG Transaction Storage CLOG Database Tablespace MultiXact RelMap Standby Heap2 Heap Btree Hash Gin \
                    Gist Sequence SPGist BRIN CommitTs ReplicationOrigin Generic LogicalMessage 22 23";
    assert_eq!(names.join(" "), expected);
    assert_eq!(
        (Rmgr(128).to_string(), Rmgr(255).to_string()),
        ("custom128".to_owned(), "custom255".to_owned())
    );
}

#[test]
fn resource_managers_of_extensions_exist_from_15_on() {
    for version in Version::ALL {
        let valid: Vec<u8> = (0..=255).filter(|id| Rmgr(*id).is_valid(version)).collect();
        let custom = if version == Version::V14 { 0 } else { 128 };
        assert_eq!(valid.len(), 22 + custom, "{version}");
        assert!(valid.iter().all(|id| *id < 22 || Rmgr(*id).is_custom()));
    }
}

#[test]
fn operations_are_named_as_their_version_does() {
    let name = |rmgr, info, version| RecordKind::new(rmgr, info).display(version).to_string();
    let all = |rmgr, info| Version::ALL.map(|version| name(rmgr, info, version));
    assert_eq!(
        all(Rmgr::DATABASE, 0x10),
        [
            "DROP",
            "CREATE_WAL_LOG",
            "CREATE_WAL_LOG",
            "CREATE_WAL_LOG",
            "CREATE_WAL_LOG"
        ]
    );
    let prune = "PRUNE_ON_ACCESS";
    assert_eq!(all(Rmgr::HEAP2, 0x10), ["PRUNE", "PRUNE", "PRUNE", prune, prune]);
    let redo = "CHECKPOINT_REDO";
    assert_eq!(
        all(Rmgr::XLOG, 0xE0),
        ["UNKNOWN (e0)", "UNKNOWN (e0)", "UNKNOWN (e0)", redo, redo]
    );
    // The flag of further parts is no part of the operation; the format's own bits never are.
    assert_eq!(name(Rmgr::TRANSACTION, 0x80 | 0x01, Version::V15), "COMMIT");
    assert_eq!(name(Rmgr::HEAP, 0x80 | 0x02, Version::V15), "INSERT+INIT");
    assert_eq!(name(Rmgr(200), 0x30, Version::V15), "UNKNOWN (30)");
    assert_eq!(RecordKind::new(Rmgr::HEAP, 0x8F).operation(), 0x80);
}

#[test]
fn every_operation_of_a_version_has_one_name() {
    for (version, count) in Version::ALL.into_iter().zip([121, 122, 122, 123, 123]) {
        let named =
            (0..=255).flat_map(|rmgr| (0..16).map(move |operation| RecordKind::new(Rmgr(rmgr), operation << 4)));
        let mut named: Vec<_> = named
            .filter(|kind| kind.rmgr() != Rmgr::GENERIC && kind.name(version).is_some())
            .collect();
        named.sort();
        named.dedup();
        assert_eq!(named.len(), count, "{version}");
    }
}

#[test]
fn segments_are_numbered_and_named_by_their_size() {
    let name =
        |lsn, size: u32| SegmentName::at(Lsn(lsn), TimelineId(0x1A), SegmentSize::new(size << 20).unwrap()).to_string();
    assert_eq!(name(0x1_0200_0000, 16), "0000001A0000000100000002");
    assert_eq!(name(0x1_0200_0000, 1), "0000001A0000000100000020");
    assert_eq!(name(0x3_FFFF_FFFF, 1024), "0000001A0000000300000003");
    assert_eq!(name(u64::MAX, 1), "0000001AFFFFFFFF00000FFF");
}

#[test]
fn only_powers_of_two_from_one_mebibyte_to_one_gibibyte_are_segment_sizes() {
    let sizes: Vec<u32> = (0..32)
        .map(|bit| 1 << bit)
        .filter(|size| SegmentSize::new(*size).is_ok())
        .collect();
    assert_eq!(
        (sizes.len(), sizes.first(), sizes.last()),
        (11, Some(&(1 << 20)), Some(&(1 << 30)))
    );
    for wrong in [0, 1, (1 << 20) - 1, (1 << 20) + 1, 3 << 20, (1 << 30) + 1, u32::MAX] {
        assert_eq!(SegmentSize::new(wrong).unwrap_err().bytes, wrong);
    }
}

#[test]
fn names_that_no_archived_file_has_are_refused() {
    let size = SegmentSize::DEFAULT;
    let good = [
        "0000000100000000000000FF",
        "000000010000000000000001.partial",
        "00000002.history",
    ];
    let backup = "000000010000000000000001.00FFFFF8.backup";
    for name in good.into_iter().chain([backup]) {
        assert_eq!(WalFile::parse(name, size).unwrap().to_string(), name);
    }
    for name in [
        "",
        "000000010000000000000100",
        "00000001000000000000000g",
        "0000000100000000000000ff",
        "00000001000000000000001",
        "0000000100000000000000010",
        "000000010000000000000001.",
        "000000010000000000000001.done",
        "000000010000000000000001.01000000.backup",
        "000000010000000000000001.28.backup",
        "0000002.history",
        "00000002.history.partial",
        "+0000002.history",
        "é000000100000000000000",
        "archive_status",
    ] {
        let error = WalFile::parse(name, size).unwrap_err();
        assert_eq!(error.name, name);
    }
}

proptest! {
    #[test]
    fn names_round_trip(timeline in 1u32.., lsn in any::<u64>(), bits in 20..=30u32, offset in any::<u32>(), form in 0..4) {
        let size = SegmentSize::new(1 << bits).unwrap();
        let segment = SegmentName::at(Lsn(lsn), TimelineId(timeline), size);
        let file = match form {
            0 => WalFile::Segment(segment),
            1 => WalFile::Partial(segment),
            2 => WalFile::Backup { segment, offset: offset % size.bytes() },
            _ => WalFile::History(TimelineId(timeline)),
        };
        prop_assert_eq!(WalFile::parse(&file.to_string(), size), Ok(file));
        prop_assert!(segment.start() <= Lsn(lsn) && (Lsn(lsn) < segment.end() || segment.end() == Lsn(u64::MAX)));
        prop_assert_eq!(lsn - segment.start().0, u64::from(size.offset(Lsn(lsn))));
        prop_assert_eq!(segment.number, SegmentNumber::of(segment.start(), size));
    }

    #[test]
    fn histories_round_trip(
        steps in prop::collection::vec((1u32..5, any::<u64>(), "[ -~]{0,20}"), 0..6),
        last in 1u32..5,
    ) {
        let mut history = TimelineHistory::first(TimelineId(1));
        let mut next = 1;
        for (step, end, reason) in steps {
            next += step;
            history = history.branch(TimelineId(next), Lsn(end), &reason).unwrap();
        }
        let history = history.branch(TimelineId(next + last), Lsn(7), "end").unwrap();
        prop_assert_eq!(TimelineHistory::parse(history.timeline(), &history.to_string()), Ok(history));
    }
}

#[test]
fn a_history_says_which_timeline_a_position_belongs_to() {
    let text =
        "1\t0/3000000\tno recovery target specified\n\n# a comment\n2\t0/5000060\tbefore 2000-01-01 00:00:00+00\n";
    let history = TimelineHistory::parse(TimelineId(4), text).unwrap();
    let at = |lsn| history.timeline_at(Lsn(lsn)).0;
    assert_eq!(
        [at(0), at(0x2FF_FFFF), at(0x300_0000), at(0x500_005F), at(0x500_0060)],
        [1, 1, 2, 2, 4]
    );
    assert_eq!(history.left_at(TimelineId(2)), Some(Lsn(0x500_0060)));
    assert_eq!(
        (history.left_at(TimelineId(4)), history.left_at(TimelineId(3))),
        (None, None)
    );
    assert_eq!(history.ancestors()[1].reason, "before 2000-01-01 00:00:00+00");
    assert_eq!(history.to_string(), text.replace("# a comment\n", ""));
    assert_eq!(
        TimelineHistory::parse(TimelineId(1), ""),
        Ok(TimelineHistory::first(TimelineId(1)))
    );
}

#[test]
fn what_is_no_history_is_refused_with_its_line() {
    let timeline = TimelineId(3);
    let parse = |text| TimelineHistory::parse(timeline, text).unwrap_err();
    let found = |text: &str| text.to_owned();
    assert_eq!(
        parse("one\t0/0"),
        InvalidHistory::Timeline {
            timeline,
            line: 1,
            found: found("one\t0/0")
        }
    );
    assert_eq!(
        parse("\n1"),
        InvalidHistory::Position {
            timeline,
            line: 2,
            found: found("1")
        }
    );
    assert_eq!(
        parse("1\tabc\tx"),
        InvalidHistory::Position {
            timeline,
            line: 1,
            found: found("1\tabc\tx")
        }
    );
    let order = InvalidHistory::Order {
        timeline,
        line: 2,
        after: TimelineId(2),
        found: TimelineId(2),
    };
    assert_eq!(parse("2\t0/1\tx\n2\t0/2\tx"), order);
    assert_eq!(
        parse("3\t0/1\tx"),
        InvalidHistory::Ancestor {
            timeline,
            found: TimelineId(3)
        }
    );
    let child = TimelineHistory::first(timeline).branch(timeline, Lsn(1), "");
    assert_eq!(
        child,
        Err(InvalidHistory::Ancestor {
            timeline,
            found: timeline
        })
    );
}
