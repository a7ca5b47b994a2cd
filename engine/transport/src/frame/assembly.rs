use bytes::{Buf, Bytes, BytesMut};

use super::{Flags, PAYLOAD_MAX};

/// The pieces of a payload, in order, each small enough for a frame. An empty payload is one empty piece.
#[derive(Debug)]
pub(crate) struct Pieces {
    rest: Bytes,
    next: Flags,
}

impl Pieces {
    pub(crate) fn of(payload: Bytes) -> Self {
        Pieces {
            rest: payload,
            next: Flags::FIRST,
        }
    }
}

impl Iterator for Pieces {
    type Item = (Flags, Bytes);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next.has(Flags::LAST) {
            return None;
        }
        let piece = self.rest.split_to(self.rest.len().min(PAYLOAD_MAX));
        let mut flags = self.next;
        self.next = Flags::NONE;
        if !self.rest.has_remaining() {
            flags = flags.with(Flags::LAST);
            self.next = Flags::LAST;
        }
        Some((flags, piece))
    }
}

/// Puts pieces together again, up to a bound.
#[derive(Debug, Default)]
pub(crate) enum Assembly {
    /// Nothing has begun.
    #[default]
    Idle,
    /// These bytes have come, and more will.
    Open(BytesMut),
}

impl Assembly {
    /// Bytes that have come of what is not complete yet.
    pub(crate) fn held(&self) -> usize {
        match self {
            Assembly::Idle => 0,
            Assembly::Open(held) => held.len(),
        }
    }

    /// Takes the next piece; gives the payload when it is complete. A payload of one piece is not copied.
    pub(crate) fn push(&mut self, flags: Flags, piece: Bytes, limit: usize) -> Result<Option<Bytes>, &'static str> {
        if self.held() + piece.len() > limit {
            return Err("a payload in pieces is larger than its limit");
        }
        let first = flags.has(Flags::FIRST);
        match std::mem::take(self) {
            Assembly::Idle if !first => Err("a payload begins in its middle"),
            Assembly::Open(_) if first => Err("a payload begins within another"),
            Assembly::Idle if flags.has(Flags::LAST) => Ok(Some(piece)),
            Assembly::Idle => {
                *self = Assembly::Open(BytesMut::from(piece));
                Ok(None)
            }
            Assembly::Open(mut held) => {
                held.extend_from_slice(&piece);
                if flags.has(Flags::LAST) {
                    return Ok(Some(held.freeze()));
                }
                *self = Assembly::Open(held);
                Ok(None)
            }
        }
    }
}
