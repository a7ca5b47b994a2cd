use std::fmt::Write;

use super::contents::read;
use super::spec::{BlockSpec, RELATION, RecordSpec};
use crate::blocks::{Change, changes};
use crate::{Error, Fault, Rmgr, Version};

/// Changes in short: `+main 7` is modified, `<main 7` limited, `!7 1663` a database.
fn told(version: Version, spec: &RecordSpec) -> Result<String, Error> {
    let mut text = String::new();
    read(version, spec, |record| {
        changes(record, |change| {
            match change {
                Change::Modified { relation, fork, block } => write!(text, "+{fork} {block} of {}, ", relation.number),
                Change::Limited { relation, fork, blocks } => write!(text, "<{fork} {blocks} of {}, ", relation.number),
                Change::Database(files) => write!(text, "!{} in {}, ", files.database, files.tablespace),
            }
            .unwrap();
        })
    })?;
    Ok(text.trim_end_matches(", ").to_owned())
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[test]
fn every_block_reference_but_those_of_the_free_space_map_is_a_change() {
    let mut spec = RecordSpec::new(Rmgr::GIN, 0x20, &[]);
    for (fork, block) in [(0, 5), (1, 6), (2, 7), (3, 8)] {
        spec = spec.block(BlockSpec::of(fork, RELATION, fork, block));
    }
    let expected = "+main 5 of 16384, +vm 7 of 16384, +init 8 of 16384";
    assert_eq!(told(Version::V15, &spec).unwrap(), expected);
    spec.rmgr = 200;
    assert_eq!(
        told(Version::V15, &spec).unwrap(),
        expected,
        "an extension's blocks are known, too"
    );
}

#[test]
fn a_heap_record_that_clears_visibility_changes_the_map() {
    let with_flags = |offset: usize, flags: u8| {
        let mut main = vec![0; 16];
        main[offset] = flags;
        main
    };
    let far = 2 * 32_672;
    let cases = [
        // Inserts, with and without a new page, deletes, locks of rows and of updated rows, many inserts.
        (Rmgr::HEAP, 0x00, 2, 0x01, "+vm 2 of 16384"),
        (Rmgr::HEAP, 0x80, 2, 0x01, "+vm 2 of 16384"),
        (Rmgr::HEAP, 0x00, 2, 0xFE, ""),
        (Rmgr::HEAP, 0x10, 7, 0x01, "+vm 2 of 16384"),
        (Rmgr::HEAP, 0x60, 7, 0x01, "+vm 2 of 16384"),
        (Rmgr::HEAP2, 0x60, 7, 0x01, "+vm 2 of 16384"),
        (Rmgr::HEAP2, 0x50, 0, 0x01, "+vm 2 of 16384"),
        (Rmgr::HEAP2, 0xD0, 0, 0x01, "+vm 2 of 16384"),
        // Updates: of the new row's page, of the old one's, of both.
        (Rmgr::HEAP, 0x20, 7, 0x02, "+vm 2 of 16384"),
        (Rmgr::HEAP, 0x20, 7, 0x01, "+vm 1 of 16384"),
        (Rmgr::HEAP, 0xA0, 7, 0x03, "+vm 2 of 16384, +vm 1 of 16384"),
        // Records that have no such flag there.
        (Rmgr::HEAP, 0x70, 7, 0x01, ""),
        (Rmgr::HEAP2, 0x10, 7, 0xFF, ""),
        (Rmgr::HEAP2, 0x40, 0, 0xFF, ""),
    ];
    let named = "+main 65344 of 16384, +main 32673 of 16384";
    for version in Version::ALL {
        for (rmgr, info, offset, flags, map) in cases {
            let spec = RecordSpec::new(rmgr, info, &with_flags(offset, flags))
                .block(BlockSpec::of(0, RELATION, 0, far))
                .block(BlockSpec {
                    id: 1,
                    block: 32_673,
                    ..BlockSpec::default()
                });
            let expected = if map.is_empty() {
                named.to_owned()
            } else {
                format!("{map}, {named}")
            };
            assert_eq!(told(version, &spec).unwrap(), expected, "{rmgr} {info:x} {flags:x}");
        }
    }
}

#[test]
fn a_row_that_stays_on_its_page_clears_visibility_once_or_twice_in_one_place() {
    let mut main = vec![0; 14];
    main[7] = 0x01;
    let spec = RecordSpec::new(Rmgr::HEAP, 0x40, &main).block(BlockSpec::of(0, RELATION, 0, 32_671));
    assert_eq!(
        told(Version::V16, &spec).unwrap(),
        "+vm 0 of 16384, +main 32671 of 16384"
    );
}

#[test]
fn cleared_visibility_without_a_block_or_a_flag_that_is_cut_off_is_an_error() {
    let error = told(Version::V16, &RecordSpec::new(Rmgr::HEAP, 0x00, &[0, 0, 1])).unwrap_err();
    assert!(
        matches!(
            error.fault,
            Fault::Field {
                found: 1,
                offset: 2,
                ..
            }
        ),
        "{error}"
    );
    let spec = RecordSpec::new(Rmgr::HEAP, 0x10, &[0; 7]).block(BlockSpec::of(0, RELATION, 0, 1));
    let error = told(Version::V16, &spec).unwrap_err();
    assert!(matches!(error.fault, Fault::Short { needed: 1, .. }), "{error}");
}

#[test]
fn files_that_come_and_go_are_limits() {
    let of = |rmgr, info: u8, main: &[u32]| told(Version::V15, &RecordSpec::new(rmgr, info | 1, &words(main))).unwrap();
    assert_eq!(of(Rmgr::STORAGE, 0x10, &[1663, 5, 9, 0]), "<main 0 of 9");
    assert_eq!(of(Rmgr::STORAGE, 0x10, &[1663, 5, 9, 1]), "");
    assert_eq!(of(Rmgr::STORAGE, 0x10, &[1663, 5, 9, 3]), "<init 0 of 9");
    assert_eq!(of(Rmgr::DATABASE, 0x00, &[7, 1663, 1, 1664]), "!7 in 1663");
    assert_eq!(of(Rmgr::DATABASE, 0x10, &[7, 1663]), "!7 in 1663");
    assert_eq!(of(Rmgr::DATABASE, 0x20, &[7, 2, 1663, 1700]), "!7 in 1663, !7 in 1700");
    assert_eq!(of(Rmgr::DATABASE, 0x20, &[7, 0]), "");
    // A commit and an abort with the files of two relations.
    let end = [0, 0, 4, 2, 1663, 5, 9, 1663, 5, 10];
    let gone = "<main 0 of 9, <vm 0 of 9, <init 0 of 9, <main 0 of 10, <vm 0 of 10, <init 0 of 10";
    for info in [0x80, 0xA0, 0xB0, 0xC0] {
        assert_eq!(of(Rmgr::TRANSACTION, info, &end), gone, "{info:x}");
    }
}

#[test]
fn a_cut_limits_the_map_to_what_the_rest_needs_and_changes_its_last_block() {
    let of = |blocks, forks| {
        let main = words(&[blocks, 1663, 5, 9, forks]);
        told(Version::V18, &RecordSpec::new(Rmgr::STORAGE, 0x21, &main)).unwrap()
    };
    assert_eq!(of(100, 7), "<main 100 of 9, <vm 1 of 9, +vm 0 of 9");
    assert_eq!(of(100, 1), "<main 100 of 9");
    assert_eq!(of(100, 4), "");
    assert_eq!(of(0, 7), "<main 0 of 9, <vm 0 of 9");
    assert_eq!(of(32_672, 2), "<vm 1 of 9");
    assert_eq!(of(32_673, 2), "<vm 2 of 9, +vm 1 of 9");
    assert_eq!(of(u32::MAX, 2), "<vm 131458 of 9, +vm 131457 of 9");
}

#[test]
fn a_change_of_files_that_nobody_knows_is_an_error() {
    for rmgr in [Rmgr(200), Rmgr::GENERIC, Rmgr::RELMAP] {
        let error = told(Version::V15, &RecordSpec::new(rmgr, 0x31, &[])).unwrap_err();
        assert_eq!(error.fault, Fault::UnknownFileChange { rmgr, info: 0x31 });
        assert_eq!(told(Version::V15, &RecordSpec::new(rmgr, 0x30, &[])).unwrap(), "");
    }
    let error = told(Version::V15, &RecordSpec::new(Rmgr::STORAGE, 0x31, &[])).unwrap_err();
    assert!(matches!(error.fault, Fault::Field { found: 0x30, .. }), "{error}");
}
