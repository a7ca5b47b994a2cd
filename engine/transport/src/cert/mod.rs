//! A cluster's own certificate authority and the certificates of its nodes.
//!
//! The authority is valid for ten years, a node's certificate for two; both begin an hour in the past, because clocks
//! differ. A node's certificate carries `synapse://cluster/node` and serves both as client and as server.

mod files;
mod name;

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use synapse_engine_identity::NodeId;

use crate::{Error, Result};
use files::Secrecy;
pub use name::{ClusterName, InvalidClusterName, PeerName};

/// How long a cluster's authority is valid: ten years.
pub const CA_VALIDITY: Duration = Duration::from_secs(3650 * 24 * 3600);
/// How long a node's certificate is valid: two years.
pub const NODE_VALIDITY: Duration = Duration::from_secs(730 * 24 * 3600);
/// File name of the authority's certificate, which every node needs.
pub const CA_CERTIFICATE: &str = "ca.crt";
/// File name of the authority's key, which only issuing needs.
pub const CA_KEY: &str = "ca.key";
/// File name of a node's certificate.
pub const NODE_CERTIFICATE: &str = "node.crt";
/// File name of a node's key.
pub const NODE_KEY: &str = "node.key";

const CLOCK_SLACK: Duration = Duration::from_secs(3600);

/// From when to when a certificate is valid.
#[derive(Clone, Copy)]
pub(crate) struct Validity {
    pub(crate) from: SystemTime,
    pub(crate) to: SystemTime,
}

impl Validity {
    fn starting_now(length: Duration) -> Self {
        let now = SystemTime::now();
        Validity {
            from: now - CLOCK_SLACK,
            to: now + length,
        }
    }
}

/// Makes the authority of a cluster: `ca.crt` and `ca.key` (0600) in `directory`, which is created if it is missing.
///
/// # Errors
/// [`Error::Exists`] when one of the two is there already: nothing is overwritten. [`Error::File`] when writing fails.
pub fn init_ca(directory: &Path, cluster: &ClusterName) -> Result<()> {
    create_directory(directory)?;
    files::refuse_existing(directory, &[CA_CERTIFICATE, CA_KEY])?;
    let mut params = parameters(
        &format!("SynapseDB authority of {cluster}"),
        Validity::starting_now(CA_VALIDITY),
    );
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.subject_alt_names = vec![uri(name::ca_uri(cluster))?];
    let key = KeyPair::generate().map_err(|e| unusable("new key", e))?;
    let certificate = params.self_signed(&key).map_err(|e| unusable("new authority", e))?;
    files::write_new(directory, CA_KEY, &key.serialize_pem(), Secrecy::Private)?;
    files::write_new(directory, CA_CERTIFICATE, &certificate.pem(), Secrecy::Public)
}

/// Issues a node's certificate, signed by the authority in `ca_directory`, for that authority's cluster: `node.crt` and
/// `node.key` (0600) in `directory`, which is created if it is missing. `sans` are further DNS names and IP addresses;
/// links do not look at them.
///
/// # Errors
/// [`Error::Exists`] when one of the two files is there already. [`Error::File`] when reading or writing fails.
/// [`Error::Certificate`] when the authority was not made by [`init_ca`] or a name of `sans` is none.
pub fn issue(ca_directory: &Path, directory: &Path, node: NodeId, sans: &[String]) -> Result<()> {
    let path = ca_directory.join(CA_CERTIFICATE);
    let pem = files::read(&path)?;
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| unusable(&path.display().to_string(), e))?;
    let cluster = name::cluster_of_ca(&der).map_err(|e| unusable(&path.display().to_string(), e))?;
    let validity = Validity::starting_now(NODE_VALIDITY);
    let leaf = Leaf {
        name: PeerName { cluster, node },
        sans: sans.to_vec(),
        validity,
        usages: both_sides(),
    };
    issue_as(ca_directory, directory, &leaf)
}

/// What a node's certificate says.
pub(crate) struct Leaf {
    pub(crate) name: PeerName,
    pub(crate) sans: Vec<String>,
    pub(crate) validity: Validity,
    pub(crate) usages: Vec<ExtendedKeyUsagePurpose>,
}

/// A node dials and accepts.
pub(crate) fn both_sides() -> Vec<ExtendedKeyUsagePurpose> {
    vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth]
}

/// [`issue`] with every part of the certificate chosen, also wrongly.
pub(crate) fn issue_as(ca_directory: &Path, directory: &Path, leaf: &Leaf) -> Result<()> {
    create_directory(directory)?;
    files::refuse_existing(directory, &[NODE_CERTIFICATE, NODE_KEY])?;
    let mut params = parameters(leaf.name.node.as_str(), leaf.validity);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = leaf.usages.clone();
    params.use_authority_key_identifier_extension = true;
    params.subject_alt_names = vec![uri(leaf.name.to_string())?];
    for san in &leaf.sans {
        params.subject_alt_names.push(match san.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(san.as_str().try_into().map_err(|e| unusable(san, e))?),
        });
    }
    let issuer = load_issuer(ca_directory)?;
    let key = KeyPair::generate().map_err(|e| unusable("new key", e))?;
    let certificate = params
        .signed_by(&key, &issuer)
        .map_err(|e| unusable("new certificate", e))?;
    files::write_new(directory, NODE_KEY, &key.serialize_pem(), Secrecy::Private)?;
    files::write_new(directory, NODE_CERTIFICATE, &certificate.pem(), Secrecy::Public)
}

fn load_issuer(directory: &Path) -> Result<Issuer<'static, KeyPair>> {
    let path = directory.join(CA_KEY);
    let key = KeyPair::from_pem(&files::read(&path)?).map_err(|e| unusable(&path.display().to_string(), e))?;
    let path = directory.join(CA_CERTIFICATE);
    Issuer::from_ca_cert_pem(&files::read(&path)?, key).map_err(|e| unusable(&path.display().to_string(), e))
}

fn parameters(common_name: &str, validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = validity.from.into();
    params.not_after = validity.to.into();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn uri(text: String) -> Result<SanType> {
    Ok(SanType::URI(text.as_str().try_into().map_err(|e| unusable(&text, e))?))
}

fn create_directory(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory).map_err(|source| Error::File {
        action: "create directory",
        path: directory.to_owned(),
        source,
    })
}

fn unusable(subject: &str, reason: impl ToString) -> Error {
    Error::Certificate {
        subject: subject.to_owned(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests;
