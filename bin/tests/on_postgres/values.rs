//! Every kind of value, key and table.

mod encodings;
mod keys;
mod names;
mod tables;
mod toast;
mod types;
mod vectors;
