//! Setting up real PostgreSQL servers: every scenario on every server that this machine has, and at least on one.

#[cfg(test)]
mod catalog;
#[cfg(test)]
mod check;
#[cfg(test)]
mod detach;
#[cfg(test)]
mod events;
#[cfg(test)]
mod install;
#[cfg(test)]
mod joining;
#[cfg(test)]
mod origins;
#[cfg(test)]
mod sequences;
#[cfg(test)]
mod server;
