//! Blocks and credit.

use super::*;
use crate::frame::{Flags, Frame, Kind};

const KILO: usize = 1000;

fn window(bytes: u32) -> Options {
    Options {
        window_bytes: bytes,
        ..Options::default()
    }
}

/// Whatever the receiver said before is known to the sender after this.
async fn settle(pair: &mut Pair) {
    pair.receiver
        .receiver
        .send_ack(Bytes::from_static(b"settle"))
        .await
        .unwrap();
    assert!(matches!(pair.sender.events.recv().await.unwrap(), FromReceiver::Ack(_)));
}

#[tokio::test]
async fn credit_stops_the_sender_at_exactly_the_window_and_lets_it_go_on() {
    let mut pair = pair(window(3 * 1000)).await;
    for _ in 0..3 {
        pair.sender.sender.send_block(bytes(KILO)).await.unwrap();
    }
    for _ in 0..3 {
        assert_eq!(next_block(&mut pair.receiver).await, bytes(KILO));
    }
    let sender = pair.sender.sender.clone();
    assert_waits(sender.send_block(bytes(1))).await;
    pair.receiver.receiver.grant(999).unwrap();
    settle(&mut pair).await;
    assert_waits(sender.send_block(bytes(KILO))).await;
    pair.receiver.receiver.grant(1).unwrap();
    sender.send_block(bytes(KILO)).await.unwrap();
    assert_eq!(next_block(&mut pair.receiver).await, bytes(KILO));
}

#[tokio::test]
async fn a_block_given_up_while_it_waits_is_not_sent_and_costs_no_credit() {
    let mut pair = pair(window(1000)).await;
    pair.sender.sender.send_block(bytes(600)).await.unwrap();
    assert_waits(pair.sender.sender.send_block(bytes(500))).await;
    pair.sender.sender.send_block(bytes(400)).await.unwrap();
    assert_eq!(next_block(&mut pair.receiver).await.len(), 600);
    assert_eq!(next_block(&mut pair.receiver).await.len(), 400);
}

#[tokio::test]
async fn a_block_larger_than_the_window_goes_alone_and_whole() {
    let mut pair = pair(window(1 << 20)).await;
    let large = bytes(5 * (1 << 20) + 7);
    pair.sender.sender.send_block(large.clone()).await.unwrap();
    assert_eq!(next_block(&mut pair.receiver).await, large);
    let sender = pair.sender.sender.clone();
    pair.receiver.receiver.grant(4 << 20).unwrap();
    settle(&mut pair).await;
    assert_waits(sender.send_block(bytes(1))).await;
    pair.receiver.receiver.grant((1 << 20) + 7).unwrap();
    sender.send_block(bytes(1 << 20)).await.unwrap();
    assert_eq!(next_block(&mut pair.receiver).await.len(), 1 << 20);
}

#[tokio::test]
async fn credit_is_returned_once_and_no_more_than_was_received() {
    let mut pair = pair(Options::default()).await;
    pair.sender.sender.send_block(bytes(10)).await.unwrap();
    next_block(&mut pair.receiver).await;
    assert!(matches!(
        pair.receiver.receiver.grant(11),
        Err(Error::OverGranted { granted: 11, owed: 10 })
    ));
    pair.receiver.receiver.grant(10).unwrap();
    assert!(matches!(
        pair.receiver.receiver.grant(1),
        Err(Error::OverGranted { granted: 1, owed: 0 })
    ));
}

