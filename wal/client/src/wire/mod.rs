//! Frames and their contents, version 3.0 of the frontend/backend protocol.

mod cursor;
mod frames;
mod outbox;

pub(crate) use cursor::Cursor;
pub(crate) use frames::{Frame, FrameReader};
pub(crate) use outbox::Outbox;

#[cfg(test)]
mod tests;
