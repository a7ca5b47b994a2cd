use std::collections::BTreeMap;

use synapse_wal_types::{Lsn, Xid};

use super::place::{Facts, Open, Place};
use super::relations::Relations;
use crate::decode;
use crate::{
    Begin, Commit, Committed, Error, First, InStream, Kind, Message, Step, StreamAbort, StreamCommit, StreamStart,
};

/// The most streamed transactions that may be open at once. A server runs at most 2^18 - 1 backends (`MAX_BACKENDS`), and
/// each has at most one.
pub const OPEN_STREAMS_MAX: usize = (1 << 18) - 1;

/// Follows one replication connection from its start: a new connection needs a new assembler, because the server repeats
/// definitions and chunks.
///
/// After an error the assembler's answers mean nothing: drop it together with the connection.
#[derive(Debug, Default)]
pub struct Assembler {
    pub(super) place: Place,
    pub(super) committed: Relations,
    pub(super) definitions: u64,
    pub(super) streams: BTreeMap<Xid, Open>,
    last_commit: Lsn,
}

impl Assembler {
    /// At the start of a connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How the next message must be decoded.
    #[must_use]
    pub fn in_stream(&self) -> InStream {
        match self.place {
            Place::Between | Place::Transaction(_) => InStream::No,
            Place::Chunk(_) => InStream::Yes,
        }
    }

    /// How many streamed transactions are open.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    /// What the transaction or chunk that is being read starts with, as soon as that is certain: the top-level
    /// transaction wrote it before any subtransaction wrote anything.
    #[must_use]
    pub fn first(&self) -> Option<&First> {
        match &self.place {
            Place::Between => None,
            Place::Transaction(open) => open.1.first.certain(),
            Place::Chunk(xid) => self.streams.get(xid)?.facts.first.certain(),
        }
    }

