use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use super::settings::Settings;

/// Where packagers put the socket (Debian and Red Hat; PostgreSQL's own default is `/tmp`).
pub(super) const SOCKET_DIRECTORY: &str = "/var/run/postgresql";

/// One place where a server may listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A Unix socket: the file `.s.PGSQL.<port>` in this directory.
    Unix {
        /// The directory.
        directory: PathBuf,
        /// The number in the file's name.
        port: u16,
    },
    /// A TCP address.
    Tcp {
        /// The name to resolve, and the name that TLS verifies.
        host: String,
        /// The address to connect to instead of resolving the name.
        address: Option<IpAddr>,
        /// The port.
        port: u16,
    },
}

impl Endpoint {
    /// The socket's file; `None` for TCP.
    #[must_use]
    pub fn socket_file(&self) -> Option<PathBuf> {
        match self {
            Endpoint::Unix { directory, port } => Some(directory.join(format!(".s.PGSQL.{port}"))),
            Endpoint::Tcp { .. } => None,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Unix { directory, port } => write!(f, "{}/.s.PGSQL.{port}", directory.display()),
            Endpoint::Tcp {
                host,
                address: None,
                port,
            } => write!(f, "{host}:{port}"),
            Endpoint::Tcp {
                host,
                address: Some(address),
                port,
            } => write!(f, "{host}({address}):{port}"),
        }
    }
}

pub(super) fn of(settings: &Settings) -> Vec<Endpoint> {
    let port = settings.port();
    let tcp = |host: String| Endpoint::Tcp {
        host,
        address: settings.host_address,
        port,
    };
    match (&settings.host, settings.host_address) {
        (Some(host), None) if host.starts_with('/') => vec![Endpoint::Unix {
            directory: host.into(),
            port,
        }],
        (Some(host), _) => vec![tcp(host.clone())],
        (None, Some(address)) => vec![tcp(address.to_string())],
        (None, None) => {
            vec![
                Endpoint::Unix {
                    directory: SOCKET_DIRECTORY.into(),
                    port,
                },
                tcp("localhost".to_owned()),
            ]
        }
    }
}
