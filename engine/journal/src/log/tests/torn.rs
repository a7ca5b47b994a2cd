//! What a crash or a bad disk leaves behind.

use std::path::PathBuf;

use proptest::prelude::*;
use synapse_wal_types::Lsn;

use super::{open, read};
use crate::recover::CutReason;
use crate::samples::{encoded, origin, parts};
use crate::{Class, EncodedBlock, Error, Log, SEGMENT_BYTES};

fn only_file(dir: &tempfile::TempDir) -> PathBuf {
    let mut files: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.pop().unwrap()
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir, SEGMENT_BYTES);
    log.append(&encoded(&[1])).unwrap();
    log.sync().unwrap();
    let whole = log.bytes();
    log.append(&encoded(&[2, 3])).unwrap();
    drop(log);
    let path = only_file(&dir);
    let bytes = std::fs::read(&path).unwrap();
    for length in usize::try_from(whole).unwrap()..bytes.len() {
        for garbage in [0, 16, 200] {
            let mut torn = bytes[..length].to_vec();
            torn.resize(length + garbage, 0);
            std::fs::write(&path, &torn).unwrap();
            let log = open(&dir, SEGMENT_BYTES);
            // The last bytes of a block may be padding: then zeros make it whole.
            if log.end() == Lsn(1) {
                let lost = torn.len() as u64 - whole;
                assert_eq!(
                    log.cuts().iter().map(|cut| cut.bytes).sum::<u64>(),
                    lost,
                    "cut at {length}"
                );
                assert!(
                    log.cuts()
                        .iter()
                        .all(|cut| cut.reason == CutReason::Torn && cut.offset == whole)
                );
                assert_eq!(log.append(&encoded(&[2])).unwrap(), crate::Appended::New);
                assert_eq!(read(log.read_after(Lsn(0)).unwrap()), [encoded(&[1]), encoded(&[2])]);
            } else {
                assert_eq!(read(log.read_after(Lsn(1)).unwrap()), [encoded(&[2, 3])]);
            }
        }
    }
}

#[test]
fn an_unfinished_transaction_is_cut_back_to_its_first_part() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir, SEGMENT_BYTES);
    log.append(&encoded(&[1])).unwrap();
    let whole = log.bytes();
    for block in &parts(5, 4)[..3] {
        log.append(block).unwrap();
        log.sync().unwrap();
    }
    drop(log);
    let log = open(&dir, SEGMENT_BYTES);
    assert_eq!((log.end(), log.bytes()), (Lsn(1), whole));
    assert_eq!(log.cuts()[0].reason, CutReason::Unfinished);
}

#[test]
fn a_write_lost_before_a_later_one_that_was_kept_is_a_torn_tail() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir, SEGMENT_BYTES);
    log.append(&encoded(&[1])).unwrap();
    log.sync().unwrap();
    let synced = usize::try_from(log.bytes()).unwrap();
    log.append(&encoded(&[2])).unwrap();
    let lost = usize::try_from(log.bytes()).unwrap();
    log.append(&encoded(&[3])).unwrap();
    drop(log);
    let path = only_file(&dir);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[synced..lost].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    let log = open(&dir, SEGMENT_BYTES);
    assert_eq!((log.end(), log.bytes()), (Lsn(1), synced as u64));
}

#[test]
fn damage_in_what_was_synced_is_an_error_that_names_the_place() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir, SEGMENT_BYTES);
    log.append(&encoded(&[1])).unwrap();
    let place = log.bytes();
    log.append(&encoded(&[2])).unwrap();
    log.sync().unwrap();
    drop(log);
    let path = only_file(&dir);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[usize::try_from(place).unwrap() + 90] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let log = Log::open(dir.path(), origin("n1"), SEGMENT_BYTES).unwrap();
    assert_eq!((log.end(), log.durable(), log.cuts()), (Lsn(2), Lsn(2), &[][..]));
    assert_eq!((&log.damaged()[0].path, log.damaged()[0].offset), (&path, place));
    let error = log.read_after(Lsn(1)).unwrap().next_block().unwrap_err();
    assert_eq!(error.class(), Class::Definite);
    let Error::Damaged {
        path: named,
        offset,
        after,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((named, offset, after), (path, place, Lsn(1)));
}

