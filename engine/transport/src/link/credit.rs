use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{Error, Result};

/// The sender's side of the credit for blocks: at most `window` bytes are out and not returned. A block larger than the
/// window goes out alone, when nothing else is out.
#[derive(Debug)]
pub(super) struct SendWindow {
    window: u32,
    free: Semaphore,
    /// Bytes out and not returned. `free` has `window - out` permits, none below zero, less those reserved.
    out: Mutex<u64>,
}

/// Room for one block; given back when it is dropped unused.
#[must_use]
pub(super) struct Room<'a> {
    credit: &'a SendWindow,
    permit: SemaphorePermit<'a>,
    bytes: u64,
}

impl SendWindow {
    pub(super) fn new(window: u32) -> Self {
        let permits = usize::try_from(window).expect("a window fits into memory");
        SendWindow {
            window,
            free: Semaphore::new(permits),
            out: Mutex::new(0),
        }
    }

    /// Waits for room. First come, first served. Cancel-safe.
    pub(super) async fn room(&self, bytes: usize) -> Result<Room<'_>> {
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.window);
        let permit = self.free.acquire_many(permits).await.map_err(|_| Error::Closed)?;
        Ok(Room {
            credit: self,
            permit,
            bytes: bytes as u64,
        })
    }

    /// The peer returned credit.
    pub(super) fn returned(&self, bytes: u64) -> Result<()> {
        let mut out = lock(&self.out);
        let left = out
            .checked_sub(bytes)
            .ok_or(Error::Violation("more credit than was used"))?;
        let free = |out: u64| u64::from(self.window).saturating_sub(out);
        let freed = free(left) - free(*out);
        *out = left;
        self.free
            .add_permits(usize::try_from(freed).expect("a window fits into memory"));
        Ok(())
    }

    /// The link is over: nobody waits any more.
    pub(super) fn close(&self) {
        self.free.close();
    }
}

impl Room<'_> {
    /// The block goes out.
    pub(super) fn spend(self) {
        *lock(&self.credit.out) += self.bytes;
        self.permit.forget();
    }
}

/// The receiver's side: what came and was not returned yet.
#[derive(Debug)]
pub(super) struct Ledger {
    window: u64,
    owed: Mutex<u64>,
}

impl Ledger {
    pub(super) fn new(window: u32) -> Self {
        Ledger {
            window: u64::from(window),
            owed: Mutex::new(0),
        }
    }

    /// A block has come up to this many bytes: was the peer allowed to send it?
    pub(super) fn check(&self, so_far: usize) -> Result<()> {
        let owed = *lock(&self.owed);
        if owed > 0 && owed + so_far as u64 > self.window {
            return Err(Error::Violation("a block without credit for it"));
        }
        Ok(())
    }

    /// A block is complete and goes to the application.
    pub(super) fn received(&self, bytes: usize) {
        *lock(&self.owed) += bytes as u64;
    }

    /// The application returns credit.
    pub(super) fn grant(&self, bytes: u64) -> Result<()> {
        let mut owed = lock(&self.owed);
        let left = owed.checked_sub(bytes).ok_or(Error::OverGranted {
            granted: bytes,
            owed: *owed,
        })?;
        *owed = left;
        Ok(())
    }
}

fn lock(number: &Mutex<u64>) -> MutexGuard<'_, u64> {
    number.lock().unwrap_or_else(PoisonError::into_inner)
}
