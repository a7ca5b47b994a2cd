use std::os::unix::fs::PermissionsExt;

use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm,
};

use super::{client_config, server_end_point};
use crate::{Dsn, Error};

fn certificate(algorithm: &'static SignatureAlgorithm) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate_for(algorithm).unwrap();
    (
        CertificateParams::new(vec!["db".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap(),
        key,
    )
}

#[test]
fn the_channel_binding_uses_the_hash_of_the_certificates_signature() {
    for (algorithm, hash) in [
        (&PKCS_ECDSA_P256_SHA256, &ring::digest::SHA256),
        (&PKCS_ECDSA_P384_SHA384, &ring::digest::SHA384),
    ] {
        let (certificate, _) = certificate(algorithm);
        let expected = ring::digest::digest(hash, certificate.der()).as_ref().to_vec();
        assert_eq!(server_end_point(certificate.der()), Some(expected));
    }
    assert_eq!(server_end_point(certificate(&PKCS_ED25519).0.der()), None);
    assert_eq!(server_end_point(b"no certificate"), None);
}

#[test]
fn files_without_material_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (certificate, key) = certificate(&PKCS_ECDSA_P256_SHA256);
    std::fs::write(path("empty"), "").unwrap();
    std::fs::write(path("cert"), certificate.pem()).unwrap();
    std::fs::write(path("key"), key.serialize_pem()).unwrap();
    let config = |keywords: &str| {
        let dsn: Dsn = format!("user=u host=h {keywords}").parse().unwrap();
        client_config(&dsn).map(|config| config.is_some())
    };
    let mode = |bits| std::fs::set_permissions(path("key"), std::fs::Permissions::from_mode(bits)).unwrap();
    let root = |name: &str| config(&format!("sslmode=verify-ca sslrootcert={}", path(name)));
    let client = |cert: &str, key: &str| config(&format!("sslcert={} sslkey={}", path(cert), path(key)));

    assert!(!config("sslmode=disable").unwrap());
    assert!(config("sslmode=prefer").unwrap());
    assert!(root("cert").unwrap());
    assert!(matches!(
        root("absent"),
        Err(Error::File {
            keyword: "sslrootcert",
            ..
        })
    ));
    assert!(matches!(
        root("empty"),
        Err(Error::TlsMaterial {
            keyword: "sslrootcert",
            ..
        })
    ));
    mode(0o600);
    assert!(client("cert", "key").unwrap());
    assert!(matches!(
        client("empty", "key"),
        Err(Error::TlsMaterial { keyword: "sslcert", .. })
    ));
    assert!(matches!(
        client("cert", "cert"),
        Err(Error::FileExposed { .. } | Error::TlsMaterial { keyword: "sslkey", .. })
    ));
    mode(0o644);
    assert!(matches!(
        client("cert", "key"),
        Err(Error::FileExposed {
            keyword: "sslkey",
            mode: 0o644,
            ..
        })
    ));
}
