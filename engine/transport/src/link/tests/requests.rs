//! Requests and their answers, beside blocks.

use super::*;
use crate::frame::{Flags, Frame, Kind};

#[tokio::test]
async fn an_answer_comes_in_order_and_whole() {
    let mut pair = pair(Options::default()).await;
    let mut answer = pair.receiver.receiver.request(Bytes::from_static(b"q")).await.unwrap();
    let (question, mut responder) = next_request(&mut pair.sender).await;
    assert_eq!(question[..], b"q"[..]);
    let serve = async {
        for length in [0, 1, 3 << 20, 5] {
            responder.send(bytes(length)).await.unwrap();
        }
        responder.finish().await.unwrap();
    };
    let read = async {
        let mut lengths = Vec::new();
        while let Some(message) = answer.next().await.unwrap() {
            assert_eq!(message, bytes(message.len()));
            lengths.push(message.len());
        }
        lengths
    };
    let ((), lengths) = tokio::join!(serve, read);
    assert_eq!(lengths, [0, 1, 3 << 20, 5]);
    assert!(answer.next().await.unwrap().is_none());
}

#[tokio::test]
async fn requests_are_answered_at_once_with_each_other_and_with_blocks() {
    const BLOCKS: usize = 64;
    const QUESTIONS: usize = 40;
    let Pair {
        receiver,
        mut sender,
        receiver_shutdown,
        ..
    } = pair(Options {
        window_bytes: 1 << 20,
        ..Options::default()
    })
    .await;
    let OutgoingLink {
        mut events, receiver, ..
    } = receiver;
    let block_sender = sender.sender.clone();
    let ship = async {
        for _ in 0..BLOCKS {
            block_sender.send_block(bytes(300_000)).await.unwrap();
        }
    };
    let serve = async {
        for _ in 0..QUESTIONS {
            let (question, mut responder) = next_request(&mut sender).await;
            tokio::spawn(async move {
                for _ in 0..10 {
                    responder.send(question.clone()).await.unwrap();
                }
                responder.finish().await.unwrap();
            });
        }
        // The credit for the blocks comes between events: somebody must be taking them to the end.
        match sender.events.recv().await {
            Err(error) => assert!(matches!(error, Error::Closed), "{error}"),
            Ok(event) => panic!("{event:?}"),
        }
    };
    let take = async {
        for _ in 0..BLOCKS {
            let FromSender::Block(block) = events.recv().await.unwrap() else {
                panic!("no block")
            };
            receiver.grant(block.len() as u64).unwrap();
        }
    };
    let ask = async {
        let mut asking = tokio::task::JoinSet::new();
        for i in 0..QUESTIONS {
            let receiver = receiver.clone();
            asking.spawn(async move {
                let question = bytes(1000 * i);
                let mut answer = receiver.request(question.clone()).await.unwrap();
                let mut messages = 0;
                while let Some(message) = answer.next().await.unwrap() {
                    assert_eq!(message, question);
                    messages += 1;
                }
                messages
            });
        }
        assert!(asking.join_all().await.iter().all(|messages| *messages == 10));
    };
    let both = async {
        tokio::join!(take, ask);
        receiver_shutdown.cancel();
    };
    tokio::join!(ship, serve, both);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_stops_at_its_window_and_holds_up_no_other() {
    let mut pair = pair(Options::default()).await;
    let mut slow = pair
        .receiver
        .receiver
        .request(Bytes::from_static(b"slow"))
        .await
        .unwrap();
    let (_, mut slow_responder) = next_request(&mut pair.sender).await;
    for _ in 0..ANSWER_WINDOW {
        slow_responder.send(bytes(10)).await.unwrap();
    }
    let mut quick = pair
        .receiver
        .receiver
        .request(Bytes::from_static(b"quick"))
        .await
        .unwrap();
    let (_, mut responder) = next_request(&mut pair.sender).await;
    {
        let stuck = slow_responder.send(bytes(11));
        tokio::pin!(stuck);
        let other = async {
            responder.send(bytes(1)).await.unwrap();
            responder.finish().await.unwrap();
            assert_eq!(quick.next().await.unwrap().unwrap().len(), 1);
            assert!(quick.next().await.unwrap().is_none());
        };
        tokio::select! {
            biased;
            sent = &mut stuck => panic!("{sent:?}"),
            () = other => {}
        }
        assert_eq!(slow.next().await.unwrap().unwrap().len(), 10);
        stuck.await.unwrap();
    }
    slow_responder.finish().await.unwrap();
    let mut lengths = Vec::new();
    while let Some(message) = slow.next().await.unwrap() {
        lengths.push(message.len());
    }
    assert_eq!(lengths, [10, 10, 10, 11]);
}

#[tokio::test]
async fn a_dropped_answer_is_cancelled_and_its_place_is_free_again() {
    let mut pair = pair(Options::default()).await;
    for _ in 0..3 * REQUESTS_MAX {
        let answer = pair.receiver.receiver.request(Bytes::new()).await.unwrap();
        let (_, mut responder) = next_request(&mut pair.sender).await;
        responder.send(bytes(5)).await.unwrap();
        drop(answer);
        within(responder.unwanted()).await;
        assert!(matches!(responder.send(bytes(1)).await, Err(Error::RequestFailed(_))));
    }
}

#[tokio::test]
async fn a_request_waits_while_the_most_are_open() {
    let mut pair = pair(Options::default()).await;
    let mut open = Vec::new();
    for _ in 0..REQUESTS_MAX {
        open.push(pair.receiver.receiver.request(Bytes::new()).await.unwrap());
    }
    assert_waits(pair.receiver.receiver.request(Bytes::new())).await;
    let (_, responder) = next_request(&mut pair.sender).await;
    responder.finish().await.unwrap();
    assert!(open[0].next().await.unwrap().is_none());
    open.push(pair.receiver.receiver.request(Bytes::new()).await.unwrap());
    for _ in 0..REQUESTS_MAX {
        next_request(&mut pair.sender).await.1.finish().await.unwrap();
    }
    assert!(open.last_mut().unwrap().next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_failed_or_forgotten_answer_says_so_and_the_link_lives() {
    let mut pair = pair(Options::default()).await;
    let mut answer = pair.receiver.receiver.request(Bytes::new()).await.unwrap();
    next_request(&mut pair.sender)
        .await
        .1
        .fail("no such block\n")
        .await
        .unwrap();
    assert!(matches!(answer.next().await, Err(Error::RequestFailed(text)) if text == "no such block "));
    let mut answer = pair.receiver.receiver.request(Bytes::new()).await.unwrap();
    drop(next_request(&mut pair.sender).await.1);
    assert!(matches!(answer.next().await, Err(Error::RequestFailed(_))));
    assert!(answer.next().await.unwrap().is_none());
    let mut answer = pair.receiver.receiver.request(Bytes::new()).await.unwrap();
    next_request(&mut pair.sender).await.1.finish().await.unwrap();
    assert!(answer.next().await.unwrap().is_none());
}

#[tokio::test]
async fn an_asker_that_breaks_the_rules_is_cut_off() {
    let request = |stream| Frame {
        kind: Kind::Request,
        flags: Flags::NONE,
        stream,
        payload: Bytes::new(),
    };
    let (mut wire, mut link) = rogue_receiver(Options::default()).await;
    wire.send(&request(2)).await.unwrap();
    wire.send(&request(2)).await.unwrap();
    let _kept = next_request(&mut link).await;
    assert!(matches!(
        link.events.recv().await.unwrap_err().root(),
        Error::Violation("a request with a used number")
    ));
    let (mut wire, mut link) = rogue_receiver(Options::default()).await;
    let mut kept = Vec::new();
    for stream in 1..=u32::try_from(REQUESTS_MAX).unwrap() {
        wire.send(&request(stream)).await.unwrap();
        kept.push(next_request(&mut link).await);
    }
    wire.send(&request(1000)).await.unwrap();
    assert!(matches!(
        link.events.recv().await.unwrap_err().root(),
        Error::Violation("too many requests at once")
    ));
}

#[tokio::test]
async fn a_responder_that_overruns_an_answers_window_is_cut_off() {
    let (mut wire, mut link) = rogue_sender(Options::default()).await;
    let _answer = link.receiver.request(Bytes::new()).await.unwrap();
    assert_eq!(wire.next().await.unwrap().kind, Kind::Request);
    for _ in 0..=ANSWER_WINDOW {
        let flags = Flags::FIRST.with(Flags::LAST);
        wire.send(&Frame {
            kind: Kind::Response,
            flags,
            stream: 1,
            payload: bytes(1),
        })
        .await
        .unwrap();
    }
    let error = link.events.recv().await.unwrap_err();
    assert!(
        matches!(error.root(), Error::Violation("more of an answer than its window")),
        "{error}"
    );
}
