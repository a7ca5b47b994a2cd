//! Disks that are full or that fail.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use synapse_wal_types::Lsn;

use super::{open, read};
use crate::disk::Disk;
use crate::samples::{encoded, origin};
use crate::{Class, Error, Log};

/// Takes so many bytes, then writes what still fits and says ENOSPC.
#[derive(Debug, Default)]
pub(crate) struct TinyDisk {
    pub(crate) room: AtomicU64,
    pub(crate) sync_fails: AtomicBool,
}

impl Disk for TinyDisk {
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let room = self.room.load(Ordering::SeqCst);
        let fits = usize::try_from(room).unwrap().min(bytes.len());
        file.write_all_at(&bytes[..fits], offset)?;
        self.room.fetch_sub(fits as u64, Ordering::SeqCst);
        if fits < bytes.len() {
            return Err(rustix::io::Errno::NOSPC.into());
        }
        Ok(())
    }

    fn sync(&self, _: &File) -> io::Result<()> {
        if self.sync_fails.load(Ordering::SeqCst) {
            Err(rustix::io::Errno::IO.into())
        } else {
            Ok(())
        }
    }
}

#[test]
fn a_full_disk_is_an_error_that_leaves_the_log_usable() {
    for room in 0..900 {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(TinyDisk::default());
        disk.room.store(room, Ordering::SeqCst);
        let log = Log::open_on(dir.path(), origin("n1"), 500, Arc::clone(&disk) as Arc<dyn Disk>).unwrap();
        let mut lsn = 1;
        let error = loop {
            match log.append(&encoded(&[lsn])) {
                Ok(_) => lsn += 1,
                Err(error) => break error,
            }
            let _ = log.sync().unwrap();
        };
        assert_eq!(error.class(), Class::Transient, "{error}");
        assert_eq!(log.end(), Lsn(lsn - 1));
        disk.room.store(10_000, Ordering::SeqCst);
        log.append(&encoded(&[lsn])).unwrap();
        log.append(&encoded(&[lsn + 1])).unwrap();
        let expected: Vec<_> = (1..=lsn + 1).map(|lsn| encoded(&[lsn])).collect();
        assert_eq!(read(log.read_after(Lsn(0)).unwrap()), expected);
        drop(log);
        let log = open(&dir, 500);
        assert_eq!(
            (read(log.read_after(Lsn(0)).unwrap()), log.cuts()),
            (expected, &[][..]),
            "room for {room}"
        );
    }
}

#[test]
fn after_a_failed_fsync_nothing_is_promised_until_the_log_is_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(TinyDisk::default());
    disk.room.store(10_000, Ordering::SeqCst);
    let log = Log::open_on(dir.path(), origin("n1"), 5000, Arc::clone(&disk) as Arc<dyn Disk>).unwrap();
    log.append(&encoded(&[1])).unwrap();
    disk.sync_fails.store(true, Ordering::SeqCst);
    assert!(matches!(log.sync(), Err(Error::Io { .. })));
    disk.sync_fails.store(false, Ordering::SeqCst);
    assert!(matches!(log.sync(), Err(Error::Unsynced { .. })));
    assert!(matches!(log.append(&encoded(&[2])), Err(Error::Unsynced { .. })));
    assert_eq!(log.durable(), Lsn::ZERO);
    drop(log);
    assert_eq!(open(&dir, 5000).append(&encoded(&[2])).unwrap(), crate::Appended::New);
}
