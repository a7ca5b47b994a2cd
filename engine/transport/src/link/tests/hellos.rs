//! Who is refused after TLS, and what each side is told.

use super::*;
use crate::frame::{Frame, Kind};
use crate::{Class, Refusal};

fn refusal(error: &Error) -> &Refusal {
    let Error::Refused(refusal) = error else {
        panic!("not a refusal of ours: {error}")
    };
    assert_eq!(error.class(), Class::Definite);
    refusal
}

fn told(error: &Error, refusal: &Refusal) {
    let Error::RefusedByPeer { class, text } = error else {
        panic!("not a refusal of the peer: {error}")
    };
    assert_eq!((*class, text), (refusal.class(), &refusal.to_string()));
}

#[tokio::test]
async fn a_dialer_refuses_an_acceptor_that_says_it_is_of_another_cluster() {
    let world = World::new("c");
    let mut hello = world.hello("n1");
    hello.cluster = "other".parse().unwrap();
    let (dialed, accepted) = meet(
        (&world.material("n2"), world.hello("n2")),
        (&world.material("n1"), hello),
    )
    .await;
    assert!(matches!(refusal(&dialed), Refusal::OtherCluster { .. }));
    told(&accepted, refusal(&dialed));
}

#[tokio::test]
async fn a_node_that_dials_itself_or_its_double_is_refused() {
    let world = World::new("c");
    let material = world.material("n1");
    let (dialed, accepted) = meet((&material, world.hello("n1")), (&material, world.hello("n1"))).await;
    assert!(matches!(refusal(&dialed), Refusal::SameNode(_)));
    told(&accepted, refusal(&dialed));
}

#[tokio::test]
async fn an_acceptor_refuses_a_dialer_under_another_name_than_its_certificates() {
    let world = World::new("c");
    let (dialed, accepted) = meet(
        (&world.material("n2"), world.hello("n3")),
        (&world.material("n1"), world.hello("n1")),
    )
    .await;
    assert!(matches!(refusal(&accepted), Refusal::CertificateMismatch { .. }));
    told(&dialed, refusal(&accepted));
}

#[tokio::test]
async fn a_dialer_refuses_an_acceptor_under_another_name_than_its_certificates() {
    let world = World::new("c");
    let (dialed, accepted) = meet(
        (&world.material("n2"), world.hello("n2")),
        (&world.material("n1"), world.hello("n3")),
    )
    .await;
    assert!(matches!(refusal(&dialed), Refusal::CertificateMismatch { .. }));
    told(&accepted, refusal(&dialed));
}

#[tokio::test]
async fn another_protocol_version_is_refused_by_either_side() {
    let world = World::new("c");
    let mut hello = world.hello("n3").encode().to_vec();
    hello[8..10].copy_from_slice(&2u16.to_le_bytes());
    let hello = Frame::plain(Kind::Hello, hello.into());
    let refusal = Refusal::Version { ours: 1, theirs: 2 };
    let strange = world.material("n3");

    let endpoint = world.endpoint("n1", Options::default(), &CancellationToken::new());
    let mut acceptor = Acceptor::bind(ANYWHERE, endpoint.clone()).await.unwrap();
    let address = acceptor.address().unwrap();
    let dial = async {
        let mut wire = raw_dial(address, &strange).await.unwrap();
        assert_eq!(wire.next().await.unwrap().kind, Kind::Hello);
        wire.send(&hello).await.unwrap();
        crate::hello::refused_by_peer(&wire.next().await.unwrap().payload)
    };
    let (dialed, accepted) = tokio::join!(dial, accepted(&mut acceptor));
    assert!(matches!(accepted.unwrap_err(), Error::Refused(r) if r == refusal));
    told(&dialed, &refusal);

    let listener = TcpListener::bind(ANYWHERE).await.unwrap();
    let accept = async {
        let mut wire = raw_accept(&listener, &strange).await.unwrap();
        wire.send(&hello).await.unwrap();
        crate::hello::refused_by_peer(&wire.next().await.unwrap().payload)
    };
    let (dialed, accepted) = tokio::join!(endpoint.dial(listener.local_addr().unwrap()), accept);
    assert!(matches!(dialed.unwrap_err(), Error::Refused(r) if r == refusal));
    told(&accepted, &refusal);
}
