use std::io;

use bytes::BytesMut;
use postgres_protocol::authentication::sasl::{self, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};
use postgres_protocol::message::frontend;

use crate::dsn::{ChannelBinding, Password};
use crate::error::Error;
use crate::wire::Cursor;

/// A mechanism and what it says about the channel (RFC 5802, section 6).
pub(super) enum Choice {
    /// SCRAM-SHA-256-PLUS over this end point.
    Bound(Vec<u8>),
    /// SCRAM-SHA-256; we could bind and believe that the server cannot. It refuses if it can: somebody is between.
    Unoffered,
    /// SCRAM-SHA-256; we cannot, or shall not, bind.
    Unbound,
}

/// Reads the server's list and takes the best that `wanted` allows.
pub(super) fn choose(
    cursor: &mut Cursor<'_>,
    end_point: Option<Vec<u8>>,
    wanted: ChannelBinding,
) -> Result<Choice, Error> {
    let mut offered = Vec::new();
    loop {
        let mechanism = cursor.cstr("a mechanism's name")?;
        if mechanism.is_empty() {
            break;
        }
        offered.push(String::from_utf8_lossy(mechanism));
    }
    cursor.end()?;
    let offers = |mechanism: &str| offered.iter().any(|offer| offer == mechanism);
    let end_point = end_point.filter(|_| wanted != ChannelBinding::Disable);
    match end_point {
        Some(end_point) if offers(SCRAM_SHA_256_PLUS) => Ok(Choice::Bound(end_point)),
        _ if wanted == ChannelBinding::Require => Err(Error::ChannelBinding),
        Some(_) if offers(SCRAM_SHA_256) => Ok(Choice::Unoffered),
        None if offers(SCRAM_SHA_256) => Ok(Choice::Unbound),
        _ => Err(Error::AuthMethod {
            method: offered.join(", "),
        }),
    }
}

/// One exchange.
pub(super) struct Scram {
    exchange: ScramSha256,
    mechanism: &'static str,
}

impl Scram {
    pub(super) fn new(choice: Choice, password: &Password) -> Self {
        let (mechanism, binding) = match choice {
            Choice::Bound(end_point) => (
                SCRAM_SHA_256_PLUS,
                sasl::ChannelBinding::tls_server_end_point(end_point),
            ),
            Choice::Unoffered => (SCRAM_SHA_256, sasl::ChannelBinding::unrequested()),
            Choice::Unbound => (SCRAM_SHA_256, sasl::ChannelBinding::unsupported()),
        };
        Scram {
            exchange: ScramSha256::new(password.expose().as_bytes(), binding),
            mechanism,
        }
    }

    /// Writes the first message.
    pub(super) fn begin(&self, out: &mut BytesMut) -> io::Result<()> {
        frontend::sasl_initial_response(self.mechanism, self.exchange.message(), out)
    }

    /// Takes the server's challenge.
    pub(super) fn challenge(&mut self, challenge: &[u8]) -> Result<(), Error> {
        self.exchange
            .update(challenge)
            .map_err(|source| Error::Scram { source })
    }

    /// Writes the proof.
    pub(super) fn reply(&self, out: &mut BytesMut) -> io::Result<()> {
        frontend::sasl_response(self.exchange.message(), out)
    }

    /// Checks the server's proof; true when the channel is bound.
    pub(super) fn finish(mut self, proof: &[u8]) -> Result<bool, Error> {
        self.exchange.finish(proof).map_err(|source| Error::Scram { source })?;
        Ok(self.mechanism == SCRAM_SHA_256_PLUS)
    }
}
