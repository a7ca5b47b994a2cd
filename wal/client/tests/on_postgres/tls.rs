use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use synapse_wal_client::{Class, Dsn, Error};

use crate::fixture::{Server, logical, value};

const ACCESS: &str = "hostssl all encrypted 127.0.0.1/32 trust
hostssl all scram 127.0.0.1/32 scram-sha-256
hostssl all named 127.0.0.1/32 cert
host all plain 127.0.0.1/32 trust";

const ROLES: &str = "CREATE ROLE encrypted LOGIN REPLICATION; CREATE ROLE named LOGIN REPLICATION;
CREATE ROLE plain LOGIN REPLICATION; CREATE ROLE scram LOGIN REPLICATION PASSWORD 'secret';";

const SETTINGS: &str = "ssl = on\nssl_cert_file = 'own.crt'\nssl_key_file = 'own.key'\nssl_ca_file = 'ca.crt'";

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key, PEM, for a host or a user.
fn issue(issuer: &Issuer, host: &[&str], user: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = host.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, user);
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}

struct Secured {
    server: Server,
    issuer: Issuer,
    ca: PathBuf,
}

/// A server whose certificate names localhost only.
async fn secured() -> Secured {
    let issuer = authority("right");
    let (certificate, key) = issue(&issuer, &["localhost"], "server");
    let files = [("own.crt", certificate), ("own.key", key), ("ca.crt", issuer.pem())];
    let server = Server::start_with(SETTINGS, ACCESS, &files);
    server.sql().await.query(ROLES).await.unwrap();
    let ca = server.data().join("ca.crt");
    Secured { server, issuer, ca }
}

async fn is_encrypted(dsn: &Dsn) -> Result<bool, Error> {
    let mut session = logical(dsn).await?;
    let answer = value(&mut session, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").await;
    Ok(answer.as_deref() == Some("t"))
}

#[tokio::test]
async fn every_mode_checks_what_it_promises() {
    let Secured { server, ca, .. } = secured().await;
    let stranger = server.put("stranger.crt", &authority("wrong").pem(), 0o644);
    let (right, wrong) = (
        format!("sslrootcert={}", ca.display()),
        format!("sslrootcert={}", stranger.display()),
    );
    let by_address = |text: String| {
        let text = format!(
            "host=127.0.0.1 port={} dbname=postgres user=encrypted {text}",
            server.port()
        );
        text.parse::<Dsn>().unwrap()
    };
    let by_name = |text: &str| server.tcp(&format!("user=encrypted {text}"));

    for mode in ["prefer", "require"] {
        assert!(
            is_encrypted(&by_address(format!("sslmode={mode}"))).await.unwrap(),
            "{mode}"
        );
    }
    assert!(
        is_encrypted(&by_address(format!("sslmode=verify-ca {right}")))
            .await
            .unwrap()
    );
    assert!(
        is_encrypted(&by_name(&format!("sslmode=verify-full {right}")))
            .await
            .unwrap()
    );
    // As in libpq, an authority given makes require check the chain.
    assert!(
        is_encrypted(&by_address(format!("sslmode=require {right}")))
            .await
            .unwrap()
    );

    for dsn in [
        by_address(format!("sslmode=verify-full {right}")),
        by_name(&format!("sslmode=verify-full {wrong}")),
        by_name(&format!("sslmode=verify-ca {wrong}")),
        by_name(&format!("sslmode=require {wrong}")),
    ] {
        let error = is_encrypted(&dsn).await.unwrap_err();
        assert!(matches!(error, Error::TlsHandshake { .. }), "{dsn}: {error}");
        assert_eq!(error.class(), Class::Definite);
    }
    let plain = is_encrypted(&by_name("sslmode=disable")).await.unwrap_err();
    assert!(
        matches!(&plain, Error::Auth { server, .. } if server.code == "28000"),
        "{plain}"
    );
    assert!(!is_encrypted(&server.tcp("user=plain sslmode=disable")).await.unwrap());
}

#[tokio::test]
async fn scram_is_bound_to_the_channel_and_a_certificate_logs_in() {
    let Secured { server, issuer, ca } = secured().await;
    let login = |keywords: &str| server.tcp(&format!("sslmode=verify-full sslrootcert={} {keywords}", ca.display()));
    for binding in ["require", "prefer", "disable"] {
        let dsn = login(&format!("user=scram password=secret channel_binding={binding}"));
        assert!(is_encrypted(&dsn).await.unwrap(), "{binding}");
    }
    let trusting = login("user=encrypted channel_binding=require");
    assert!(matches!(is_encrypted(&trusting).await, Err(Error::ChannelBinding)));

    let with = |user: &str, issuer: &Issuer| {
        let (certificate, key) = issue(issuer, &[], user);
        let certificate = server.put(&format!("{user}.crt"), &certificate, 0o644);
        let key = server.put(&format!("{user}.key"), &key, 0o600);
        login(&format!(
            "user=named sslcert={} sslkey={}",
            certificate.display(),
            key.display()
        ))
    };
    assert!(is_encrypted(&with("named", &issuer)).await.unwrap());
    let other = is_encrypted(&with("other", &issuer)).await.unwrap_err();
    assert!(matches!(other, Error::Auth { .. }), "{other}");
    let forged = is_encrypted(&with("named", &authority("wrong"))).await.unwrap_err();
    assert!(
        !matches!(forged, Error::Auth { .. }),
        "TLS refuses it before the login: {forged}"
    );
}

#[tokio::test]
async fn a_server_without_tls_serves_prefer_in_the_clear_and_require_not_at_all() {
    let server = Server::start("", ACCESS);
    server.sql().await.query(ROLES).await.unwrap();
    assert!(!is_encrypted(&server.tcp("user=plain sslmode=prefer")).await.unwrap());
    let error = is_encrypted(&server.tcp("user=plain sslmode=require"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::TlsRefused { .. }), "{error}");
}

#[tokio::test]
async fn a_self_signed_server_is_trusted_as_its_own_authority() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap().pem();
    let files = [
        ("own.crt", certificate.clone()),
        ("own.key", key.serialize_pem()),
        ("ca.crt", certificate),
    ];
    let server = Server::start_with(SETTINGS, ACCESS, &files);
    server.sql().await.query(ROLES).await.unwrap();
    let ca = server.data().join("ca.crt");
    let dsn = server.tcp(&format!(
        "user=encrypted sslmode=verify-full sslrootcert={}",
        ca.display()
    ));
    assert!(is_encrypted(&dsn).await.unwrap());
}
