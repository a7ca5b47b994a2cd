//! The connection against a real server, one of its own per test.

#[cfg(test)]
mod fixture;

#[cfg(test)]
mod commands;
#[cfg(test)]
mod logical;
#[cfg(test)]
mod login;
#[cfg(test)]
mod physical;
#[cfg(test)]
mod tls;
