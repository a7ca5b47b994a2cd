use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream, tcp, unix};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use crate::dsn::{Dsn, Endpoint, SslMode};
use crate::error::Error;
use crate::tls;

/// The reading half of a TCP, Unix or TLS connection. Only TLS pays for a lock between the halves.
pub(crate) type ReadHalf =
    Either<tcp::OwnedReadHalf, Either<unix::OwnedReadHalf, tokio::io::ReadHalf<TlsStream<TcpStream>>>>;

/// The writing half.
pub(crate) type WriteHalf =
    Either<tcp::OwnedWriteHalf, Either<unix::OwnedWriteHalf, tokio::io::WriteHalf<TlsStream<TcpStream>>>>;

/// A connected socket on which the startup message may be sent.
pub(crate) struct Socket {
    pub(crate) reader: ReadHalf,
    pub(crate) writer: WriteHalf,
    /// `tls-server-end-point` of the server's certificate, when there is TLS and the certificate has one.
    pub(crate) end_point: Option<Vec<u8>>,
}

const START_TLS: &str = "start TLS";

/// Connects to one endpoint, with TLS as `dsn` asks.
pub(crate) async fn connect(dsn: &Dsn, endpoint: &Endpoint) -> Result<Socket, Error> {
    let config = tls::client_config(dsn)?;
    match endpoint {
        Endpoint::Unix { .. } => {
            let path = endpoint.socket_file().unwrap_or_default();
            let stream = UnixStream::connect(path)
                .await
                .map_err(|source| unreachable(endpoint, source))?;
            let (reader, writer) = stream.into_split();
            let (reader, writer) = (Either::Right(Either::Left(reader)), Either::Right(Either::Left(writer)));
            Ok(Socket {
                reader,
                writer,
                end_point: None,
            })
        }
        Endpoint::Tcp { host, .. } => {
            let stream = tcp(endpoint).await?;
            match config {
                None => Ok(plain(stream)),
                Some(config) => encrypted(stream, Arc::new(config), host, endpoint, dsn.ssl_mode()).await,
            }
        }
    }
}

async fn tcp(endpoint: &Endpoint) -> Result<TcpStream, Error> {
    let addresses: Vec<SocketAddr> = match endpoint {
        Endpoint::Tcp {
            address: Some(address),
            port,
            ..
        } => vec![SocketAddr::new(*address, *port)],
        Endpoint::Tcp {
            host,
            address: None,
            port,
        } => {
            let found = tokio::net::lookup_host((host.as_str(), *port)).await;
            found
                .map_err(|source| Error::Resolve {
                    host: host.clone(),
                    source,
                })?
                .collect()
        }
        Endpoint::Unix { .. } => Vec::new(),
    };
    let stream = TcpStream::connect(&addresses[..])
        .await
        .map_err(|source| unreachable(endpoint, source))?;
    // Statuses and keepalives are small and urgent.
    stream
        .set_nodelay(true)
        .map_err(|source| unreachable(endpoint, source))?;
    Ok(stream)
}

fn plain(stream: TcpStream) -> Socket {
    let (reader, writer) = stream.into_split();
    Socket {
        reader: Either::Left(reader),
        writer: Either::Left(writer),
        end_point: None,
    }
}

/// Asks for TLS and takes it, or goes on without where `prefer` allows. The answer is read as a single byte, so that
/// nothing that came in the clear is taken for part of the encrypted session (CVE-2021-23222).
async fn encrypted(
    mut stream: TcpStream,
    config: Arc<rustls::ClientConfig>,
    host: &str,
    endpoint: &Endpoint,
    mode: SslMode,
) -> Result<Socket, Error> {
    let lost = |source| Error::Io {
        during: START_TLS,
        source,
    };
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    stream.write_all(&request).await.map_err(lost)?;
    let mut answer = [0];
    if stream.read(&mut answer).await.map_err(lost)? == 0 {
        return Err(Error::Closed { during: START_TLS });
    }
    match answer {
        [b'S'] => {}
        [b'N'] if mode == SslMode::Prefer => return Ok(plain(stream)),
        [b'N'] => {
            return Err(Error::TlsRefused {
                address: endpoint.to_string(),
            });
        }
        // An error in the clear comes from nobody in particular; its text is not to be shown (CVE-2024-10977).
        [b'E'] => return Err(Error::Closed { during: START_TLS }),
        [tag] => {
            return Err(Error::Unexpected {
                during: START_TLS,
                tag: char::from(tag),
            });
        }
    }
    let failed = |source| Error::TlsHandshake {
        address: endpoint.to_string(),
        source,
    };
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let stream = TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|source| {
            // rustls reports what it refuses as invalid data; anything else is the network.
            if source.kind() == io::ErrorKind::InvalidData {
                failed(source)
            } else {
                lost(source)
            }
        })?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let end_point = certificate.and_then(|certificate| tls::server_end_point(certificate));
    let (reader, writer) = tokio::io::split(stream);
    Ok(Socket {
        reader: Either::Right(Either::Right(reader)),
        writer: Either::Right(Either::Right(writer)),
        end_point,
    })
}

fn unreachable(endpoint: &Endpoint, source: io::Error) -> Error {
    let address = endpoint.to_string();
    // A socket file is there while the server runs.
    if matches!(
        source.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
    ) {
        Error::Refused { address, source }
    } else {
        Error::Unreachable { address, source }
    }
}
