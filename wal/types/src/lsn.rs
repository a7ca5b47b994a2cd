use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A byte position in the write-ahead log (`XLogRecPtr`).
///
/// Printed and parsed as PostgreSQL does: two hexadecimal halves, `16/B374D848`. Zero is PostgreSQL's
/// `InvalidXLogRecPtr`: no record starts there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Lsn(pub u64);

impl Lsn {
    /// No position: before every record.
    pub const ZERO: Lsn = Lsn(0);
    /// Past every record.
    pub const MAX: Lsn = Lsn(u64::MAX);

    /// Bytes from `earlier` to here; zero when `earlier` lies ahead.
    #[must_use]
    pub const fn bytes_since(self, earlier: Lsn) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl fmt::Debug for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text was not two hexadecimal numbers of at most eight digits around a slash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid log position {text:?}: expected two hexadecimal numbers around a slash, like 16/B374D848")]
pub struct ParseLsnError {
    /// What was given.
    pub text: String,
}

impl FromStr for Lsn {
    type Err = ParseLsnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let half = |digits: &str| -> Option<u64> {
            let fits = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
            if fits {
                u64::from_str_radix(digits, 16).ok()
            } else {
                None
            }
        };
        text.split_once('/')
            .and_then(|(high, low)| Some(Lsn(half(high)? << 32 | half(low)?)))
            .ok_or_else(|| ParseLsnError { text: text.to_owned() })
    }
}
