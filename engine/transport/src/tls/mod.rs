//! Mutual TLS 1.3 between the nodes of one cluster, and nobody else.
//!
//! Sessions are never resumed: a resumed one would not check the peer's chain again.

mod verify;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::cert::PeerName;
use crate::{Error, Result};
use verify::{ClientVerifier, ServerVerifier};

/// The protocol name in ALPN: a connection made for anything else does not get past TLS.
const ALPN: &[u8] = b"synapse-link";

/// Where a node's keys are: PEM files.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The cluster's authority.
    pub ca: PathBuf,
    /// This node's certificate (and intermediates, if any, after it).
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A node's keys, read and checked.
#[derive(Clone, Debug)]
pub struct TlsMaterial {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) client: Arc<ClientConfig>,
    name: PeerName,
}

impl TlsMaterial {
    /// Reads the files and builds both sides' configuration. Blocks for three small files.
    ///
    /// # Errors
    /// [`Error::File`] when one cannot be read, [`Error::Certificate`] when one is not what it should be. Whether the
    /// certificate is expired, or of another authority, shows when a peer looks at it.
    pub fn load(files: &TlsFiles) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        for certificate in read_certificates(&files.ca)? {
            roots.add(certificate).map_err(|e| unusable(&files.ca, e))?;
        }
        let roots = Arc::new(roots);
        let chain = read_certificates(&files.certificate)?;
        let own = chain.first().expect("a list read from a file is never empty");
        let name = PeerName::from_certificate(own).map_err(|e| unusable(&files.certificate, e))?;
        let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?).map_err(|e| unusable(&files.key, e))?;
        let server = server_config(&roots, &provider, &name, chain.clone(), key.clone_key(), files)?;
        let client = client_config(roots, provider, &name, chain, key, files)?;
        Ok(TlsMaterial {
            server: Arc::new(server),
            client: Arc::new(client),
            name,
        })
    }

    /// Whom our certificate speaks for.
    #[must_use]
    pub fn name(&self) -> &PeerName {
        &self.name
    }
}

fn server_config(
    roots: &Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
    name: &PeerName,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    files: &TlsFiles,
) -> Result<ServerConfig> {
    let verifier = ClientVerifier::new(Arc::clone(roots), Arc::clone(provider), name.cluster.clone())
        .map_err(|e| unusable(&files.ca, e))?;
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .expect("ring speaks TLS 1.3")
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(chain, key)
        .map_err(|e| unusable(&files.key, e))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client_config(
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    name: &PeerName,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    files: &TlsFiles,
) -> Result<ClientConfig> {
    let verifier = ServerVerifier {
        roots,
        provider: Arc::clone(&provider),
        cluster: name.cluster.clone(),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("ring speaks TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(chain, key)
        .map_err(|e| unusable(&files.key, e))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// A node's keys that can be read again while it runs. Links that stand keep theirs; new ones take the new.
#[derive(Debug)]
pub struct Keys {
    files: TlsFiles,
    current: RwLock<Arc<TlsMaterial>>,
}

impl Keys {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// Those of [`TlsMaterial::load`].
    pub fn load(files: TlsFiles) -> Result<Self> {
        let current = RwLock::new(Arc::new(TlsMaterial::load(&files)?));
        Ok(Keys { files, current })
    }

    /// Fails unless our certificate speaks for `name`.
    ///
    /// # Errors
    /// [`Error::Certificate`] with whom it speaks for.
    pub fn speak_for(&self, name: &PeerName) -> Result<()> {
        let current = self.current();
        if current.name == *name {
            return Ok(());
        }
        let reason = format!("it is of {}, but this node is {name}", current.name);
        Err(unusable(&self.files.certificate, reason))
    }

    /// Reads the files again.
    ///
    /// # Errors
    /// Those of [`TlsMaterial::load`], and [`Error::Certificate`] when the new certificate speaks for somebody else. The
    /// old keys stay in use then.
    pub fn reload(&self) -> Result<()> {
        let new = Arc::new(TlsMaterial::load(&self.files)?);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if new.name != current.name {
            return Err(unusable(
                &self.files.certificate,
                format!("it is {}, not {}", new.name, current.name),
            ));
        }
        *current = new;
        Ok(())
    }

    /// The keys for the next connection.
    #[must_use]
    pub fn current(&self) -> Arc<TlsMaterial> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::File {
        action: "read",
        path: path.to_owned(),
        source,
    })
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let list: Vec<_> = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|e| unusable(path, e))?;
    if list.is_empty() {
        return Err(unusable(path, "no certificate in it"));
    }
    Ok(list)
}

fn unusable(path: &Path, reason: impl ToString) -> Error {
    Error::Certificate {
        subject: path.display().to_string(),
        reason: reason.to_string(),
    }
}
