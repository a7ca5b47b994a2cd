//! The replication commands, typed (protocol chapter "Streaming Replication Protocol"; grammar in `repl_gram.y`).

mod quote;
mod slot;
mod start;
mod system;

pub use slot::{CreatedSlot, LogicalSlot, PhysicalSlot, SlotLife, SlotSnapshot, SlotState, WhileActive};
pub use start::{LogicalStart, OriginFilter, PhysicalStart, Started, Streaming};
pub use system::{SystemIdentity, TimelineHistory};

#[cfg(test)]
mod tests;
