//! Links over real sockets and real TLS on loopback.

mod ending;
mod flow;
mod hellos;
mod requests;
mod strangers;
mod torn;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rustls_pki_types::ServerName;
use synapse_engine_identity::Incarnation;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use tokio_util::sync::CancellationToken;

use super::wire::Wire;
use super::*;
use crate::cert::{self, Leaf, PeerName, Validity};
use crate::{Error, Hello, Keys, TlsFiles, TlsMaterial};

const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A cluster's certificates.
struct World {
    directory: tempfile::TempDir,
    cluster: &'static str,
}

impl World {
    fn new(cluster: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        cert::init_ca(directory.path(), &cluster.parse().unwrap()).unwrap();
        World { directory, cluster }
    }

    fn ca(&self) -> &Path {
        self.directory.path()
    }

    /// The files of a node, with a good certificate.
    fn files(&self, node: &str) -> TlsFiles {
        let now = SystemTime::now();
        self.files_as(
            node,
            self.cluster,
            node,
            Validity {
                from: now - DAY,
                to: now + DAY,
            },
        )
    }

    /// The files of a node, with a certificate of another cluster, node or time.
    fn files_as(&self, directory: &str, cluster: &str, node: &str, validity: Validity) -> TlsFiles {
        let name = PeerName {
            cluster: cluster.parse().unwrap(),
            node: node.parse().unwrap(),
        };
        self.files_of(
            directory,
            &Leaf {
                name,
                sans: Vec::new(),
                validity,
                usages: cert::both_sides(),
            },
        )
    }

    /// The files of a node, with any certificate that this authority may sign.
    fn files_of(&self, directory: &str, leaf: &Leaf) -> TlsFiles {
        let out = self.ca().join(directory);
        if !out.exists() {
            cert::issue_as(self.ca(), &out, leaf).unwrap();
        }
        files_in(self.ca(), &out)
    }

    fn hello(&self, node: &str) -> Hello {
        Hello {
            software: "test".to_owned(),
            cluster: self.cluster.parse().unwrap(),
            node: node.parse().unwrap(),
            incarnation: Incarnation(1),
            pg_major: 15,
        }
    }

    fn endpoint(&self, node: &str, options: Options, shutdown: &CancellationToken) -> Endpoint {
        let keys = Arc::new(Keys::load(self.files(node)).unwrap());
        Endpoint::new(self.hello(node), keys, options, shutdown.clone()).unwrap()
    }

    fn material(&self, node: &str) -> TlsMaterial {
        TlsMaterial::load(&self.files(node)).unwrap()
    }
}

fn files_in(ca: &Path, node: &Path) -> TlsFiles {
    let path = |directory: &Path, name: &str| -> PathBuf { directory.join(name) };
    TlsFiles {
        ca: path(ca, cert::CA_CERTIFICATE),
        certificate: path(node, cert::NODE_CERTIFICATE),
        key: path(node, cert::NODE_KEY),
    }
}

/// A link between n1, which sends, and n2, which receives.
struct Pair {
    receiver: OutgoingLink,
    sender: IncomingLink,
    receiver_shutdown: CancellationToken,
    sender_shutdown: CancellationToken,
}

async fn pair(options: Options) -> Pair {
    let world = World::new("c");
    let (sender_shutdown, receiver_shutdown) = (CancellationToken::new(), CancellationToken::new());
    let endpoint = world.endpoint("n1", options, &sender_shutdown);
    let mut acceptor = Acceptor::bind(ANYWHERE, endpoint).await.unwrap();
    let dialer = world.endpoint("n2", options, &receiver_shutdown);
    let address = acceptor.address().unwrap();
    let (receiver, sender) = tokio::join!(dialer.dial(address), accepted(&mut acceptor));
    Pair {
        receiver: receiver.unwrap(),
        sender: sender.unwrap(),
        receiver_shutdown,
        sender_shutdown,
    }
}

async fn accepted(acceptor: &mut Acceptor) -> Result<IncomingLink, Error> {
    match acceptor.accept().await.unwrap().unwrap() {
        Accepted::Link(link) => Ok(*link),
        Accepted::Refused { error, .. } => Err(error),
    }
}