    /// Decodes the next message and takes it: [`decode`] and [`Assembler::push`] in one.
    ///
    /// # Errors
    ///
    /// Those of either.
    pub fn feed<'a>(&mut self, bytes: &'a [u8]) -> Result<Step<'a>, Error> {
        self.push(decode(bytes, self.in_stream())?)
    }

    /// Takes the next message.
    ///
    /// # Errors
    ///
    /// Class bug: the message cannot stand here, names something unknown, or contradicts what came before.
    pub fn push<'a>(&mut self, message: Message<'a>) -> Result<Step<'a>, Error> {
        let kind = message.kind();
        match message {
            Message::Begin(begin) => self.begin(begin),
            Message::Commit(commit) => self.commit(commit),
            Message::Origin(origin) => self.origin(origin),
            Message::Relation(relation) => self.relation(&relation),
            Message::Type(named) => self.writer(kind, named.xid).map(|_| Step::Noted),
            Message::Insert(insert) => self.insert(kind, insert),
            Message::Update(update) => self.update(kind, update),
            Message::Delete(delete) => self.delete(kind, delete),
            Message::Truncate(truncate) => self.truncate(kind, &truncate),
            Message::Message(logical) => self.logical(logical),
            Message::StreamStart(start) => self.stream_start(start),
            Message::StreamStop => self.stream_stop(),
            Message::StreamCommit(commit) => self.stream_commit(commit),
            Message::StreamAbort(abort) => self.stream_abort(abort),
            Message::BeginPrepare(_)
            | Message::Prepare(_)
            | Message::CommitPrepared(_)
            | Message::RollbackPrepared(_)
            | Message::StreamPrepare(_) => Err(Error::OutOfOrder {
                kind,
                place: "on a stream without two-phase",
            }),
        }
    }

    fn begin<'a>(&mut self, begin: Begin) -> Result<Step<'a>, Error> {
        self.between(Kind::Begin)?;
        self.place = Place::Transaction(Box::new((begin, Facts::new(begin.xid))));
        Ok(Step::Begin(begin))
    }

    fn commit<'a>(&mut self, commit: Commit) -> Result<Step<'a>, Error> {
        match std::mem::take(&mut self.place) {
            Place::Transaction(open) => {
                let (begin, facts) = *open;
                if begin.final_lsn != commit.commit_lsn {
                    let (begun, committed) = (begin.final_lsn, commit.commit_lsn);
                    return Err(Error::CommitMismatch {
                        xid: begin.xid,
                        begun,
                        committed,
                    });
                }
                self.committed(begin.xid, commit, facts, false)
            }
            elsewhere @ (Place::Between | Place::Chunk(_)) => {
                self.place = elsewhere;
                Err(self.out_of_order(Kind::Commit))
            }
        }
    }

    fn stream_start<'a>(&mut self, start: StreamStart) -> Result<Step<'a>, Error> {
        self.between(Kind::StreamStart)?;
        let StreamStart { xid, first_segment } = start;
        match (first_segment, self.streams.contains_key(&xid)) {
            (true, true) => return Err(Error::StreamedTwice { xid }),
            (false, false) => {
                return Err(Error::UnknownTransaction {
                    kind: Kind::StreamStart,
                    xid,
                });
            }
            (false, true) => {}
            (true, false) if self.streams.len() >= OPEN_STREAMS_MAX => {
                return Err(Error::TooManyStreams {
                    limit: OPEN_STREAMS_MAX,
                });
            }
            (true, false) => {
                let open = Open {
                    facts: Facts::new(xid),
                    relations: Relations::default(),
                };
                self.streams.insert(xid, open);
            }
        }
        self.place = Place::Chunk(xid);
        Ok(Step::ChunkStart {
            xid,
            first: first_segment,
        })
    }

    fn stream_stop<'a>(&mut self) -> Result<Step<'a>, Error> {
        match self.place {
            Place::Chunk(xid) => {
                self.place = Place::Between;
                Ok(Step::ChunkStop { xid })
            }
            Place::Between | Place::Transaction(_) => Err(self.out_of_order(Kind::StreamStop)),
        }
    }

    fn stream_commit<'a>(&mut self, message: StreamCommit) -> Result<Step<'a>, Error> {
        self.between(Kind::StreamCommit)?;
        let xid = message.xid;
        let open = self.streams.remove(&xid).ok_or(Error::UnknownTransaction {
            kind: Kind::StreamCommit,
            xid,
        })?;
        self.committed.merge(open.relations);
        self.committed(xid, message.commit, open.facts, true)
    }

    /// Whatever rolled back, the server forgets which definitions it sent with this transaction, and so do we.
    fn stream_abort<'a>(&mut self, abort: StreamAbort) -> Result<Step<'a>, Error> {
        self.between(Kind::StreamAbort)?;
        let StreamAbort { xid, subxid, record } = abort;
        let open = self.streams.get_mut(&xid).ok_or(Error::UnknownTransaction {
            kind: Kind::StreamAbort,
            xid,
        })?;
        open.relations.clear();
        open.facts.first.forget(subxid);
        if subxid == xid {
            self.streams.remove(&xid);
        }
        Ok(Step::StreamAbort { xid, subxid, record })
    }

    fn committed<'a>(&mut self, xid: Xid, commit: Commit, facts: Facts, streamed: bool) -> Result<Step<'a>, Error> {
        let Commit {
            commit_lsn,
            end_lsn,
            commit_ts,
        } = commit;
        if !(self.last_commit < commit_lsn && commit_lsn < end_lsn) {
            return Err(Error::CommitOrder {
                xid,
                commit_lsn,
                end_lsn,
                last: self.last_commit,
            });
        }
        self.last_commit = commit_lsn;
        let Facts { first, origin } = facts;
        let first = first.into_first();
        Ok(Step::Commit(Committed {
            xid,
            commit_lsn,
            end_lsn,
            commit_ts,
            streamed,
            first,
            origin,
        }))
    }

    pub(super) fn out_of_order(&self, kind: Kind) -> Error {
        Error::OutOfOrder {
            kind,
            place: self.place.describe(),
        }
    }

    fn between(&self, kind: Kind) -> Result<(), Error> {
        match self.place {
            Place::Between => Ok(()),
            Place::Transaction(_) | Place::Chunk(_) => Err(self.out_of_order(kind)),
        }
    }
}
