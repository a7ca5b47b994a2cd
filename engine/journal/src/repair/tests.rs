use std::path::PathBuf;

use synapse_wal_types::Lsn;

use crate::samples::{encoded, origin};
use crate::{Error, Log, repair};

/// A log of small segments.
fn log(dir: &tempfile::TempDir) -> Log {
    let log = Log::open(dir.path(), origin("n1"), 700).unwrap();
    for lsn in 1..11 {
        log.append(&encoded(&[lsn])).unwrap();
        log.sync().unwrap();
    }
    log
}

fn damage(path: &PathBuf, at: u64) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[usize::try_from(at).unwrap()] ^= 4;
    std::fs::write(path, bytes).unwrap();
}

fn place(error: Error) -> (PathBuf, u64, Lsn) {
    let Error::Damaged {
        path, offset, after, ..
    } = error
    else {
        panic!("{error}")
    };
    (path, offset, after)
}

#[test]
fn a_reader_goes_on_after_a_damaged_block_was_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(&dir);
    let first = dir.path().join("0000000000000001.log");
    damage(&first, 64 + 85);
    let mut reader = log.read_after(Lsn(0)).unwrap();
    let (path, offset, after) = place(reader.next_block().unwrap_err());
    assert_eq!((&path, offset, after), (&first, 64, Lsn(0)));
    repair(&path, offset, &encoded(&[1])).unwrap();
    for lsn in 1..11 {
        assert_eq!(reader.next_block().unwrap(), Some(encoded(&[lsn])));
    }
}

#[test]
fn a_log_that_does_not_open_can_be_repaired() {
    for (name, header_byte) in [
        ("0000000000000001.log", 64),
        ("0000000000000001.log", 64 + 69),
        ("", 64 + 69),
        ("", 64 + 85),
    ] {
        let dir = tempfile::tempdir().unwrap();
        drop(log(&dir));
        let mut files: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let path = if name.is_empty() {
            files.pop().unwrap()
        } else {
            dir.path().join(name)
        };
        damage(&path, header_byte);
        let open = || Log::open(dir.path(), origin("n1"), 700);
        let (named, offset, after) = place(open().unwrap_err());
        assert_eq!((&named, offset), (&path, 64));
        repair(&path, offset, &encoded(&[after.0 + 1])).unwrap();
        assert_eq!(open().unwrap().end(), Lsn(10));
    }
}

#[test]
fn what_does_not_fit_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    drop(log(&dir));
    let path = dir.path().join("0000000000000001.log");
    let unfit = |offset, lsns: &[u64]| {
        let before = std::fs::read(&path).unwrap();
        let refused = repair(&path, offset, &encoded(lsns));
        assert!(
            matches!(refused, Err(Error::Unfit { .. })),
            "{offset} {lsns:?}: {refused:?}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), before);
    };
    unfit(64, &[1]);
    damage(&path, 64 + 85);
    unfit(0, &[1]);
    unfit(80, &[1]);
    unfit(64, &[2]);
    unfit(64, &[1, 2, 3, 4, 5, 6]);
    repair(&path, 64, &encoded(&[1])).unwrap();
}

#[test]
fn neighbours_that_are_both_damaged_are_repaired_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), origin("n1"), crate::SEGMENT_BYTES).unwrap();
    for lsn in 1..4 {
        log.append(&encoded(&[lsn])).unwrap();
    }
    let path = dir.path().join("0000000000000001.log");
    let second = 64 + encoded(&[1]).bytes().len() as u64;
    damage(&path, 64 + 85);
    damage(&path, second);
    let mut reader = log.read_after(Lsn(0)).unwrap();
    for lsn in 1..3 {
        let (path, offset, after) = place(reader.next_block().unwrap_err());
        assert_eq!(after, Lsn(lsn - 1));
        repair(&path, offset, &encoded(&[lsn])).unwrap();
        assert_eq!(reader.next_block().unwrap(), Some(encoded(&[lsn])));
    }
    assert_eq!(reader.next_block().unwrap(), Some(encoded(&[3])));
}
