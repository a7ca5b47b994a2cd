//! Writes of several nodes to the same rows at once.

mod filters;
mod kills;
mod late;
mod limits;
mod load;
mod log;
mod rows;
