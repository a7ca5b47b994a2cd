//! A link that can be cut: a TCP proxy in front of a node.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Connections to one address, each through this process.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    connections: Arc<Mutex<CancellationToken>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Passes on to `target`.
    pub(crate) async fn start(target: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(Mutex::new(CancellationToken::new()));
        let current = Arc::clone(&connections);
        let accepting = tokio::spawn(async move {
            while let Ok((incoming, _)) = listener.accept().await {
                let cut = current.lock().unwrap().clone();
                tokio::spawn(pass(incoming, target.clone(), cut));
            }
        });
        Proxy {
            address,
            connections,
            accepting,
        }
    }

    /// Cuts every connection, in the midst of whatever it carries. New ones are accepted.
    pub(crate) fn cut(&self) {
        std::mem::take(&mut *self.connections.lock().unwrap()).cancel();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn pass(mut incoming: TcpStream, target: String, cut: CancellationToken) {
    let Ok(mut outgoing) = TcpStream::connect(target).await else {
        return;
    };
    tokio::select! {
        () = cut.cancelled() => {}
        _ = tokio::io::copy_bidirectional(&mut incoming, &mut outgoing) => {}
    }
}
