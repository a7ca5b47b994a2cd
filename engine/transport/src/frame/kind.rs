/// What a frame is. The numbers are the wire's and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Who is speaking; the first frame each way.
    Hello = 1,
    /// The acceptor takes the dialer.
    Ready = 2,
    /// The dialer says what it wants to be shipped.
    Subscribe = 3,
    /// A piece of a block.
    Block = 4,
    /// Stream 0: bytes of blocks that may be sent. Another stream: frames of that answer that may be sent.
    Credit = 5,
    /// What the peer has taken.
    Ack = 6,
    /// A sign of the peer's life and position.
    Heartbeat = 7,
    /// A question of the dialer.
    Request = 8,
    /// A piece of one message of the answer.
    Response = 9,
    /// The answer is complete, or (`FAILED`) given up, with a text.
    ResponseEnd = 10,
    /// The dialer does not want the rest of an answer.
    Cancel = 11,
    /// The link is refused, with class and text.
    Error = 12,
    /// Are you there?
    Ping = 13,
    /// Yes: the ping's payload again.
    Pong = 14,
    /// An orderly end.
    Goodbye = 15,
}

/// Largest payload of any frame, bytes. It bounds what one frame can hold up behind it.
pub const PAYLOAD_MAX: usize = 1 << 20;
/// Largest acknowledgement or heartbeat, bytes: positions of all origins fit many times over.
pub const SMALL_MAX: usize = 16 << 10;
/// Largest subscription, bytes.
pub const SUBSCRIBE_MAX: usize = 64 << 10;
const TEXT_MAX: usize = 4 << 10;
const NUMBER: usize = 8;

impl Kind {
    pub(super) fn from_wire(byte: u8) -> Option<Self> {
        const ALL: [Kind; 15] = [
            Kind::Hello,
            Kind::Ready,
            Kind::Subscribe,
            Kind::Block,
            Kind::Credit,
            Kind::Ack,
            Kind::Heartbeat,
            Kind::Request,
            Kind::Response,
            Kind::ResponseEnd,
            Kind::Cancel,
            Kind::Error,
            Kind::Ping,
            Kind::Pong,
            Kind::Goodbye,
        ];
        ALL.into_iter().find(|kind| *kind as u8 == byte)
    }

    /// How long this kind's payload may be, bytes: least and most.
    pub(super) fn payload_bounds(self) -> (usize, usize) {
        match self {
            Kind::Block | Kind::Request | Kind::Response => (0, PAYLOAD_MAX),
            Kind::Subscribe => (0, SUBSCRIBE_MAX),
            Kind::Ack | Kind::Heartbeat => (0, SMALL_MAX),
            Kind::Hello | Kind::Error | Kind::ResponseEnd => (0, TEXT_MAX),
            Kind::Credit | Kind::Ping | Kind::Pong => (NUMBER, NUMBER),
            Kind::Ready | Kind::Cancel | Kind::Goodbye => (0, 0),
        }
    }

    /// The flags that may stand on this kind.
    pub(super) fn flags(self) -> Flags {
        match self {
            Kind::Block | Kind::Response => Flags(Flags::FIRST.0 | Flags::LAST.0),
            Kind::ResponseEnd => Flags::FAILED,
            Kind::Hello
            | Kind::Ready
            | Kind::Subscribe
            | Kind::Credit
            | Kind::Ack
            | Kind::Heartbeat
            | Kind::Request
            | Kind::Cancel
            | Kind::Error
            | Kind::Ping
            | Kind::Pong
            | Kind::Goodbye => Flags::NONE,
        }
    }

    /// Whether a stream number fits this kind.
    pub(super) fn takes_stream(self, stream: u32) -> bool {
        match self {
            Kind::Request | Kind::Response | Kind::ResponseEnd | Kind::Cancel => stream != 0,
            Kind::Credit => true,
            Kind::Hello
            | Kind::Ready
            | Kind::Subscribe
            | Kind::Block
            | Kind::Ack
            | Kind::Heartbeat
            | Kind::Error
            | Kind::Ping
            | Kind::Pong
            | Kind::Goodbye => stream == 0,
        }
    }
}

/// Marks on a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags(pub(super) u8);

impl Flags {
    /// No mark.
    pub const NONE: Flags = Flags(0);
    /// The first piece of a larger payload.
    pub const FIRST: Flags = Flags(1);
    /// The last piece of a larger payload.
    pub const LAST: Flags = Flags(2);
    /// An answer that ended in failure.
    pub const FAILED: Flags = Flags(4);

    /// Both sets of marks.
    #[must_use]
    pub fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether all marks of `other` stand here.
    #[must_use]
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}
