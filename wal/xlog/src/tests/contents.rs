//! What records say, besides the parts of commits.

use super::spec::{BlockSpec, ImageSpec, RELATION, RecordSpec};
use super::writer::Writer;
use crate::control::Control;
use crate::storage::Storage;
use crate::transaction::Transaction;
use crate::{Compression, Event, Fork, Record, Rmgr, Stats, Version};

/// Shows the only record of a WAL to `look`.
pub(super) fn read<T>(version: Version, spec: &RecordSpec, look: impl FnOnce(&Record<'_>) -> T) -> T {
    let mut writer = Writer::new(version);
    writer.record(spec);
    let mut reader = writer.reader();
    let mut feed = reader.feed(&writer.bytes);
    while let Some(event) = feed.poll().unwrap() {
        if let Event::Record(record) = event {
            return look(&record);
        }
    }
    panic!("no record");
}

/// What the decoder for its resource manager says of a record.
pub(super) fn read_all(version: Version, spec: &RecordSpec) -> String {
    read(version, spec, |record| {
        let control = Control::read(record).map(|said| said.map(|said| format!("{said:?}")));
        let storage = Storage::read(record).map(|said| said.map(|said| format!("{said:?}")));
        let transaction = Transaction::read(record).map(|said| said.map(|said| format!("{said:?}")));
        let said = [control, storage, transaction].map(|said| said.unwrap_or_else(|error| Some(error.to_string())));
        said.into_iter().flatten().collect::<Vec<_>>().join("; ")
    })
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[test]
fn a_record_shows_its_header_and_its_parts() {
    let image = ImageSpec {
        bytes: vec![3; 700],
        hole_offset: 64,
        info: 0x0B,
        hole_length: Some(1_000),
    };
    let spec = RecordSpec {
        rmgr: Rmgr::BTREE.0,
        info: 0x30 | 0x02,
        xid: 77,
        origin: Some(12),
        top_level: Some(70),
        blocks: vec![
            BlockSpec {
                image: Some(image),
                data: vec![1, 2],
                ..BlockSpec::of(1, RELATION, 0, 9)
            },
            BlockSpec {
                id: 4,
                fork: 2,
                block: 10,
                ..BlockSpec::default()
            },
        ],
        main: vec![8; 300],
    };
    read(Version::V15, &spec, |record| {
        assert_eq!((record.xid().0, record.info(), record.rmgr()), (77, 0x32, Rmgr::BTREE));
        assert_eq!(
            (record.origin(), record.top_level_xid().map(|xid| xid.0)),
            (Some(12), Some(70))
        );
        assert_eq!(record.kind().name(record.version), Some("SPLIT_L"));
        assert_eq!(record.main_data(), [8; 300]);
        assert_eq!(record.total_bytes() as usize, record.bytes().len());
        assert_eq!((record.image_bytes(), record.previous().0), (700, 0x1F_FF00));
        assert_eq!(record.crc().to_le_bytes(), record.bytes()[20..24]);
        assert!(!record.changes_files() && !record.is_switch());
        let blocks: Vec<_> = record.block_refs().collect();
        assert_eq!(record.block_refs().len(), 2);
        assert_eq!((blocks[0].id, blocks[0].relation, blocks[0].block.0), (1, RELATION, 9));
        let image = blocks[0].image.unwrap();
        assert_eq!(
            (image.bytes, image.compression, image.is_applied),
            (&[3; 700][..], Compression::Lz4, true)
        );
        assert_eq!(
            (image.hole.offset, image.hole.length, blocks[0].data),
            (64, 1_000, &[1, 2][..])
        );
        assert_eq!(
            (blocks[1].id, blocks[1].relation, blocks[1].fork),
            (4, RELATION, Fork::VisibilityMap)
        );
        assert!(blocks[1].image.is_none() && blocks[1].data.is_empty());
    });
}

#[test]
fn compression_is_told_by_the_bits_of_the_version() {
    let compression = |version, info, hole: Option<u16>| {
        let image = ImageSpec {
            bytes: vec![1; 10],
            hole_offset: if hole.is_some() { 8 } else { 0 },
            info,
            hole_length: hole,
        };
        let block = BlockSpec {
            image: Some(image),
            ..BlockSpec::of(0, RELATION, 0, 0)
        };
        read(version, &RecordSpec::default().block(block), |record| {
            let image = record.block_refs().next().unwrap().image.unwrap();
            (image.compression, image.is_applied)
        })
    };
    assert_eq!(compression(Version::V14, 0x02, None), (Compression::Pglz, false));
    assert_eq!(compression(Version::V14, 0x07, Some(5)), (Compression::Pglz, true));
    assert_eq!(compression(Version::V15, 0x04, None), (Compression::Pglz, false));
    assert_eq!(compression(Version::V16, 0x0B, Some(5)), (Compression::Lz4, true));
    assert_eq!(compression(Version::V18, 0x12, None), (Compression::Zstd, true));
}

#[test]
fn a_checkpoint_is_read_by_its_version() {
    let mut main = Vec::new();
    main.extend(0x1_0000_0028u64.to_le_bytes());
    main.extend(words(&[4, 3, 1, 2, 1000, 1, 24_576, 7, 8, 700, 1, 1, 5, 0]));
    main.extend(794_000_000i64.to_le_bytes());
    main.extend(words(&[11, 12, 999, 0]));
    let of = |version| read_all(version, &RecordSpec::new(Rmgr::XLOG, 0x10, &main));
    let level = |level: &str| {
        format!(
            "Checkpoint(Checkpoint {{ kind: Online, redo: 1/28, timeline: TimelineId(4), previous_timeline: TimelineId(3), \
             full_page_writes: true, wal_level: {level}, next_xid_epoch: 1, next_xid: Xid(1000), next_oid: Oid(24576), \
             next_multi: 7, next_multi_offset: 8, oldest_xid: Xid(700), oldest_xid_database: Oid(1), oldest_multi: 1, \
             oldest_multi_database: Oid(5), time: PgTimestamp(-152684800000000), oldest_commit_ts_xid: Xid(11), \
             newest_commit_ts_xid: Xid(12), oldest_active_xid: Xid(999) }})"
        )
    };
    assert_eq!(of(Version::V16), level("None"));
    assert_eq!(of(Version::V18), level("Some(Logical)"));
    let cut = RecordSpec::new(Rmgr::XLOG, 0x00, &main[..40]);
    assert!(
        read_all(Version::V16, &cut).contains("checkpoint ends early"),
        "{}",
        read_all(Version::V16, &cut)
    );
}

#[test]
fn what_the_wal_says_about_itself_is_read() {
    let of = |version, info, main: &[u8]| read_all(version, &RecordSpec::new(Rmgr::XLOG, info, main));
    let mut point = 5i64.to_le_bytes().to_vec();
    point.extend(*b"before the change");
    point.resize(72, 0);
    let name = format!("{:?}", b"before the change");
    let v = Version::V17;
    assert_eq!(
        of(v, 0x70, &point),
        format!("RestorePoint(RestorePoint {{ time: PgTimestamp(5), name: {name} }})")
    );
    assert!(of(v, 0x70, &point[..71]).contains("restore point ends early"));
    assert_eq!(of(v, 0x40, &[]), "Switch");
    assert_eq!(of(v, 0x30, &words(&[24_576])), "NextOid(Oid(24576))");
    assert_eq!(of(v, 0x50, &words(&[0x28, 1])), "BackupEnd { start: 1/28 }");
    assert_eq!(of(v, 0x80, &[1]), "FullPageWrites { on: true }");
    assert_eq!(of(v, 0xE0, &words(&[1])), "CheckpointRedo { wal_level: Replica }");
    assert_eq!(of(Version::V16, 0xE0, &words(&[1])), "");
    assert!(of(v, 0xE0, &words(&[3])).contains("has 3 at offset 0, expected a wal_level from 0 to 2"));
    assert_eq!(
        (of(v, 0xA0, &[]), of(v, 0xB0, &[]), of(v, 0x20, &[])),
        (String::new(), String::new(), String::new())
    );
    let end = words(&[9, 0, 5, 4, 0, 0]);
    let told = "EndOfRecovery(EndOfRecovery { time: PgTimestamp(9), timeline: TimelineId(5), previous_timeline: TimelineId(4), ";
    assert_eq!(of(Version::V16, 0x90, &end), format!("{told}wal_level: None }})"));
    assert_eq!(of(v, 0x90, &end), format!("{told}wal_level: Some(Minimal) }})"));
    let change = of(v, 0x60, &[words(&[100, 8, 10, 0, 64, 2]), vec![0, 1, 0, 0]].concat());
    assert!(
        change.contains("max_connections: 100") && change.contains("wal_level: Logical"),
        "{change}"
    );
    assert!(
        change.contains("wal_log_hints: false, track_commit_timestamp: true"),
        "{change}"
    );
}

#[test]
fn a_prepared_transaction_is_read_by_its_version() {
    for version in Version::ALL {
        let stats = if version == Version::V14 { vec![] } else { vec![1, 0] };
        let head = [
            words(&[0x57F9_4534, 200, 40, 5, 6, 0, 10, 1, 1, 0]),
            words(&stats),
            words(&[1]),
        ]
        .concat();
        let mut main = [head, vec![0, 0, 4, 0], words(&[0x80, 0, 3, 0]), b"gid\0".to_vec()].concat();
        main.resize(main.len().next_multiple_of(8), 0);
        main.extend(words(&[41, 0, 1663, 5, 99, 0]));
        match version {
            Version::V14 => {}
            Version::V15 | Version::V16 | Version::V17 => main.extend(words(&[2, 5, 99, 0])),
            Version::V18 => main.extend(words(&[2, 5, 99, 1])),
        }
        main.extend([0; 16]);
        let spec = RecordSpec::new(Rmgr::TRANSACTION, 0x10, &main);
        let told = read_all(version, &spec);
        for part in [
            "xid: Xid(40)",
            "database: Oid(5)",
            "owner: Oid(10)",
            "time: PgTimestamp(6)",
            "[Xid(41)]",
            "invalidations: 1",
        ] {
            assert!(told.contains(part), "{version}: {part}: {told}");
        }
        assert!(told.contains(&format!("identifier: {:?}", b"gid")), "{version}: {told}");
        assert!(
            told.contains("lsn: 0/80, time: PgTimestamp(3)") && told.contains("number: Oid(99)"),
            "{version}: {told}"
        );
        let object = if version == Version::V18 { (1u64 << 32) + 99 } else { 99 };
        assert_eq!(
            told.contains(&format!("object: {object} ")),
            version >= Version::V15,
            "{version}: {told}"
        );
        for length in 0..main.len() {
            let cut = read_all(version, &RecordSpec::new(Rmgr::TRANSACTION, 0x10, &main[..length]));
            assert!(cut.contains("prepare ends early"), "{version} {length}: {cut}");
        }
    }
}

#[test]
fn what_happens_to_files_is_read_by_its_version() {
    let of = |version, rmgr, info, main: &[u32]| read_all(version, &RecordSpec::new(rmgr, info, &words(main)));
    let files =
        |database, tablespace| format!("DatabaseFiles {{ database: Oid({database}), tablespace: Oid({tablespace}) }}");
    let copied = format!(
        "DatabaseCopied {{ database: {}, from: {} }}",
        files(7, 1663),
        files(1, 1664)
    );
    let dropped = "DatabaseDropped { database: Oid(7), tablespaces: [Oid(1663), Oid(1700)] }";
    let drop = [7, 2, 1663, 1700];
    for version in Version::ALL {
        assert_eq!(of(version, Rmgr::DATABASE, 0x00, &[7, 1663, 1, 1664]), copied);
        let is_14 = version == Version::V14;
        assert_eq!(
            of(version, Rmgr::DATABASE, if is_14 { 0x10 } else { 0x20 }, &drop),
            dropped
        );
        if !is_14 {
            assert_eq!(
                of(version, Rmgr::DATABASE, 0x10, &[7, 1663]),
                format!("DatabaseCreated({})", files(7, 1663))
            );
        }
        let unknown = if is_14 { 0x20 } else { 0x30 };
        assert!(of(version, Rmgr::DATABASE, unknown, &drop).contains("expected an operation that this version has"));
        let created = of(version, Rmgr::STORAGE, 0x10, &[1663, 5, 16384, 3]);
        assert!(
            created.starts_with("Created {") && created.ends_with("fork: Init }"),
            "{created}"
        );
        assert!(of(version, Rmgr::STORAGE, 0x10, &[1663, 5, 16384, 4]).contains("has 4 at offset 12, expected a fork"));
        let truncated = of(version, Rmgr::STORAGE, 0x20, &[33, 1663, 5, 16384, 5]);
        assert!(
            truncated
                .contains("blocks: BlockNumber(33), of_main: true, of_visibility_map: false, of_free_space_map: true")
        );
    }
}

#[test]
fn records_are_counted_by_kind() {
    let mut stats = Stats::new();
    let image = ImageSpec {
        bytes: vec![1; 100],
        hole_offset: 10,
        info: 0x03,
        hole_length: None,
    };
    let block = BlockSpec {
        image: Some(image),
        ..BlockSpec::of(0, RELATION, 0, 0)
    };
    for spec in [
        RecordSpec::new(Rmgr::HEAP, 0x00, &[1]).block(block),
        RecordSpec::new(Rmgr::HEAP, 0x00, &[1]),
        RecordSpec::new(Rmgr::TRANSACTION, 0x80, &[1]),
        RecordSpec::new(Rmgr::TRANSACTION, 0x00, &[1]),
    ] {
        read(Version::V15, &spec, |record| stats.count(record));
    }
    let mut twice = stats.clone();
    twice.add(&stats);
    let told = |stats: &Stats| -> Vec<String> {
        let kinds = stats.kinds().map(|(kind, counts)| {
            let name = kind.display(Version::V15);
            format!(
                "{}/{name} {} {} {}",
                kind.rmgr(),
                counts.records,
                counts.record_bytes,
                counts.image_bytes
            )
        });
        kinds.collect()
    };
    assert_eq!(told(&stats), ["Transaction/COMMIT 2 54 0", "Heap/INSERT 2 79 100"]);
    assert_eq!(told(&twice), ["Transaction/COMMIT 4 108 0", "Heap/INSERT 4 158 200"]);
    assert_eq!((twice.total().records, twice.total().image_bytes), (8, 200));
}
