use std::fmt;

/// What a message is, without its contents. The order is that of `LogicalRepMsgType` in `logicalproto.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each names the message of `Message` that it stands for")]
pub enum Kind {
    Begin,
    Commit,
    Origin,
    Insert,
    Update,
    Delete,
    Truncate,
    Relation,
    Type,
    Message,
    BeginPrepare,
    Prepare,
    CommitPrepared,
    RollbackPrepared,
    StreamStart,
    StreamStop,
    StreamCommit,
    StreamAbort,
    StreamPrepare,
}

/// Every kind with the byte that starts its messages and its name in PostgreSQL's documentation.
const TABLE: [(Kind, u8, &str); 19] = [
    (Kind::Begin, b'B', "begin"),
    (Kind::Commit, b'C', "commit"),
    (Kind::Origin, b'O', "origin"),
    (Kind::Insert, b'I', "insert"),
    (Kind::Update, b'U', "update"),
    (Kind::Delete, b'D', "delete"),
    (Kind::Truncate, b'T', "truncate"),
    (Kind::Relation, b'R', "relation"),
    (Kind::Type, b'Y', "type"),
    (Kind::Message, b'M', "logical decoding"),
    (Kind::BeginPrepare, b'b', "begin prepare"),
    (Kind::Prepare, b'P', "prepare"),
    (Kind::CommitPrepared, b'K', "commit prepared"),
    (Kind::RollbackPrepared, b'r', "rollback prepared"),
    (Kind::StreamStart, b'S', "stream start"),
    (Kind::StreamStop, b'E', "stream stop"),
    (Kind::StreamCommit, b'c', "stream commit"),
    (Kind::StreamAbort, b'A', "stream abort"),
    (Kind::StreamPrepare, b'p', "stream prepare"),
];

impl Kind {
    /// Every kind, in the order of their declaration.
    pub fn all() -> impl Iterator<Item = Kind> {
        TABLE.iter().map(|(kind, _, _)| *kind)
    }

    fn row(self) -> (Kind, u8, &'static str) {
        *TABLE
            .iter()
            .find(|(kind, _, _)| *kind == self)
            .expect("the table lists every kind")
    }

    /// The byte that starts messages of this kind.
    #[must_use]
    pub fn tag(self) -> u8 {
        self.row().1
    }

    /// The kind whose messages start with this byte.
    #[must_use]
    pub fn of_tag(tag: u8) -> Option<Kind> {
        TABLE
            .iter()
            .find(|(_, of_kind, _)| *of_kind == tag)
            .map(|(kind, _, _)| *kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().2)
    }
}
