use std::fmt;
use std::str::FromStr;

/// The name of a replication slot: 1 to 63 of `a-z`, `0-9` and `_` (`ReplicationSlotValidateName` in `slot.c`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SlotName(String);

impl SlotName {
    /// The name as text; it needs no quoting in SQL or in replication commands.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SlotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no slot name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid slot name {0:?}: expected 1 to 63 of a-z, 0-9 and _")]
pub struct InvalidSlotName(pub String);

impl FromStr for SlotName {
    type Err = InvalidSlotName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if (1..=63).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(SlotName(text.to_owned()))
        } else {
            Err(InvalidSlotName(text.to_owned()))
        }
    }
}
