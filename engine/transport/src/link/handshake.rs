//! From TLS to a link.
//!
//! ```text
//! acceptor -> dialer   HELLO
//! dialer -> acceptor   HELLO, CREDIT (the window)       or ERROR
//! acceptor -> dialer   READY                            or ERROR
//! ```
//!
//! The acceptor speaks first, because in TLS 1.3 a dialer whose certificate is refused learns it only when it reads: had it
//! sent anything yet, the connection could be reset before the reason is read.

use bytes::Bytes;

use super::options::Options;
use super::wire::Wire;
use crate::frame::{Frame, Kind};
use crate::hello::{Hello, refused_by_peer};
use crate::{Error, Result};

/// Takes the dialer's part.
pub(super) async fn dial(mut wire: Wire, ours: &Hello, options: &Options) -> Result<(Wire, Hello)> {
    let certificate = wire.certificate()?;
    let frame = expect(&mut wire, Kind::Hello).await?;
    let admitted = Hello::decode(&frame.payload).and_then(|peer| ours.admit(&peer, &certificate).map(|()| peer));
    let peer = match admitted {
        Ok(peer) => peer,
        Err(refusal) => {
            wire.part(&Frame::plain(Kind::Error, refusal.encode()), options.goodbye_timeout)
                .await;
            return Err(Error::Refused(refusal));
        }
    };
    wire.send(&Frame::plain(Kind::Hello, ours.encode())).await?;
    wire.send(&Frame::number(Kind::Credit, 0, u64::from(options.window_bytes)))
        .await?;
    expect(&mut wire, Kind::Ready).await?;
    Ok((wire, peer))
}

/// Takes the acceptor's part; gives the window too.
pub(super) async fn accept(mut wire: Wire, ours: &Hello, options: &Options) -> Result<(Wire, Hello, u32)> {
    let certificate = wire.certificate()?;
    wire.send(&Frame::plain(Kind::Hello, ours.encode())).await?;
    let frame = expect(&mut wire, Kind::Hello).await?;
    let admitted = Hello::decode(&frame.payload).and_then(|peer| ours.admit(&peer, &certificate).map(|()| peer));
    let peer = match admitted {
        Ok(peer) => peer,
        Err(refusal) => {
            wire.part(&Frame::plain(Kind::Error, refusal.encode()), options.goodbye_timeout)
                .await;
            return Err(Error::Refused(refusal));
        }
    };
    let credit = expect(&mut wire, Kind::Credit).await?;
    let window = credit
        .as_number()
        .and_then(|n| u32::try_from(n).ok())
        .filter(|n| *n > 0);
    let window = window.ok_or(Error::Violation("a window of nothing, or beyond 4 GiB"))?;
    wire.send(&Frame::plain(Kind::Ready, Bytes::new())).await?;
    Ok((wire, peer, window))
}

async fn expect(wire: &mut Wire, kind: Kind) -> Result<Frame> {
    let frame = wire.next().await?;
    if frame.kind == kind && frame.stream == 0 {
        Ok(frame)
    } else if frame.kind == Kind::Error {
        Err(refused_by_peer(&frame.payload))
    } else {
        Err(Error::Violation("a frame out of place in the handshake"))
    }
}
