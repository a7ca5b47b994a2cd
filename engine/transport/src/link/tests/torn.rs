//! Links that break.

use tokio::io::AsyncWriteExt;

use super::*;
use crate::Class;
use crate::frame::{Fault, Flags, Frame, HEADER, Kind};

#[tokio::test]
async fn a_link_torn_within_a_block_says_so_and_the_next_resumes_where_the_receiver_says() {
    let world = World::new("c");
    let options = Options::default();
    let listener = TcpListener::bind(ANYWHERE).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (material, hello) = (world.material("n1"), world.hello("n1"));
    let blocks: Vec<Bytes> = (1..=3).map(|i| bytes(i * 700_000)).collect();
    let dialer = world.endpoint("n2", options, &CancellationToken::new());
    let handshaken = async || {
        let wire = raw_accept(&listener, &material).await.unwrap();
        handshake::accept(wire, &hello, &options).await.unwrap().0
    };

    let serve = async {
        let mut wire = handshaken().await;
        assert_eq!(wire.next().await.unwrap().payload[..], [0]);
        let whole = Flags::FIRST.with(Flags::LAST);
        wire.send(&Frame {
            kind: Kind::Block,
            flags: whole,
            stream: 0,
            payload: blocks[0].clone(),
        })
        .await
        .unwrap();
        let half = blocks[1].slice(..1 << 20);
        wire.send(&Frame {
            kind: Kind::Block,
            flags: Flags::FIRST,
            stream: 0,
            payload: half,
        })
        .await
        .unwrap();
    };
    let receive = async {
        let mut link = dialer.dial(address).await.unwrap();
        link.receiver.subscribe(Bytes::from_static(&[0])).await.unwrap();
        assert_eq!(next_block(&mut link).await, blocks[0]);
        let error = link.events.recv().await.unwrap_err();
        assert_eq!(error.class(), Class::Transient);
        assert!(
            matches!(error.root(), Error::Torn { .. } | Error::Io { .. }),
            "{error:?}"
        );
        assert_eq!(link.receiver.grant(0).ok(), Some(()));
        assert!(matches!(
            link.receiver.subscribe(Bytes::new()).await,
            Err(Error::Lost(_))
        ));
        assert!(matches!(link.receiver.closed().await, Error::Lost(_)));
    };
    tokio::join!(serve, receive);
    let serve = async { ship_what_is_asked(handshaken().await, &blocks).await };
    let receive = async {
        let mut link = dialer.dial(address).await.unwrap();
        link.receiver.subscribe(Bytes::from_static(&[1])).await.unwrap();
        assert_eq!(next_block(&mut link).await, blocks[1]);
        assert_eq!(next_block(&mut link).await, blocks[2]);
    };
    tokio::join!(serve, receive);
}

/// Ships the blocks from the one that the subscription names.
async fn ship_what_is_asked(mut wire: Wire, blocks: &[Bytes]) -> Wire {
    let from = usize::from(wire.next().await.unwrap().payload[0]);
    for block in &blocks[from..] {
        for (flags, payload) in crate::frame::Pieces::of(block.clone()) {
            wire.send(&Frame {
                kind: Kind::Block,
                flags,
                stream: 0,
                payload,
            })
            .await
            .unwrap();
        }
    }
    wire
}

#[tokio::test]
async fn a_corrupted_frame_breaks_the_link_with_its_offset() {
    let (wire, mut link) = rogue_sender(Options::default()).await;
    let frame = Frame::plain(Kind::Heartbeat, bytes(100));
    let mut bad = [frame.header().unwrap().as_slice(), &frame.payload].concat();
    let good = bad.clone();
    bad[HEADER + 50] ^= 1;
    let (_read, _, mut write) = wire.split();
    write.write_all(&[good, bad].concat()).await.unwrap();
    write.flush().await.unwrap();
    assert!(matches!(link.events.recv().await.unwrap(), FromSender::Heartbeat(_)));
    let error = link.events.recv().await.unwrap_err();
    let Error::Frame(found) = error.root() else {
        panic!("{error:?}")
    };
    assert!(matches!(found.fault, Fault::Checksum { .. }));
    // HELLO and READY came before.
    let before = HEADER + World::new("c").hello("n1").encode().len() + HEADER;
    assert_eq!(found.offset, (before + HEADER + 100) as u64);
}

#[tokio::test]
async fn a_peer_that_falls_silent_counts_as_dead() {
    let dead_after = Duration::from_millis(300);
    let (_wire, mut link) = rogue_sender(Options {
        dead_after,
        ..Options::default()
    })
    .await;
    let error = link.events.recv().await.unwrap_err();
    assert!(
        matches!(error.root(), Error::Silent(after) if *after == dead_after),
        "{error}"
    );
    assert_eq!(error.class(), Class::Transient);
}

#[tokio::test]
async fn an_idle_link_lives_by_its_pings() {
    let options = Options {
        ping_interval: Duration::from_millis(50),
        dead_after: Duration::from_millis(1000),
        ..Options::default()
    };
    let mut pair = pair(options).await;
    let idle = tokio::time::timeout(Duration::from_millis(2500), pair.receiver.events.recv()).await;
    assert!(idle.is_err(), "{idle:?}");
    assert!(pair.receiver.receiver.round_trip().is_some() && pair.sender.sender.round_trip().is_some());
    pair.sender.sender.send_block(bytes(1)).await.unwrap();
    assert_eq!(next_block(&mut pair.receiver).await.len(), 1);
}

#[tokio::test]
async fn everybody_on_a_broken_link_hears_the_one_cause() {
    let (mut wire, mut link) = rogue_sender(Options::default()).await;
    let mut answer = link.receiver.request(Bytes::new()).await.unwrap();
    wire.send(&Frame::plain(Kind::Ready, Bytes::new())).await.unwrap();
    let errors = [
        link.events.recv().await.unwrap_err(),
        within(answer.next()).await.unwrap_err(),
        link.receiver.request(Bytes::new()).await.unwrap_err(),
        link.receiver.closed().await,
    ];
    for error in errors {
        assert!(
            matches!(error.root(), Error::Violation("a frame of the handshake after it")),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_sender_that_waits_for_credit_hears_of_the_end() {
    let (wire, link) = rogue_receiver(Options {
        window_bytes: 10,
        ..Options::default()
    })
    .await;
    link.sender.send_block(bytes(10)).await.unwrap();
    let (sent, ()) = tokio::join!(within(link.sender.send_block(bytes(1))), async { drop(wire) });
    assert_eq!(sent.unwrap_err().class(), Class::Transient);
}
