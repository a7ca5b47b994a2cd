use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncWriteExt, BufWriter, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsStream;

use super::shared::{Ordered, Queues, Shared};
use super::wire::own_fault;
use crate::frame::{Frame, Kind, Pieces};
use crate::{Error, Result};

/// Small frames are gathered up to this many bytes before they are encrypted; larger payloads bypass it.
const GATHER: usize = 16 << 10;

enum Next {
    Stop,
    Ended,
    Control,
    Frame(Frame),
    Flush,
    Ping,
}

/// The task that writes: what is owed first, then what is prompt, then pieces of blocks and of answers by turns of chance,
/// so that neither waits for the whole of the other.
pub(super) struct Writing {
    shared: Arc<Shared>,
    out: BufWriter<WriteHalf<TlsStream<TcpStream>>>,
    queues: Queues,
    block: Option<Pieces>,
    unflushed: bool,
    last_write: Instant,
}

impl Writing {
    pub(super) fn new(shared: Arc<Shared>, out: WriteHalf<TlsStream<TcpStream>>, queues: Queues) -> Self {
        let out = BufWriter::with_capacity(GATHER, out);
        Writing {
            shared,
            out,
            queues,
            block: None,
            unflushed: false,
            last_write: Instant::now(),
        }
    }

    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        // A write can hang for ever in a full socket; the end of the link, and the time for a goodbye, end that.
        let overdue = async {
            shared.stop.cancelled().await;
            sleep(shared.options.goodbye_timeout).await;
        };
        tokio::select! {
            biased;
            () = shared.ended.cancelled() => {}
            result = self.write_all() => shared.end(result.err().unwrap_or(Error::Closed)),
            () = overdue => shared.end(Error::Closed),
        }
    }

    async fn write_all(&mut self) -> Result<()> {
        loop {
            match self.next().await {
                Next::Ended => return Ok(()),
                Next::Stop => return self.goodbye().await,
                Next::Control => self.write_owed().await?,
                Next::Frame(frame) => {
                    // What was owed when the frame was queued goes first: a cancel before the request in its place.
                    self.write_owed().await?;
                    self.write(&frame).await?;
                }
                Next::Flush => {
                    self.out.flush().await.map_err(failed)?;
                    self.unflushed = false;
                }
                Next::Ping => {
                    self.write(&Frame::number(Kind::Ping, 0, self.shared.ping_now()))
                        .await?
                }
            }
        }
    }

    async fn next(&mut self) -> Next {
        let Queues {
            prompt,
            ordered,
            answers,
        } = &mut self.queues;
        let (block, unflushed) = (&mut self.block, self.unflushed);
        let bulk = async {
            tokio::select! {
                frame = next_ordered(block, ordered) => frame,
                Some(frame) = answers.recv() => frame,
                else => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.shared.ended.cancelled() => Next::Ended,
            () = self.shared.stop.cancelled() => Next::Stop,
            () = self.shared.control.changed() => Next::Control,
            Some(frame) = prompt.recv() => Next::Frame(frame),
            frame = bulk => Next::Frame(frame),
            () = std::future::ready(()), if unflushed => Next::Flush,
            () = sleep_until(self.last_write + self.shared.options.ping_interval) => Next::Ping,
        }
    }

    async fn write_owed(&mut self) -> Result<()> {
        for frame in self.shared.control.take() {
            self.write(&frame).await?;
        }
        Ok(())
    }

    async fn write(&mut self, frame: &Frame) -> Result<()> {
        let header = frame.header().map_err(own_fault)?;
        self.out.write_all(&header).await.map_err(failed)?;
        self.out.write_all(&frame.payload).await.map_err(failed)?;
        self.unflushed = true;
        self.last_write = Instant::now();
        Ok(())
    }

    /// What is prompt still goes; blocks and answers do not: the peer resumes from its position.
    async fn goodbye(&mut self) -> Result<()> {
        self.write_owed().await?;
        while let Ok(frame) = self.queues.prompt.try_recv() {
            self.write(&frame).await?;
        }
        let last = self.shared.last_frame();
        self.write(&last).await?;
        self.out.flush().await.map_err(failed)?;
        self.out.shutdown().await.map_err(failed)?;
        // The reading task goes on until the peer has closed, so that the last frame is not lost to a reset.
        let closed = timeout(self.shared.options.goodbye_timeout, self.shared.ended.cancelled()).await;
        tracing::debug!(by_peer = closed.is_ok(), "link closed");
        Ok(())
    }
}

/// The next piece of the block at work, or what comes next in order. Cancel-safe.
async fn next_ordered(block: &mut Option<Pieces>, queue: &mut tokio::sync::mpsc::Receiver<Ordered>) -> Frame {
    loop {
        if let Some((flags, payload)) = block.as_mut().and_then(Iterator::next) {
            return Frame {
                kind: Kind::Block,
                flags,
                stream: 0,
                payload,
            };
        }
        *block = None;
        match queue.recv().await {
            Some(Ordered::Block(payload)) => *block = Some(Pieces::of(payload)),
            Some(Ordered::Heartbeat(payload)) => return Frame::plain(Kind::Heartbeat, payload),
            None => return std::future::pending::<Frame>().await,
        }
    }
}

fn failed(source: std::io::Error) -> Error {
    Error::from_stream("write", source)
}

/// A payload that fits every block; only its length matters.
pub(super) fn check_block(payload: &Bytes) -> Result<()> {
    if payload.is_empty() {
        return Err(Error::EmptyBlock);
    }
    super::shared::check_size("block", payload.len(), super::options::BLOCK_MAX)
}
