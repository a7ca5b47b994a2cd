use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a node: 1 to 24 of `a-z`, `0-9` and `_`, a letter first, so that it can stand unquoted in names of
/// slots and origins. A small value that is copied.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId {
    bytes: [u8; NodeId::LENGTH_MAX],
}

impl NodeId {
    /// Longest name, in bytes.
    pub const LENGTH_MAX: usize = 24;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.bytes.iter().position(|b| *b == 0).unwrap_or(Self::LENGTH_MAX);
        std::str::from_utf8(&self.bytes[..end]).expect("parsing admits ASCII only")
    }

    /// Numbers in the order of the bytes.
    #[inline]
    fn numbers(&self) -> impl Iterator<Item = u64> {
        let (eights, _) = self.bytes.as_chunks();
        eights.iter().map(|eight| u64::from_be_bytes(*eight))
    }
}

/// That of the text. By it origins are found, for every row of every transaction: three numbers cost less than a call of
/// `memcmp`, and the first of them mostly says it.
impl Ord for NodeId {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers().cmp(other.numbers())
    }
}

impl PartialOrd for NodeId {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no node name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid node name {0:?}: expected 1 to 24 of a-z, 0-9 and _, beginning with a letter")]
pub struct InvalidNodeId(pub String);

impl FromStr for NodeId {
    type Err = InvalidNodeId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len())
            && text.as_bytes()[0].is_ascii_lowercase()
            && text.bytes().all(allowed);
        if !fits {
            return Err(InvalidNodeId(text.to_owned()));
        }
        let mut bytes = [0; Self::LENGTH_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(NodeId { bytes })
    }
}

impl TryFrom<String> for NodeId {
    type Error = InvalidNodeId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<NodeId> for String {
    fn from(node: NodeId) -> Self {
        node.as_str().to_owned()
    }
}
