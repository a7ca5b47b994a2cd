//! The replication kernel: what one node knows of who wrote what, and what it decides. **Read this first.**
//!
//! *What it is.* A pure state: [`Kernel`] is told what the node's own WAL stream said, what came from peers and what was
//! committed, and answers with stamps, verdicts and targets. The daemon and the simulator run the same code.
//!
//! *The picture.* [`Stamper`] (stream → stamps) · [`Registers`] (row → unstable writes → verdict, target) ·
//! frontier and [`Delivery`] (causal order) · [`Stability`] (what may be forgotten) · [`Recheck`] (what must be looked
//! at again) · [`standing`] (which of rows that exclude each other) · [`Lane`] (one transaction of the applier, step by step) · [`Clocks`] (whose time is believed).
//!
//! *The laws.* A stamp is a function of the stream. A transaction is delivered after all that it saw. Two writes conflict
//! when neither saw the other, and then a fixed total order over *all* of them decides, never the order of arrival.
//! Nothing is forgotten before every member has applied it and its stream says so.
//!
//! *What it is not.* It does no IO, has no clock, and knows no rows or values: those are `engine/change` and `engine/plan`.
//!
//! *Where to start.* [`Kernel`], then [`Register::observe`].

/// Whether this thread's kernels do a mutant's wrong: never, where mutants are not compiled in.
macro_rules! mutant {
    ($name:ident) => {{
        #[cfg(feature = "mutants")]
        let chosen = crate::Mutant::$name.is_chosen();
        #[cfg(not(feature = "mutants"))]
        let chosen = false;
        chosen
    }};
}

mod clock;
mod conflict;
mod contenders;
mod encoding;
mod entry;
mod exclusion;
mod kernel;
mod lane;
mod late;
mod marker;
#[cfg(feature = "mutants")]
mod mutant;
mod policy;
mod recheck;
mod register;
mod registers;
mod row_hash;
mod rules;
mod stability;
mod stamper;

pub use clock::{Believed, Clocks, Monotonic};
pub use conflict::{Kind, Met, Outcome, Standing};
pub use contenders::Contention;
pub use exclusion::{Contender, LastWrite, standing};
pub use kernel::{Decided, Delivery, Kernel, Limits};
pub use lane::{Action, Event, Lane};
pub use late::InProgress;
pub use marker::{Barrier, Marker, MarkerKind, Message, PREFIX, UnreadableMessage};
#[cfg(feature = "mutants")]
pub use mutant::Mutant;
pub use policy::{Deletes, InvalidPolicy, Order, Policy};
pub use recheck::Recheck;
pub use register::{Author, Carried, OriginIndex, Register, Target};
pub use registers::{Counted, MemoryOverflow, Overflow, Registers, Verdict};
pub use rules::{Policies, Rules};
pub use stability::{Heartbeat, Stability};
pub use stamper::{Progress, Stamped, Stamper};
