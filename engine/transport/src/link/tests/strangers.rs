//! Who does not get past TLS.

use rcgen::ExtendedKeyUsagePurpose;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, CertificateError, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::Class;
use crate::frame::{Frame, Kind};

/// The certificate error that one side finds, and the alert that the other side gets.
fn tls(finds: Error, hears: Error) -> (CertificateError, AlertDescription) {
    assert_eq!(
        (finds.class(), hears.class()),
        (Class::Definite, Class::Definite),
        "{finds} / {hears}"
    );
    match (finds, hears) {
        (Error::Tls(rustls::Error::InvalidCertificate(error)), Error::Tls(rustls::Error::AlertReceived(alert))) => {
            (error, alert)
        }
        (finds, hears) => panic!("{finds:?} / {hears:?}"),
    }
}

/// The material on either side of a meeting with a good node: what the good node finds as acceptor, then as dialer.
async fn shown_to_both(world: &World, material: &TlsMaterial) -> [CertificateError; 2] {
    let good = world.material("n1");
    let (dialed, accepted) = meet((material, world.hello("n2")), (&good, world.hello("n1"))).await;
    let (as_acceptor, _) = tls(accepted, dialed);
    let (dialed, accepted) = meet((&good, world.hello("n1")), (material, world.hello("n2"))).await;
    let (as_dialer, _) = tls(dialed, accepted);
    [as_acceptor, as_dialer]
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let (world, other) = (World::new("c"), World::new("c"));
    // It trusts our authority, so that only its own certificate is wrong.
    let files = TlsFiles {
        ca: world.files("n1").ca,
        ..other.files("n2")
    };
    let found = shown_to_both(&world, &TlsMaterial::load(&files).unwrap()).await;
    // The authorities have one name: the signature tells them apart.
    for error in found {
        assert!(
            matches!(error, CertificateError::BadSignature | CertificateError::UnknownIssuer),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_certificate_of_another_cluster_is_refused() {
    let world = World::new("c");
    let now = SystemTime::now();
    let files = world.files_as(
        "n2",
        "other",
        "n2",
        Validity {
            from: now - DAY,
            to: now + DAY,
        },
    );
    // A daemon of the other cluster that was given our authority.
    let material = TlsMaterial::load(&files).unwrap();
    let listener = TcpListener::bind(ANYWHERE).await.unwrap();
    let address = listener.local_addr().unwrap();
    let good = world.material("n1");
    // Each finds the other strange; the dialer looks first.
    let (dialed, accepted) = tokio::join!(raw_dial(address, &good), raw_accept(&listener, &material));
    let found = Error::from_stream("", dialed.err().unwrap());
    assert!(found.to_string().contains("it is synapse://other/n2"), "{found}");
    assert_eq!(
        (found.class(), Error::from_stream("", accepted.err().unwrap()).class()),
        (Class::Definite, Class::Definite)
    );
    // As a dialer it would have to take our certificate first: let it.
    let mut lenient = material.clone();
    lenient.client = Arc::new(with_certificate_of(&good, &material));
    let (_, accepted) = tokio::join!(raw_dial(address, &lenient), raw_accept(&listener, &good));
    let found = Error::from_stream("", accepted.err().unwrap());
    assert!(found.to_string().contains("it is synapse://other/n2"), "{found}");
}

/// The checks of one node with the certificate of another.
fn with_certificate_of(checks: &TlsMaterial, shows: &TlsMaterial) -> rustls::ClientConfig {
    let mut config = (*checks.client).clone();
    config.client_auth_cert_resolver = Arc::clone(&shows.client.client_auth_cert_resolver);
    config
}

#[tokio::test]
async fn an_expired_certificate_is_refused_and_so_is_one_of_the_future() {
    let world = World::new("c");
    let now = SystemTime::now();
    let expired = world.files_as(
        "n2",
        "c",
        "n2",
        Validity {
            from: now - 2 * DAY,
            to: now - DAY,
        },
    );
    for error in shown_to_both(&world, &TlsMaterial::load(&expired).unwrap()).await {
        assert!(matches!(error, CertificateError::ExpiredContext { .. }), "{error:?}");
    }
    let future = world.files_as(
        "n3",
        "c",
        "n2",
        Validity {
            from: now + DAY,
            to: now + 2 * DAY,
        },
    );
    for error in shown_to_both(&world, &TlsMaterial::load(&future).unwrap()).await {
        assert!(
            matches!(error, CertificateError::NotValidYetContext { .. }),
            "{error:?}"
        );
    }
}

#[derive(Debug)]
struct Nobody;

impl ResolvesClientCert for Nobody {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn nobody_gets_in_without_a_certificate() {
    let world = World::new("c");
    let mut config = (*world.material("n2").client).clone();
    config.client_auth_cert_resolver = Arc::new(Nobody);
    let mut bare = world.material("n2");
    bare.client = Arc::new(config);
    let (dialed, accepted) = meet((&bare, world.hello("n2")), (&world.material("n1"), world.hello("n1"))).await;
    assert!(
        matches!(accepted, Error::Tls(rustls::Error::NoCertificatesPresented)),
        "{accepted:?}"
    );
    assert!(
        matches!(
            dialed,
            Error::Tls(rustls::Error::AlertReceived(AlertDescription::CertificateRequired))
        ),
        "{dialed:?}"
    );
}

#[tokio::test]
async fn bytes_that_are_no_tls_are_refused_and_the_acceptor_goes_on() {
    let world = World::new("c");
    let endpoint = world.endpoint("n1", Options::default(), &CancellationToken::new());
    let mut acceptor = Acceptor::bind(ANYWHERE, endpoint).await.unwrap();
    let address = acceptor.address().unwrap();
    let garbage = async {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        // A well-formed HELLO, in the clear.
        let frame = Frame::plain(Kind::Hello, world.hello("n2").encode());
        tcp.write_all(&[frame.header().unwrap().as_slice(), &frame.payload].concat())
            .await
            .unwrap();
        let mut answer = Vec::new();
        // The end of the connection, or its reset: nothing of ours is in it either way.
        let _ = tcp.read_to_end(&mut answer).await;
        assert!(!answer.windows(8).any(|w| w == b"SYNAPSE\0"), "{answer:?}");
    };
    let ((), refused) = tokio::join!(garbage, accepted(&mut acceptor));
    assert!(matches!(refused.unwrap_err(), Error::Tls(_)));
    let dialer = world.endpoint("n2", Options::default(), &CancellationToken::new());
    let (link, taken) = tokio::join!(dialer.dial(address), accepted(&mut acceptor));
    assert_eq!(
        (link.unwrap().peer, taken.unwrap().peer),
        (world.hello("n1"), world.hello("n2"))
    );
}

#[tokio::test]
async fn a_peer_that_says_nothing_holds_up_nobody_and_runs_into_the_timeout() {
    let world = World::new("c");
    let options = Options {
        handshake_timeout: Duration::from_secs(2),
        ..Options::default()
    };
    let mut acceptor = Acceptor::bind(ANYWHERE, world.endpoint("n1", options, &CancellationToken::new()))
        .await
        .unwrap();
    let address = acceptor.address().unwrap();
    let _mute = TcpStream::connect(address).await.unwrap();
    let dialer = world.endpoint("n2", options, &CancellationToken::new());
    let (link, taken) = tokio::join!(dialer.dial(address), accepted(&mut acceptor));
    assert!(link.is_ok() && taken.is_ok());
    assert!(matches!(
        accepted(&mut acceptor).await.unwrap_err(),
        Error::HandshakeTimeout(_)
    ));
}

#[tokio::test]
async fn a_certificate_serves_only_the_side_that_it_is_for() {
    let world = World::new("c");
    let now = SystemTime::now();
    let material = |directory: &str, usage: ExtendedKeyUsagePurpose| {
        let name = PeerName {
            cluster: "c".parse().unwrap(),
            node: "n2".parse().unwrap(),
        };
        let validity = Validity {
            from: now - DAY,
            to: now + DAY,
        };
        let files = world.files_of(
            directory,
            &Leaf {
                name,
                sans: Vec::new(),
                validity,
                usages: vec![usage],
            },
        );
        TlsMaterial::load(&files).unwrap()
    };
    let good = world.material("n1");
    let server_only = material("s", ExtendedKeyUsagePurpose::ServerAuth);
    let (dialed, accepted) = meet((&server_only, world.hello("n2")), (&good, world.hello("n1"))).await;
    assert!(matches!(
        tls(accepted, dialed).0,
        CertificateError::InvalidPurposeContext { .. }
    ));
    let client_only = material("d", ExtendedKeyUsagePurpose::ClientAuth);
    let (dialed, accepted) = meet((&good, world.hello("n1")), (&client_only, world.hello("n2"))).await;
    assert!(matches!(
        tls(dialed, accepted).0,
        CertificateError::InvalidPurposeContext { .. }
    ));
}

#[tokio::test]
async fn a_node_cannot_sign_for_another_with_its_own_certificate() {
    let world = World::new("c");
    let thief = world.files("n3");
    let forge = tempfile::tempdir().unwrap();
    std::fs::copy(&thief.certificate, forge.path().join(cert::CA_CERTIFICATE)).unwrap();
    std::fs::copy(&thief.key, forge.path().join(cert::CA_KEY)).unwrap();
    let now = SystemTime::now();
    let name = PeerName {
        cluster: "c".parse().unwrap(),
        node: "n2".parse().unwrap(),
    };
    let validity = Validity {
        from: now - DAY,
        to: now + DAY,
    };
    let leaf = Leaf {
        name,
        sans: Vec::new(),
        validity,
        usages: cert::both_sides(),
    };
    cert::issue_as(forge.path(), &forge.path().join("n2"), &leaf).unwrap();
    let mut files = files_in(world.ca(), &forge.path().join("n2"));
    // The forged certificate, and the thief's as the link to the authority.
    let chain = [&files.certificate, &thief.certificate]
        .map(|path| std::fs::read_to_string(path).unwrap())
        .concat();
    files.certificate = forge.path().join("chain.crt");
    std::fs::write(&files.certificate, chain).unwrap();
    for error in shown_to_both(&world, &TlsMaterial::load(&files).unwrap()).await {
        let about_the_chain = matches!(&error, CertificateError::UnknownIssuer)
            || matches!(&error, CertificateError::Other(other) if format!("{other:?}").contains("UsedAsCa"));
        assert!(about_the_chain, "{error:?}");
    }
}
