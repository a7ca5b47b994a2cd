//! Statements and transactions of every kind.

mod keys;
mod large;
mod rows;
mod transactions;
mod truncate;