/// TLS to an address, and no HELLO yet.
async fn raw_dial(address: SocketAddr, material: &TlsMaterial) -> std::io::Result<Wire> {
    let tcp = TcpStream::connect(address).await?;
    let connector = TlsConnector::from(Arc::clone(&material.client));
    let tls = connector.connect(ServerName::try_from("synapse").unwrap(), tcp).await?;
    Ok(Wire::new(TlsStream::from(tls)))
}

/// TLS with whoever comes, and no HELLO yet.
async fn raw_accept(listener: &TcpListener, material: &TlsMaterial) -> std::io::Result<Wire> {
    let (tcp, _) = listener.accept().await?;
    let tls = TlsAcceptor::from(Arc::clone(&material.server)).accept(tcp).await?;
    Ok(Wire::new(TlsStream::from(tls)))
}

/// A sender of blocks that keeps no rule but the handshake's, and a link to it.
async fn rogue_sender(options: Options) -> (Wire, OutgoingLink) {
    let world = World::new("c");
    let listener = TcpListener::bind(ANYWHERE).await.unwrap();
    let dialer = world.endpoint("n2", options, &CancellationToken::new());
    let (material, hello) = (world.material("n1"), world.hello("n1"));
    let serve = async {
        let wire = raw_accept(&listener, &material).await.unwrap();
        handshake::accept(wire, &hello, &options).await.unwrap().0
    };
    let address = listener.local_addr().unwrap();
    let (wire, link) = tokio::join!(serve, dialer.dial(address));
    (wire, link.unwrap())
}

/// A receiver of blocks that keeps no rule but the handshake's, and the link that it has.
async fn rogue_receiver(options: Options) -> (Wire, IncomingLink) {
    let world = World::new("c");
    let mut acceptor = Acceptor::bind(ANYWHERE, world.endpoint("n1", options, &CancellationToken::new()))
        .await
        .unwrap();
    let (address, material, hello) = (acceptor.address().unwrap(), world.material("n2"), world.hello("n2"));
    let dial = async {
        let wire = raw_dial(address, &material).await.unwrap();
        handshake::dial(wire, &hello, &options).await.unwrap().0
    };
    let (wire, link) = tokio::join!(dial, accepted(&mut acceptor));
    (wire, link.unwrap())
}

/// Bytes that differ from place to place.
fn bytes(length: usize) -> Bytes {
    (0..length)
        .map(|i| u8::try_from(i % 251).unwrap())
        .collect::<Vec<_>>()
        .into()
}

/// The future is not ready now.
async fn assert_waits<T>(work: impl Future<Output = T>) {
    tokio::select! {
        biased;
        _ = work => panic!("it did not wait"),
        () = std::future::ready(()) => {}
    }
}

async fn next_block(link: &mut OutgoingLink) -> Bytes {
    match link.events.recv().await.unwrap() {
        FromSender::Block(block) => block,
        other @ (FromSender::Ack(_) | FromSender::Heartbeat(_)) => panic!("expected a block, got {other:?}"),
    }
}

async fn next_request(link: &mut IncomingLink) -> (Bytes, Responder) {
    match link.events.recv().await.unwrap() {
        FromReceiver::Request { payload, responder } => (payload, responder),
        other @ (FromReceiver::Subscribe(_) | FromReceiver::Ack(_) | FromReceiver::Heartbeat(_)) => {
            panic!("expected a request, got {other:?}")
        }
    }
}

/// What both sides say when a dialer with this material and hello meets an acceptor with that.
async fn meet(dialer: (&TlsMaterial, Hello), acceptor: (&TlsMaterial, Hello)) -> (Error, Error) {
    let listener = TcpListener::bind(ANYWHERE).await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = Options::default();
    let dial = async {
        let wire = raw_dial(address, dialer.0)
            .await
            .map_err(|e| Error::from_stream("dial", e))?;
        handshake::dial(wire, &dialer.1, &options).await.map(|_| ())
    };
    let accept = async {
        let wire = raw_accept(&listener, acceptor.0)
            .await
            .map_err(|e| Error::from_stream("accept", e))?;
        handshake::accept(wire, &acceptor.1, &options).await.map(|_| ())
    };
    let (dialed, accepted) = tokio::join!(dial, accept);
    (dialed.unwrap_err(), accepted.unwrap_err())
}

/// The work's result; a wait that would never end fails the test.
async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work)
        .await
        .expect("it never ended")
}
