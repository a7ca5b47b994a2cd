use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use tokio_util::sync::CancellationToken;

use super::handshake;
use super::incoming::IncomingLink;
use super::options::{HANDSHAKES_MAX, Options};
use super::outgoing::OutgoingLink;
use super::wire::Wire;
use crate::cert::PeerName;
use crate::hello::Hello;
use crate::tls::Keys;
use crate::{Error, Result};

/// What both dialing and accepting need: who we are, our keys, and when to stop.
#[derive(Clone, Debug)]
pub struct Endpoint {
    hello: Arc<Hello>,
    keys: Arc<Keys>,
    options: Options,
    shutdown: CancellationToken,
}

impl Endpoint {
    /// An endpoint. When `shutdown` is cancelled every link says goodbye and ends.
    ///
    /// # Errors
    /// [`Error::Certificate`] when our certificate speaks for another node or cluster than `hello`.
    pub fn new(hello: Hello, keys: Arc<Keys>, options: Options, shutdown: CancellationToken) -> Result<Self> {
        keys.speak_for(&PeerName {
            cluster: hello.cluster.clone(),
            node: hello.node,
        })?;
        Ok(Endpoint {
            hello: Arc::new(hello),
            keys,
            options,
            shutdown,
        })
    }

    /// Dials a peer to receive its blocks. Tries once; see [`crate::Backoff`] for what follows a failure.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Torn`] or [`Error::HandshakeTimeout`] when the peer cannot be reached; [`Error::Tls`] when either
    /// side does not take the other's certificate; [`Error::Refused`] and [`Error::RefusedByPeer`] after HELLO.
    pub async fn dial(&self, address: impl ToSocketAddrs) -> Result<OutgoingLink> {
        let limit = self.options.handshake_timeout;
        let (wire, peer) = timeout(limit, self.try_dial(address))
            .await
            .map_err(|_| Error::HandshakeTimeout(limit))??;
        Ok(OutgoingLink::start(wire, peer, self.options, &self.shutdown))
    }

    async fn try_dial(&self, address: impl ToSocketAddrs) -> Result<(Wire, Hello)> {
        let tcp = TcpStream::connect(address).await.map_err(|source| Error::Io {
            action: "connect",
            source,
        })?;
        no_delay(&tcp)?;
        // Nobody looks at this name: neither is it sent, nor compared.
        let name = ServerName::try_from("synapse").expect("a word is a host name");
        let connector = TlsConnector::from(Arc::clone(&self.keys.current().client));
        let tls = connector
            .connect(name, tcp)
            .await
            .map_err(|e| Error::from_stream("within TLS", e))?;
        handshake::dial(Wire::new(TlsStream::from(tls)), &self.hello, &self.options).await
    }

    async fn answer(self, tcp: TcpStream, address: SocketAddr) -> Result<IncomingLink> {
        let limit = self.options.handshake_timeout;
        let attempt = async {
            no_delay(&tcp)?;
            let acceptor = TlsAcceptor::from(Arc::clone(&self.keys.current().server));
            let tls = acceptor
                .accept(tcp)
                .await
                .map_err(|e| Error::from_stream("within TLS", e))?;
            handshake::accept(Wire::new(TlsStream::from(tls)), &self.hello, &self.options).await
        };
        let (wire, peer, window) = timeout(limit, attempt)
            .await
            .map_err(|_| Error::HandshakeTimeout(limit))??;
        Ok(IncomingLink::start(
            wire,
            (peer, address),
            window,
            self.options,
            &self.shutdown,
        ))
    }
}

/// What an acceptor gives.
#[derive(Debug)]
pub enum Accepted {
    /// A peer has linked.
    Link(Box<IncomingLink>),
    /// Somebody came who is no peer, or was refused. The acceptor goes on; whoever runs it logs this.
    Refused {
        /// Whence it came.
        address: SocketAddr,
        /// Why it did not become a link.
        error: Error,
    },
}

/// Takes links that peers dial.
#[derive(Debug)]
pub struct Acceptor {
    endpoint: Endpoint,
    listener: TcpListener,
    handshakes: JoinSet<Accepted>,
}

impl Acceptor {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// [`Error::Listen`].
    pub async fn bind(address: SocketAddr, endpoint: Endpoint) -> Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| Error::Listen { address, source })?;
        Ok(Acceptor {
            endpoint,
            listener,
            handshakes: JoinSet::new(),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(|source| Error::Io {
            action: "read the address of the listener",
            source,
        })
    }

    /// The next link, or the next that did not become one; `None` once the endpoint is shut down. Cancel-safe. At most 16
    /// handshakes run at once, each within its timeout, so that a slow one holds up nobody.
    ///
    /// # Errors
    /// [`Error::Io`] when the listener fails (the process is out of descriptors, as a rule): wait a little, call again.
    pub async fn accept(&mut self) -> Result<Option<Accepted>> {
        loop {
            let room = self.handshakes.len() < HANDSHAKES_MAX;
            tokio::select! {
                biased;
                () = self.endpoint.shutdown.cancelled() => return Ok(None),
                Some(done) = self.handshakes.join_next() => {
                    return Ok(Some(done.expect("a handshake neither panics nor is aborted while its acceptor lives")));
                }
                accepted = self.listener.accept(), if room => {
                    let (tcp, address) = accepted.map_err(|source| Error::Io { action: "accept", source })?;
                    let endpoint = self.endpoint.clone();
                    self.handshakes.spawn(async move {
                        match endpoint.answer(tcp, address).await {
                            Ok(link) => Accepted::Link(Box::new(link)),
                            Err(error) => Accepted::Refused { address, error },
                        }
                    });
                }
            }
        }
    }
}

fn no_delay(tcp: &TcpStream) -> Result<()> {
    tcp.set_nodelay(true).map_err(|source| Error::Io {
        action: "set TCP_NODELAY",
        source,
    })
}
