//! TLS as `sslmode` means it, for replication and for ordinary sessions alike.

mod binding;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

pub use binding::server_end_point;
use verify::{ServerCheck, Trust};

use crate::dsn::{Dsn, RootCertificates, SslMode, read, read_private};
use crate::error::Error;

/// Where distributions keep the bundle of public authorities (the list of Go's `crypto/x509/root_linux.go`).
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The rustls configuration that `dsn` asks for; `None` for `sslmode=disable`.
///
/// It carries its own cryptography (ring) and depends on no process-wide default. What a name in the certificate must
/// be is the `ServerName` of the connection: the host as [`crate::Endpoint::Tcp`] has it. Only subject alternative
/// names count; a bare common name does not.
///
/// # Errors
/// [`Error::File`], [`Error::FileExposed`] or [`Error::TlsMaterial`] for the files of `sslrootcert`, `sslcert` and
/// `sslkey`.
pub fn client_config(dsn: &Dsn) -> Result<Option<ClientConfig>, Error> {
    let trust = match (dsn.ssl_mode(), dsn.ssl_root_certificates()) {
        (SslMode::Disable, _) => return Ok(None),
        (SslMode::Prefer, _) | (SslMode::Require, None) => Trust::Anybody,
        (SslMode::Require | SslMode::VerifyCa, Some(roots)) => Trust::Chain(authorities(roots)?),
        (SslMode::VerifyFull, Some(roots)) => Trust::ChainAndName(authorities(roots)?),
        (SslMode::VerifyCa | SslMode::VerifyFull, None) => {
            return Err(Error::DsnValue {
                keyword: "sslmode",
                expected: "sslrootcert beside verify-ca and verify-full",
            });
        }
    };
    let provider = Arc::new(ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ServerCheck::new(trust, algorithms)));
    let config = match (dsn.ssl_certificate(), dsn.ssl_key()) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("sslcert", certificate)?;
            let private = private_key(key)?;
            builder
                .with_client_auth_cert(chain, private)
                .map_err(|error| material("sslcert", certificate, error.to_string()))?
        }
        (Some(_), None) | (None, Some(_) | None) => builder.with_no_client_auth(),
    };
    Ok(Some(config))
}

fn authorities(roots: &RootCertificates) -> Result<Vec<CertificateDer<'static>>, Error> {
    let path = match roots {
        RootCertificates::File(path) => path.clone(),
        RootCertificates::System => {
            let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
            let usual = || SYSTEM_BUNDLES.iter().map(PathBuf::from).find(|path| path.exists());
            named.or_else(usual).unwrap_or_else(|| PathBuf::from(SYSTEM_BUNDLES[0]))
        }
    };
    let certificates = certificates("sslrootcert", &path)?;
    // A bundle may hold authorities that webpki cannot read; one that it can read is enough to start with.
    let (usable, _) = RootCertStore::empty().add_parsable_certificates(certificates.iter().cloned());
    if usable == 0 {
        return Err(material("sslrootcert", &path, "no usable certificate in it".to_owned()));
    }
    Ok(certificates)
}

fn certificates(keyword: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = read(keyword, path)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| material(keyword, path, error.to_string()))?;
    if certificates.is_empty() {
        return Err(material(keyword, path, "no PEM certificate in it".to_owned()));
    }
    Ok(certificates)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let pem = read_private("sslkey", path)?;
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| material("sslkey", path, "no unencrypted PEM private key in it".to_owned()))
}

fn material(keyword: &'static str, path: &Path, reason: String) -> Error {
    Error::TlsMaterial {
        keyword,
        path: path.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests;
