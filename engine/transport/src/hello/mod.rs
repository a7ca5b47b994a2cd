//! HELLO: who is speaking, and why a peer is refused.
//!
//! On the wire: magic (8 bytes), protocol version (u16 little-endian), then the rest in postcard. The first ten bytes
//! never change, so that versions that do not understand each other can say so.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use synapse_engine_identity::{Incarnation, NodeId};

use crate::cert::{ClusterName, PeerName};
use crate::{Class, Error};

const MAGIC: [u8; 8] = *b"SYNAPSE\0";
/// The version of this protocol. Peers must speak the same.
pub const PROTOCOL_VERSION: u16 = 1;
/// Longest text of a refusal that is kept, bytes.
const TEXT_MAX: usize = 1024;
/// Longest software version that is accepted, bytes.
const SOFTWARE_MAX: usize = 64;

/// Who a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Version of the program, for people to read; at most 64 bytes.
    pub software: String,
    /// Its cluster.
    pub cluster: ClusterName,
    /// Its name.
    pub node: NodeId,
    /// Its life.
    pub incarnation: Incarnation,
    /// Major version of its PostgreSQL.
    pub pg_major: u16,
}

/// [`Hello`] on the wire, version 1, after magic and version.
#[derive(Serialize, Deserialize)]
struct HelloV1 {
    software: String,
    cluster: String,
    node: String,
    incarnation: u32,
    pg_major: u16,
}

impl Hello {
    /// The payload of a HELLO frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let body = HelloV1 {
            software: clip(&self.software, SOFTWARE_MAX),
            cluster: self.cluster.to_string(),
            node: self.node.to_string(),
            incarnation: self.incarnation.0,
            pg_major: self.pg_major,
        };
        let mut out = BytesMut::new();
        out.put_slice(&MAGIC);
        out.put_u16_le(PROTOCOL_VERSION);
        out.put_slice(&postcard::to_stdvec(&body).expect("strings and numbers always encode"));
        out.freeze()
    }

    /// Reads the payload of a HELLO frame.
    ///
    /// # Errors
    /// [`Refusal::Version`] or [`Refusal::Malformed`].
    pub fn decode(payload: &[u8]) -> Result<Self, Refusal> {
        let (magic, rest) = payload
            .split_first_chunk::<8>()
            .ok_or(Refusal::malformed("too short"))?;
        if *magic != MAGIC {
            return Err(Refusal::malformed("wrong magic"));
        }
        let (version, body) = rest.split_first_chunk::<2>().ok_or(Refusal::malformed("too short"))?;
        let theirs = u16::from_le_bytes(*version);
        if theirs != PROTOCOL_VERSION {
            return Err(Refusal::Version {
                ours: PROTOCOL_VERSION,
                theirs,
            });
        }
        let (body, trailing) =
            postcard::take_from_bytes::<HelloV1>(body).map_err(|e| Refusal::malformed(e.to_string()))?;
        if !trailing.is_empty() {
            return Err(Refusal::malformed("bytes follow it"));
        }
        Ok(Hello {
            software: clip(&body.software, SOFTWARE_MAX),
            cluster: body.cluster.parse().map_err(Refusal::malformed)?,
            node: body.node.parse().map_err(Refusal::malformed)?,
            incarnation: Incarnation(body.incarnation),
            pg_major: body.pg_major,
        })
    }

    /// Whether we, who are `self`, link with a peer that says it is `peer` and showed a certificate of `certificate`.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, peer: &Hello, certificate: &PeerName) -> Result<(), Refusal> {
        if peer.cluster != self.cluster {
            return Err(Refusal::OtherCluster {
                ours: self.cluster.clone(),
                theirs: peer.cluster.clone(),
            });
        }
        if peer.node != certificate.node || peer.cluster != certificate.cluster {
            let claimed = PeerName {
                cluster: peer.cluster.clone(),
                node: peer.node,
            };
            return Err(Refusal::CertificateMismatch {
                claimed,
                certificate: certificate.clone(),
            });
        }
        if peer.node == self.node {
            return Err(Refusal::SameNode(self.node));
        }
        Ok(())
    }
}

/// Why a peer is refused. The text goes to the peer, so it names both sides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It belongs elsewhere.
    #[error("it is of cluster {theirs}, this node of cluster {ours}; hint: see [cluster] name and join")]
    OtherCluster {
        /// Our cluster.
        ours: ClusterName,
        /// The peer's.
        theirs: ClusterName,
    },
    /// It bears our own name: another node was given it, or we dialled ourselves.
    #[error("both sides are node {0}; hint: give each node its own name, and do not join a node to itself")]
    SameNode(NodeId),
    /// Another node with that name is linked already. For the layer above, which knows the links.
    #[error("another node {0} with another incarnation is linked; hint: give each node its own name")]
    DuplicateNode(NodeId),
    /// It speaks another version of the protocol.
    #[error("it speaks protocol version {theirs}, this node {ours}; hint: run the same version on all nodes")]
    Version {
        /// Our version.
        ours: u16,
        /// The peer's.
        theirs: u16,
    },
    /// Its certificate is not its own.
    #[error("it says that it is {claimed}, but its certificate is of {certificate}")]
    CertificateMismatch {
        /// By HELLO.
        claimed: PeerName,
        /// By the certificate.
        certificate: PeerName,
    },
    /// Its HELLO cannot be read.
    #[error("malformed hello: {0}")]
    Malformed(String),
}

impl Refusal {
    fn malformed(reason: impl fmt::Display) -> Self {
        Refusal::Malformed(reason.to_string())
    }

    /// What a retry loop may do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Refusal::OtherCluster { .. }
            | Refusal::SameNode(_)
            | Refusal::DuplicateNode(_)
            | Refusal::Version { .. }
            | Refusal::CertificateMismatch { .. } => Class::Definite,
            Refusal::Malformed(_) => Class::Bug,
        }
    }

    /// The payload of an ERROR frame.
    pub(crate) fn encode(&self) -> Bytes {
        let text = clip(&self.to_string(), TEXT_MAX);
        postcard::to_stdvec(&(self.class(), text))
            .expect("a class and a text always encode")
            .into()
    }
}

/// Reads the payload of an ERROR frame into the error that it is for us.
pub(crate) fn refused_by_peer(payload: &[u8]) -> Error {
    match postcard::from_bytes::<(Class, String)>(payload) {
        Ok((class, text)) => Error::RefusedByPeer {
            class,
            text: clip(&text, TEXT_MAX),
        },
        Err(_) => Error::Violation("an unreadable error frame"),
    }
}

/// A peer's text, fit for a log: printable, one line, at most `max` bytes.
pub(crate) fn clip(text: &str, max: usize) -> String {
    let mut kept = String::new();
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if kept.len() + c.len_utf8() > max {
            break;
        }
        kept.push(c);
    }
    kept
}

#[cfg(test)]
mod tests;
