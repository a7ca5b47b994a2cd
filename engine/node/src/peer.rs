//! What a daemon knows of each peer.

use std::time::Instant;

use serde::Serialize;
use synapse_engine_identity::{Hlc, Origin, TxnId};
use synapse_engine_transport::Receiver;
use synapse_wal_types::Lsn;

use crate::frames::Beat;

/// A peer that has been heard of.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    /// Its node and life, as it said at HELLO.
    pub(crate) origin: Option<Origin>,
    /// Where it is dialled.
    pub(crate) address: Option<String>,
    /// The link over which its blocks come, while it stands.
    pub(crate) link: Option<Receiver>,
    /// Its last word, and when it came.
    pub(crate) beat: Option<(Beat, Instant)>,
    /// Why the link broke last, or could not be made.
    pub(crate) trouble: Option<String>,
    /// Its transactions are not applied until a person, or a changed catalogue, says so.
    pub(crate) stop: Option<Stop>,
    /// A person has said that the transaction which cannot be applied is to be skipped.
    pub(crate) skip: Option<TxnId>,
    /// Whose transaction its next one waits for.
    pub(crate) waits_for: Option<(Origin, Lsn)>,
    /// The time of its next transaction, which lies so far ahead that it is held back.
    pub(crate) clock_ahead: Option<Hlc>,
}

/// A transaction that cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Stop {
    #[serde(serialize_with = "text")]
    pub(crate) txn: TxnId,
    pub(crate) class: StopClass,
    pub(crate) message: String,
    pub(crate) table: Option<String>,
    pub(crate) key: serde_json::Value,
    /// Whether a change of the catalogue may mend it.
    #[serde(skip)]
    pub(crate) until_catalog_changes: bool,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StopClass {
    Transient,
    Definite,
    Bug,
}

fn text<S: serde::Serializer>(txn: &TxnId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(txn)
}
