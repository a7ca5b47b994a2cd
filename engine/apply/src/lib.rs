//! The PostgreSQL sessions that write.
//!
//! *What it is.* A [`Session`] applies the transactions of one origin: planned steps become set-based statements, whole
//! batches go out in a round trip or two, and each transaction records the origin's progress with its rows.
//!
//! *The picture.*
//!
//! ```text
//! Session -- begin(marker, horizon) --> Transaction -- execute(batch) --> dropouts
//!                                           |  excluders(images), lock(rows), [BarrierSession::commit], write(exact)
//!                                           +--> commit | rollback
//! ```
//!
//! *The laws.* The marker is the first item of every transaction. A statement with a guard overwrites nothing that its
//! verdict did not know, decided by PostgreSQL on the row version that it replaces. A row that is deleted or updated
//! without a guard was locked before. Every setting that changes a value's text is said explicitly. No error shows a
//! row's values unless it is asked for them.
//!
//! *What it is not.* It decides nothing about conflicts (`engine/replication`), merges nothing (`engine/plan`), reads no
//! WAL (`wal/client`) and installs nothing (`engine/setup`). It does not retry: [`Error::remedy`] says what would help.
//! An UPDATE never sets a column GENERATED ALWAYS AS IDENTITY, because PostgreSQL has no way to.
//!
//! *Where to start.* [`Session::begin`], then [`Transaction::execute`].

mod array;
mod barrier;
mod classify;
mod conflicts;
mod constraints;
mod copy;
mod displaced;
mod error;
mod exact;
mod excluders;
mod execute;
mod foreign_key;
mod keyless;
mod late;
mod name;
mod origin;
mod orphans;
mod pipeline;
mod render;
mod rivals;
mod rows;
mod session;
mod settings;
mod settled;
mod shape;
mod skipped;
mod standing;
mod statements;
mod texts;
mod transaction;
mod truncate;
mod whole;

pub use barrier::BarrierSession;
pub use classify::{Class, Refusal, Remedy};
pub use conflicts::{IMAGE_BYTES_MAX, Logged, LoggedConflict};
pub use constraints::{Constraint, Constraints};
pub use copy::{Aside, CopySource, CopyTarget, Filled};
pub use displaced::{Apart, Displaced, NamedRow, Which, displaced_texts, read_apart};
pub use error::{Error, MissingValues, Result};
pub use exact::{Scope, Values, Wanted, Written};
pub use excluders::{Exclusion, Exclusions, StandingRow};
pub use execute::Executed;
pub use foreign_key::{ForeignKey, Marks, OnDelete, Pair, Related, foreign_key_marks, foreign_keys, part_of_image};
pub use late::{await_visible, in_progress};
pub use origin::{ORIGIN_PREFIX, ensure as ensure_origin, origin_name, our_roidents};
pub use orphans::{OrphanRow, Orphaned, REFERRING_MAX, Reference};
pub use rivals::Rival;
pub use session::{Options, Session, SynchronousCommit, connect};
pub use settings::session_settings;
pub use standing::Image;
pub use texts::{Texts, row_texts};
pub use transaction::{Begin, Transaction};
pub use whole::Whole;
