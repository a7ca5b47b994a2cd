use synapse_wal_types::Xid;

use crate::cursor::Cursor;
use crate::sink::Sink;
use crate::{Begin, Commit, Delete, Error, Insert, Kind, LogicalMessage, Origin, RelationMessage, Truncate};
use crate::{CommitPrepared, Prepared, RollbackPrepared, StreamAbort, StreamCommit, StreamStart, TypeMessage, Update};

/// One message of pgoutput ("Logical Replication Message Formats" in PostgreSQL's documentation; `proto.c`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A committed transaction follows, whole.
    Begin(Begin),
    /// It ends.
    Commit(Commit),
    /// It was applied from elsewhere.
    Origin(Origin<'a>),
    /// The definition of a table.
    Relation(RelationMessage<'a>),
    /// The name of a type that is not built in.
    Type(TypeMessage<'a>),
    /// A new row.
    Insert(Insert<'a>),
    /// A changed row.
    Update(Update<'a>),
    /// A removed row.
    Delete(Delete<'a>),
    /// Emptied tables.
    Truncate(Truncate),
    /// What `pg_logical_emit_message` wrote.
    Message(LogicalMessage<'a>),
    /// A chunk of a transaction in progress follows.
    StreamStart(StreamStart),
    /// The chunk ends.
    StreamStop,
    /// A streamed transaction committed.
    StreamCommit(StreamCommit),
    /// A streamed transaction, or a savepoint in it, rolled back.
    StreamAbort(StreamAbort),
    /// A prepared transaction follows, whole.
    BeginPrepare(Prepared<'a>),
    /// It ends.
    Prepare(Prepared<'a>),
    /// A prepared transaction committed.
    CommitPrepared(CommitPrepared<'a>),
    /// A prepared transaction rolled back.
    RollbackPrepared(RollbackPrepared<'a>),
    /// A streamed transaction was prepared.
    StreamPrepare(Prepared<'a>),
}

/// Whether a message stands between stream start and stream stop, where changes and definitions carry an xid. The bytes
/// alone do not say: [`crate::Assembler::in_stream`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InStream {
    /// Outside.
    No,
    /// Inside.
    Yes,
}

impl Message<'_> {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Message::Begin(_) => Kind::Begin,
            Message::Commit(_) => Kind::Commit,
            Message::Origin(_) => Kind::Origin,
            Message::Relation(_) => Kind::Relation,
            Message::Type(_) => Kind::Type,
            Message::Insert(_) => Kind::Insert,
            Message::Update(_) => Kind::Update,
            Message::Delete(_) => Kind::Delete,
            Message::Truncate(_) => Kind::Truncate,
            Message::Message(_) => Kind::Message,
            Message::StreamStart(_) => Kind::StreamStart,
            Message::StreamStop => Kind::StreamStop,
            Message::StreamCommit(_) => Kind::StreamCommit,
            Message::StreamAbort(_) => Kind::StreamAbort,
            Message::BeginPrepare(_) => Kind::BeginPrepare,
            Message::Prepare(_) => Kind::Prepare,
            Message::CommitPrepared(_) => Kind::CommitPrepared,
            Message::RollbackPrepared(_) => Kind::RollbackPrepared,
            Message::StreamPrepare(_) => Kind::StreamPrepare,
        }
    }
}

/// Reads the one message that fills `bytes`; names and values are borrowed from it.
///
/// # Errors
///
/// [`Error`] with the offset of what is wrong: bytes missing or left over, a byte or a length nobody defined, a name
/// that is not UTF-8.
pub fn decode(bytes: &[u8], in_stream: InStream) -> Result<Message<'_>, Error> {
    let mut cursor = Cursor::new(bytes);
    let message = read(&mut cursor, in_stream)?;
    cursor.finish()?;
    Ok(message)
}

fn read<'a>(cursor: &mut Cursor<'a>, in_stream: InStream) -> Result<Message<'a>, Error> {
    let offset = cursor.offset();
    let tag = cursor.u8()?;
    let kind = Kind::of_tag(tag).ok_or(Error::UnknownTag { offset, tag })?;
    let xid = |cursor: &mut Cursor<'a>| -> Result<Option<Xid>, Error> {
        match in_stream {
            InStream::No => Ok(None),
            InStream::Yes => cursor.xid().map(Some),
        }
    };
    Ok(match kind {
        Kind::Begin => Message::Begin(Begin::read(cursor)?),
        Kind::Commit => Message::Commit(Commit::read(cursor)?),
        Kind::Origin => Message::Origin(Origin::read(cursor)?),
        Kind::Relation => Message::Relation(RelationMessage::read(xid(cursor)?, cursor)?),
        Kind::Type => Message::Type(TypeMessage::read(xid(cursor)?, cursor)?),
        Kind::Insert => Message::Insert(Insert::read(xid(cursor)?, cursor)?),
        Kind::Update => Message::Update(Update::read(xid(cursor)?, cursor)?),
        Kind::Delete => Message::Delete(Delete::read(xid(cursor)?, cursor)?),
        Kind::Truncate => Message::Truncate(Truncate::read(xid(cursor)?, cursor)?),
        Kind::Message => Message::Message(LogicalMessage::read(xid(cursor)?, cursor)?),
        Kind::StreamStart => Message::StreamStart(StreamStart::read(cursor)?),
        Kind::StreamStop => Message::StreamStop,
        Kind::StreamCommit => Message::StreamCommit(StreamCommit::read(cursor)?),
        Kind::StreamAbort => Message::StreamAbort(StreamAbort::read(cursor)?),
        Kind::BeginPrepare => Message::BeginPrepare(Prepared::read(cursor)?),
        Kind::Prepare => Message::Prepare(Prepared::read_flagged(cursor)?),
        Kind::CommitPrepared => Message::CommitPrepared(CommitPrepared::read(cursor)?),
        Kind::RollbackPrepared => Message::RollbackPrepared(RollbackPrepared::read(cursor)?),
        Kind::StreamPrepare => Message::StreamPrepare(Prepared::read_flagged(cursor)?),
    })
}

/// Appends the bytes of `message` to `out`: the exact inverse of [`decode`]. On an error `out` is as it was.
///
/// # Errors
///
/// A name with a zero byte, or a count or length that the protocol's integers cannot hold.
pub fn encode(message: &Message<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let before = out.len();
    let written = write(message, &mut Sink::new(out));
    if written.is_err() {
        out.truncate(before);
    }
    written
}

fn write(message: &Message<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
    sink.u8(message.kind().tag());
    match message {
        Message::Begin(begin) => begin.write(sink),
        Message::Commit(commit) => commit.write(sink),
        Message::Origin(origin) => origin.write(sink)?,
        Message::Relation(relation) => relation.write(sink)?,
        Message::Type(named) => named.write(sink)?,
        Message::Insert(insert) => insert.write(sink)?,
        Message::Update(update) => update.write(sink)?,
        Message::Delete(delete) => delete.write(sink)?,
        Message::Truncate(truncate) => truncate.write(sink)?,
        Message::Message(logical) => logical.write(sink)?,
        Message::StreamStart(start) => start.write(sink),
        Message::StreamStop => {}
        Message::StreamCommit(commit) => commit.write(sink),
        Message::StreamAbort(abort) => abort.write(sink),
        Message::BeginPrepare(prepared) => prepared.write(sink)?,
        Message::Prepare(prepared) | Message::StreamPrepare(prepared) => prepared.write_flagged(sink)?,
        Message::CommitPrepared(prepared) => prepared.write(sink)?,
        Message::RollbackPrepared(prepared) => prepared.write(sink)?,
    }
    Ok(())
}
