//! Links: the receiver of blocks dials, the sender accepts.
//!
//! Two tasks run a link, one reads and one writes; what they share with the application are bounded queues, and sums of
//! what is owed that never wait. Blocks flow only as far as the receiver's credit goes; an answer only as far as its own.

mod calls;
mod control;
mod credit;
mod endpoint;
mod handshake;
mod incoming;
mod options;
mod outgoing;
mod reading;
mod serving;
mod shared;
mod wire;
mod writing;

pub use calls::ResponseStream;
pub use endpoint::{Accepted, Acceptor, Endpoint};
pub use incoming::{FromReceiver, IncomingLink, Sender};
pub use options::{ANSWER_WINDOW, BLOCK_MAX, HANDSHAKES_MAX, MESSAGE_MAX, Options, REQUESTS_MAX, WINDOW};
pub use outgoing::{FromSender, Incoming, OutgoingLink, Receiver};
pub use serving::Responder;

#[cfg(test)]
mod tests;
