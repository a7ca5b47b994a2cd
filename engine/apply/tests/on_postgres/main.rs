//! The sessions against a real server.

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod server;

#[cfg(test)]
mod conflicts;
#[cfg(test)]
mod copies;
#[cfg(test)]
mod displaced;
#[cfg(test)]
mod exact;
#[cfg(test)]
mod excluders;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod late;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod orphans;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod steps;
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod types;
#[cfg(test)]
mod wal;
