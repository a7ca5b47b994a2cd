use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::signature_algorithm::RsaSsaPssParams;

/// The signature scheme that names its hash in its parameters.
const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";

/// The `tls-server-end-point` channel binding of a server's DER certificate (RFC 5929, section 4.1): its digest by the
/// hash of its own signature, SHA-256 in place of MD5 and SHA-1. `None` when the signature has no hash of its own
/// (Ed25519), for which the RFC defines no binding.
#[must_use]
pub fn server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let signature = &parsed.signature_algorithm;
    let name = signature.algorithm.to_id_string();
    let algorithm = if name == RSASSA_PSS {
        let parameters = RsaSsaPssParams::try_from(signature.parameters.as_ref()?).ok()?;
        hash_of(&parameters.hash_algorithm_oid().to_id_string())
    } else {
        hash_of(&name)
    }?;
    Some(digest(algorithm, certificate).as_ref().to_vec())
}

/// The digest behind an object identifier: of a signature, or of a hash itself.
fn hash_of(identifier: &str) -> Option<&'static Algorithm> {
    match identifier {
        // RSA with MD5, SHA-1, SHA-256; ECDSA with SHA-1, SHA-256; the hashes SHA-1 and SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2"
        | "1.3.14.3.2.26"
        | "2.16.840.1.101.3.4.2.1" => Some(&SHA256),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" | "2.16.840.1.101.3.4.2.2" => Some(&SHA384),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" | "2.16.840.1.101.3.4.2.3" => Some(&SHA512),
        _ => None,
    }
}
