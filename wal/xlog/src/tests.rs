#![expect(clippy::cast_possible_truncation, reason = "what tests write is small")]

mod changes;
mod contents;
mod damage;
mod fuzz;
mod lengths;
mod names;
mod pages;
mod parts;
mod reading;
mod spec;
mod writer;
