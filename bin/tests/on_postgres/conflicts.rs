//! Writes of several nodes to the same rows at once.

mod load;
mod rows;