#[tokio::test]
async fn heartbeats_keep_their_place_between_blocks_and_acks_go_both_ways() {
    let mut pair = pair(Options::default()).await;
    for i in 0..100u8 {
        pair.sender.sender.send_block(bytes(1 + usize::from(i))).await.unwrap();
        pair.sender
            .sender
            .send_heartbeat(Bytes::copy_from_slice(&[i]))
            .await
            .unwrap();
    }
    for i in 0..100u8 {
        assert_eq!(next_block(&mut pair.receiver).await.len(), 1 + usize::from(i));
        assert!(matches!(pair.receiver.events.recv().await.unwrap(), FromSender::Heartbeat(h) if h[..] == [i]));
    }
    pair.sender.sender.send_ack(Bytes::from_static(b"a")).await.unwrap();
    assert!(matches!(pair.receiver.events.recv().await.unwrap(), FromSender::Ack(a) if a[..] == b"a"[..]));
    pair.receiver
        .receiver
        .subscribe(Bytes::from_static(b"s"))
        .await
        .unwrap();
    pair.receiver
        .receiver
        .send_heartbeat(Bytes::from_static(b"h"))
        .await
        .unwrap();
    assert!(matches!(pair.sender.events.recv().await.unwrap(), FromReceiver::Subscribe(s) if s[..] == b"s"[..]));
    assert!(matches!(pair.sender.events.recv().await.unwrap(), FromReceiver::Heartbeat(h) if h[..] == b"h"[..]));
}

#[tokio::test]
async fn payloads_beyond_their_limits_are_refused_before_anything_is_sent() {
    let pair = pair(Options::default()).await;
    let (sender, receiver) = (&pair.sender.sender, &pair.receiver.receiver);
    assert!(matches!(sender.send_block(Bytes::new()).await, Err(Error::EmptyBlock)));
    assert!(matches!(
        sender.send_block(bytes(BLOCK_MAX + 1)).await,
        Err(Error::TooLarge { .. })
    ));
    assert!(matches!(
        sender.send_ack(bytes((16 << 10) + 1)).await,
        Err(Error::TooLarge { .. })
    ));
    assert!(matches!(
        receiver.send_heartbeat(bytes((16 << 10) + 1)).await,
        Err(Error::TooLarge { .. })
    ));
    assert!(matches!(
        receiver.subscribe(bytes((64 << 10) + 1)).await,
        Err(Error::TooLarge { .. })
    ));
    assert!(matches!(
        receiver.request(bytes((1 << 20) + 1)).await,
        Err(Error::TooLarge { .. })
    ));
}

fn block(flags: Flags, payload: Bytes) -> Frame {
    Frame {
        kind: Kind::Block,
        flags,
        stream: 0,
        payload,
    }
}

#[tokio::test]
async fn a_sender_that_overruns_its_credit_is_cut_off() {
    let (mut wire, mut link) = rogue_sender(window(1000)).await;
    let whole = Flags::FIRST.with(Flags::LAST);
    wire.send(&block(whole, bytes(600))).await.unwrap();
    wire.send(&block(whole, bytes(401))).await.unwrap();
    assert_eq!(next_block(&mut link).await.len(), 600);
    let error = link.events.recv().await.unwrap_err();
    assert!(matches!(error.root(), Error::Violation(_)), "{error}");
    assert_eq!(error.class(), crate::Class::Bug);
}

#[tokio::test]
async fn a_receiver_that_returns_more_than_it_got_is_cut_off() {
    let (mut wire, mut link) = rogue_receiver(window(1000)).await;
    wire.send(&Frame::number(Kind::Credit, 0, 1)).await.unwrap();
    let error = link.events.recv().await.unwrap_err();
    assert!(
        matches!(error.root(), Error::Violation("more credit than was used")),
        "{error}"
    );
}

#[tokio::test]
async fn frames_of_the_wrong_side_break_the_link() {
    let (mut wire, mut link) = rogue_receiver(Options::default()).await;
    wire.send(&block(Flags::FIRST, bytes(1))).await.unwrap();
    assert!(matches!(
        link.events.recv().await.unwrap_err().root(),
        Error::Violation(_)
    ));
    let (mut wire, mut link) = rogue_sender(Options::default()).await;
    wire.send(&Frame {
        kind: Kind::Request,
        flags: Flags::NONE,
        stream: 1,
        payload: bytes(1),
    })
    .await
    .unwrap();
    assert!(matches!(
        link.events.recv().await.unwrap_err().root(),
        Error::Violation(_)
    ));
}
