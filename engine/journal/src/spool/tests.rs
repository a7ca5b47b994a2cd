use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use synapse_engine_change::{ChangeSet, OpCode, Value};

use super::Spool;
use crate::disk::Disk;
use crate::log::tests::full::TinyDisk;
use crate::samples::{relation, rows};
use crate::{Class, Error};

fn chunk(xids: &[u32]) -> ChangeSet {
    let table = relation("t", 1);
    let mut set = ChangeSet::new();
    for xid in xids {
        set.push(&table, OpCode::Insert, *xid, [Value::Text(xid.to_string().as_bytes())])
            .unwrap();
    }
    set
}

fn replay(spool: &Spool, skip: &[u32]) -> Vec<ChangeSet> {
    let skip: HashSet<u32> = skip.iter().copied().collect();
    spool.replay(&skip).map(Result::unwrap).collect()
}

#[test]
fn what_was_rolled_back_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::create(dir.path(), 7, 1).unwrap();
    for xids in [&[7, 8, 7][..], &[8, 8], &[7, 9]] {
        spool.append(&chunk(xids)).unwrap();
    }
    assert_eq!(replay(&spool, &[]), [chunk(&[7, 8, 7]), chunk(&[8, 8]), chunk(&[7, 9])]);
    assert_eq!(replay(&spool, &[8]), [chunk(&[7, 7]), chunk(&[7, 9])]);
    assert_eq!(replay(&spool, &[7, 8, 9]), []);
    assert!(matches!(Spool::create(dir.path(), 7, 1), Err(Error::Io { .. })));
    Spool::create(dir.path(), 7, 2).unwrap().remove().unwrap();
    spool.remove().unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_full_disk_leaves_the_spool_as_it_was() {
    for room in 0..200 {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(TinyDisk::default());
        let mut spool = Spool::create_on(dir.path(), 7, 1, Arc::clone(&disk) as Arc<dyn Disk>).unwrap();
        disk.room.store(10_000, Ordering::SeqCst);
        spool.append(&rows(1, 2)).unwrap();
        disk.room.store(room, Ordering::SeqCst);
        assert_eq!(spool.append(&rows(2, 20)).unwrap_err().class(), Class::Transient);
        assert_eq!(replay(&spool, &[]), [rows(1, 2)]);
        disk.room.store(10_000, Ordering::SeqCst);
        spool.append(&rows(3, 1)).unwrap();
        assert_eq!(replay(&spool, &[]), [rows(1, 2), rows(3, 1)]);
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_ends_the_replay_with_an_error(at in any::<prop::sample::Index>()) {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(dir.path(), 7, 1).unwrap();
        for seed in 0..4 {
            spool.append(&rows(seed, 10)).unwrap();
        }
        let path = dir.path().join("7-1.spool");
        let mut bytes = std::fs::read(&path).unwrap();
        let bit = at.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, bytes).unwrap();
        let none = HashSet::new();
        let read: Vec<_> = spool.replay(&none).collect();
        let (last, sound) = read.split_last().unwrap();
        prop_assert!(matches!(last, Err(Error::Damaged { .. })), "{last:?}");
        for (seed, set) in sound.iter().enumerate() {
            prop_assert_eq!(set.as_ref().unwrap(), &rows(seed as u64, 10));
        }
    }
}
