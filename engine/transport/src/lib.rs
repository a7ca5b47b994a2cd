//! Mutually authenticated links between the daemons of a cluster.
//!
//! *What it is.* TLS 1.3 with the cluster's own authority, frames, HELLO, credit-based flow control for blocks, and
//! requests with streamed answers beside them. Payloads are opaque.
//!
//! *The picture.* Floor 2; `engine/node` gives the payloads their meaning. The node that wants blocks dials the node that
//! has them, so two nodes have two connections:
//!
//! ```text
//!  receiver = dialer                                    sender = acceptor
//!  Endpoint::dial -> OutgoingLink                       Acceptor::accept -> IncomingLink
//!     Receiver  --- subscribe, ack, heartbeat, credit, request --->  Incoming<FromReceiver>
//!     Incoming<FromSender>  <--- block, heartbeat, ack, answer ---   Sender, Responder
//! ```
//!
//! *The laws.* Nobody gets past TLS without a certificate of our authority for our cluster, and nobody past HELLO under
//! another name than its certificate's. Blocks and heartbeats of a sender keep their order; acknowledgements overtake
//! them. A sender never has more blocks out than the receiver's window. Every queue, payload and count has a named bound.
//! What breaks a link has one cause, and everybody on the link hears that cause.
//!
//! *What it is not.* It neither dials again by itself, nor remembers what was sent: positions, resuming and who may link
//! how often belong to the layer above. No datagrams.
//!
//! *Where to start.* [`Endpoint`], then [`Sender`] and [`Receiver`]; [`cert`] for certificates.

pub mod backoff;
pub mod cert;
mod error;
pub mod frame;
mod hello;
mod link;
mod tls;

pub use backoff::Backoff;
pub use cert::{ClusterName, PeerName};
pub use error::{Class, Error, Result};
pub use hello::{Hello, PROTOCOL_VERSION, Refusal};
pub use link::{
    ANSWER_WINDOW, Accepted, Acceptor, BLOCK_MAX, Endpoint, FromReceiver, FromSender, HANDSHAKES_MAX, Incoming,
    IncomingLink, MESSAGE_MAX, Options, OutgoingLink, REQUESTS_MAX, Receiver, Responder, ResponseStream, Sender,
    WINDOW,
};
pub use tls::{Keys, TlsFiles, TlsMaterial};
