//! Links that end in order, and keys that change.

use super::*;
use crate::{Class, Refusal};

#[tokio::test]
async fn shutdown_says_goodbye_and_both_sides_end() {
    for by_sender in [true, false] {
        let mut pair = pair(Options::default()).await;
        pair.receiver
            .receiver
            .send_ack(Bytes::from_static(b"last"))
            .await
            .unwrap();
        if by_sender {
            assert!(matches!(pair.sender.events.recv().await.unwrap(), FromReceiver::Ack(_)));
            pair.sender_shutdown.cancel();
        } else {
            pair.receiver_shutdown.cancel();
            assert!(matches!(pair.sender.events.recv().await.unwrap(), FromReceiver::Ack(_)));
        }
        assert!(matches!(pair.sender.events.recv().await.unwrap_err(), Error::Closed));
        assert!(matches!(pair.receiver.events.recv().await.unwrap_err(), Error::Closed));
        assert!(matches!(pair.sender.sender.closed().await, Error::Closed));
        assert!(matches!(pair.receiver.receiver.closed().await, Error::Closed));
        assert!(matches!(
            pair.sender.sender.send_block(bytes(1)).await,
            Err(Error::Closed)
        ));
    }
}

#[tokio::test]
async fn dropping_all_of_a_link_ends_it() {
    let Pair {
        receiver, mut sender, ..
    } = pair(Options::default()).await;
    drop(receiver);
    assert!(matches!(sender.events.recv().await.unwrap_err(), Error::Closed));
}

#[tokio::test]
async fn a_goodbye_does_not_wait_for_a_peer_that_takes_nothing() {
    let options = Options {
        goodbye_timeout: Duration::from_millis(200),
        ..Options::default()
    };
    let (_wire, link) = rogue_receiver(options).await;
    // Far more than the sockets hold.
    let options_window = usize::try_from(options.window_bytes).unwrap();
    link.sender.send_block(bytes(options_window)).await.unwrap();
    link.sender.refuse(Refusal::DuplicateNode("n2".parse().unwrap()));
    assert!(matches!(link.sender.closed().await.root(), Error::Refused(_)));
}

#[tokio::test]
async fn a_link_can_be_refused_after_it_stood() {
    let refusal = Refusal::DuplicateNode("n2".parse().unwrap());
    let mut pair = pair(Options::default()).await;
    pair.sender.sender.refuse(refusal.clone());
    let error = pair.receiver.events.recv().await.unwrap_err();
    assert_eq!(error.class(), Class::Definite);
    assert!(matches!(error.root(), Error::RefusedByPeer { text, .. } if *text == refusal.to_string()));
    assert!(matches!(pair.sender.sender.closed().await.root(), Error::Refused(r) if *r == refusal));
}

#[tokio::test]
async fn an_acceptor_that_is_shut_down_takes_nobody() {
    let world = World::new("c");
    let shutdown = CancellationToken::new();
    let mut acceptor = Acceptor::bind(ANYWHERE, world.endpoint("n1", Options::default(), &shutdown))
        .await
        .unwrap();
    shutdown.cancel();
    assert!(acceptor.accept().await.unwrap().is_none());
}

#[tokio::test]
async fn an_endpoint_needs_a_certificate_of_its_own_name() {
    let world = World::new("c");
    let keys = Arc::new(Keys::load(world.files("n1")).unwrap());
    let error = Endpoint::new(world.hello("n2"), keys, Options::default(), CancellationToken::new()).unwrap_err();
    assert!(matches!(&error, Error::Certificate { .. }), "{error}");
}

fn replace(files: &TlsFiles, with: &TlsFiles) {
    std::fs::copy(&with.certificate, &files.certificate).unwrap();
    std::fs::copy(&with.key, &files.key).unwrap();
}

#[tokio::test]
async fn new_keys_serve_new_links_while_old_links_live() {
    let world = World::new("c");
    let now = SystemTime::now();
    let shutdown = CancellationToken::new();
    let files = world.files("n1");
    let keys = Arc::new(Keys::load(files.clone()).unwrap());
    let endpoint = Endpoint::new(
        world.hello("n1"),
        Arc::clone(&keys),
        Options::default(),
        shutdown.clone(),
    )
    .unwrap();
    let mut acceptor = Acceptor::bind(ANYWHERE, endpoint).await.unwrap();
    let address = acceptor.address().unwrap();
    let dialer = world.endpoint("n2", Options::default(), &shutdown);
    let (old, old_sender) = tokio::join!(dialer.dial(address), accepted(&mut acceptor));
    let (mut old, old_sender) = (old.unwrap(), old_sender.unwrap());

    // An expired certificate, so that it shows which one is used.
    replace(
        &files,
        &world.files_as(
            "spare",
            "c",
            "n1",
            Validity {
                from: now - 2 * DAY,
                to: now - DAY,
            },
        ),
    );
    keys.reload().unwrap();
    let (refused, _) = tokio::join!(dialer.dial(address), accepted(&mut acceptor));
    assert!(matches!(refused.unwrap_err(), Error::Tls(_)));
    old_sender.sender.send_block(bytes(9)).await.unwrap();
    assert_eq!(next_block(&mut old).await.len(), 9);

    // Another node's certificate is not taken, and the keys stay.
    let before = keys.current();
    replace(&files, &world.files("n3"));
    assert!(matches!(keys.reload(), Err(Error::Certificate { .. })));
    assert!(Arc::ptr_eq(&before, &keys.current()));
}
