use std::time::Duration;

use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsStream;

use crate::cert::PeerName;
use crate::frame::{Decoder, Frame};
use crate::{Error, Result};

/// A connection before it is a link: frames one by one.
pub(super) struct Wire {
    stream: TlsStream<TcpStream>,
    decoder: Decoder,
}

impl Wire {
    pub(super) fn new(stream: TlsStream<TcpStream>) -> Self {
        Wire {
            stream,
            decoder: Decoder::default(),
        }
    }

    /// Whom the peer's certificate speaks for.
    pub(super) fn certificate(&self) -> Result<PeerName> {
        let (_, session) = self.stream.get_ref();
        let certificate: Option<&CertificateDer<'_>> = session.peer_certificates().and_then(<[_]>::first);
        certificate
            .ok_or_else(|| "none was shown".to_owned())
            .and_then(PeerName::from_certificate)
            .map_err(|reason| Error::Certificate {
                subject: "the peer's".to_owned(),
                reason,
            })
    }

    pub(super) async fn send(&mut self, frame: &Frame) -> Result<()> {
        let failed = |e| Error::from_stream("write a handshake", e);
        let header = frame.header().map_err(own_fault)?;
        self.stream.write_all(&header).await.map_err(failed)?;
        self.stream.write_all(&frame.payload).await.map_err(failed)?;
        self.stream.flush().await.map_err(failed)
    }

    pub(super) async fn next(&mut self) -> Result<Frame> {
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(frame);
            }
            let read = self.stream.read_buf(self.decoder.buffer()).await;
            if read.map_err(|e| Error::from_stream("within the handshake", e))? == 0 {
                return Err(Error::Torn {
                    within: "within the handshake",
                });
            }
        }
    }

    /// Sends a last frame and waits until the peer has closed, discarding what it says: closing with bytes unread would
    /// reset the connection, and the peer might never see the frame.
    pub(super) async fn part(mut self, last: &Frame, limit: Duration) {
        let mut rest = Vec::with_capacity(4096);
        let parting = async {
            self.send(last).await?;
            self.stream.shutdown().await.map_err(|e| Error::from_stream("end", e))?;
            while self
                .stream
                .read_buf(&mut rest)
                .await
                .map_err(|e| Error::from_stream("end", e))?
                > 0
            {
                rest.clear();
            }
            Ok::<(), Error>(())
        };
        if let Err(error) = timeout(limit, parting)
            .await
            .unwrap_or(Err(Error::HandshakeTimeout(limit)))
        {
            tracing::debug!(%error, "the refused peer did not stay for the reason");
        }
    }

    /// The two directions, and the decoder with what was read ahead.
    pub(super) fn split(self) -> (ReadHalf<TlsStream<TcpStream>>, Decoder, WriteHalf<TlsStream<TcpStream>>) {
        let (read, write) = tokio::io::split(self.stream);
        (read, self.decoder, write)
    }
}

/// A frame of our own that does not keep the rules.
pub(super) fn own_fault(fault: crate::frame::Fault) -> Error {
    Error::Frame(crate::frame::FrameError { offset: 0, fault })
}
