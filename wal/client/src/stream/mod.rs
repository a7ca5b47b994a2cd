//! Copy-both mode: events in, statuses out.

mod event;
mod feedback;
mod reader;
mod whole;
mod writer;

pub use event::Event;
pub use feedback::{Feedback, Reply};
pub use reader::{Ending, StreamReader};
pub use whole::{NextTimeline, Stream};
pub use writer::StreamWriter;

#[cfg(test)]
mod tests;