#[test]
fn a_segment_missing_in_the_middle_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir, 300);
    for lsn in 1..6 {
        log.append(&encoded(&[lsn])).unwrap();
    }
    drop(log);
    std::fs::remove_file(dir.path().join("0000000000000003.log")).unwrap();
    let refused = Log::open(dir.path(), origin("n1"), 300);
    assert!(
        matches!(refused, Err(Error::Damaged { after: Lsn(2), .. })),
        "{refused:?}"
    );
}

#[test]
fn what_a_newer_version_wrote_is_refused_and_not_cut() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir, SEGMENT_BYTES);
    log.append(&encoded(&[1])).unwrap();
    drop(log);
    let path = only_file(&dir);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[64 + 4] = 2;
    crate::header::seal(&mut bytes[64..]);
    std::fs::write(&path, &bytes).unwrap();
    let refused = Log::open(dir.path(), origin("n1"), SEGMENT_BYTES);
    assert!(
        matches!(refused, Err(Error::UnknownVersion { version: 2, .. })),
        "{refused:?}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

/// All blocks, or the error that stops the reading.
fn read_all(log: &Log) -> Result<Vec<EncodedBlock>, Error> {
    let mut reader = log.read_after(Lsn(0))?;
    let mut blocks = Vec::new();
    while let Some(block) = reader.next_block()? {
        blocks.push(block);
    }
    Ok(blocks)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn flipped_bits_are_errors_never_other_data_and_are_repaired(
        file in any::<prop::sample::Index>(),
        flips in proptest::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let log = open(&dir, 900);
        let mut written = Vec::new();
        for lsn in (1..18).step_by(3) {
            written.push(encoded(&[lsn, lsn + 1]));
            log.append(written.last().unwrap()).unwrap();
            log.append_progress(Lsn(lsn), &[7; 30]).unwrap();
            log.sync().unwrap();
        }
        for block in parts(20, 3) {
            log.append(&block).unwrap();
            written.push(block);
        }
        log.sync().unwrap();
        drop(log);
        let mut files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let path = file.get(&files);
        let mut bytes = std::fs::read(path).unwrap();
        // The last mark of all is spared: it is the proof that all before it is due.
        let end = bytes.len() - if path == files.last().unwrap() { 80 } else { 0 };
        for flip in flips {
            let bit = flip.index(end * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        std::fs::write(path, &bytes).unwrap();
        let Ok(log) = Log::open(dir.path(), origin("n1"), 900) else { return Ok(()) };
        prop_assert_eq!(log.cuts(), []);
        prop_assert_eq!(log.end(), Lsn(20));
        if log.progress_lost().is_none() {
            prop_assert_eq!(log.last_progress().unwrap().unwrap().lsn, Lsn(16));
        }
        match read_all(&log) {
            Ok(blocks) => prop_assert_eq!(&blocks, &written),
            Err(Error::Damaged { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        // A peer that has the same blocks mends all of it.
        let held = crate::Held { begin: Lsn(0), end: Lsn(20) };
        for path in &files {
            while let Some(damage) = log.damage(path).unwrap() {
                let from = written.iter().filter(|block| block.header().last > damage.after()).cloned();
                damage.repair(&from.collect::<Vec<_>>(), held).unwrap();
            }
        }
        prop_assert_eq!(&read_all(&log).unwrap(), &written);
        drop(log);
        let log = Log::open(dir.path(), origin("n1"), 900).unwrap();
        prop_assert_eq!((log.damaged(), read_all(&log).unwrap()), (&[][..], written));
    }
}
