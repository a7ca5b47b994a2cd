use std::time::Duration;

/// Bytes of blocks that may be under way before the receiver returns credit: enough for a fast link with a slow disk.
pub const WINDOW: u32 = 8 << 20;
/// Largest block, bytes.
pub const BLOCK_MAX: usize = 64 << 20;
/// Largest message of an answer, bytes.
pub const MESSAGE_MAX: usize = 64 << 20;
/// Requests that may be open on one link at once.
pub const REQUESTS_MAX: usize = 16;
/// Frames of one answer that may be under way before its reader takes some: bounds an answer to 4 MiB of memory beside
/// the message that is being put together.
pub const ANSWER_WINDOW: u32 = 4;
/// Handshakes that an acceptor works on at once; further connections wait in the listener's backlog.
pub const HANDSHAKES_MAX: usize = 16;
/// Events that wait for `recv`. When they are full the link reads no further until some are taken.
pub(crate) const EVENTS_MAX: usize = 1024;
/// Blocks and heartbeats that wait to be written; blocks are bounded by credit besides.
pub(crate) const ORDERED_MAX: usize = 256;
/// Acknowledgements, subscriptions and requests that wait to be written.
pub(crate) const PROMPT_MAX: usize = 64;
/// Frames of answers that wait to be written.
pub(crate) const ANSWERS_MAX: usize = 8;

/// What may be set per link; the defaults are for production.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of blocks that a dialer lets the acceptor send ahead; see [`WINDOW`]. A larger block still passes, alone.
    pub window_bytes: u32,
    /// How often a sign of life is sent when nothing else is.
    pub ping_interval: Duration,
    /// How long nothing may be heard before the peer counts as dead. Several ping intervals.
    pub dead_after: Duration,
    /// How long connecting, TLS and HELLO may take together.
    pub handshake_timeout: Duration,
    /// How long an orderly end may take.
    pub goodbye_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            window_bytes: WINDOW,
            ping_interval: Duration::from_secs(1),
            dead_after: Duration::from_secs(5),
            handshake_timeout: Duration::from_secs(10),
            goodbye_timeout: Duration::from_secs(1),
        }
    }
}
