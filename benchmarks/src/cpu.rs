//! Processor time, from `/proc/PID/stat`.
//!
//! The kernel counts in nanoseconds and shows ticks (10 ms on most machines): measure seconds, not milliseconds.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

/// Processor time of one process, user and system together, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    own: u64,
    /// Of children that have ended and were waited for.
    children: u64,
}

/// Processor time that a process has used so far.
///
/// # Errors
/// When it has ended.
pub(crate) fn of_process(pid: i32) -> anyhow::Result<Duration> {
    let ticks = read(&pid.to_string()).with_context(|| format!("process {pid} has ended"))?;
    Ok(duration(ticks.own))
}

/// Processor time of all children of this process that have ended.
///
/// # Errors
/// When `/proc` is not what it is on Linux.
pub(crate) fn of_ended_children() -> anyhow::Result<Duration> {
    let ticks = read("self").context("cannot read /proc/self/stat")?;
    Ok(duration(ticks.children))
}

/// Processor time that a PostgreSQL server has used since its start: that of all its processes, which have the data
/// directory as their working directory, and of those that have ended, which its postmaster has waited for.
///
/// # Errors
/// When no process works there.
pub(crate) fn of_server(data_dir: &Path) -> anyhow::Result<Duration> {
    let data_dir = fs::canonicalize(data_dir).with_context(|| format!("no directory {}", data_dir.display()))?;
    let entries = fs::read_dir("/proc").context("cannot list /proc")?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let pids = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let inside = pids.filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data_dir));
    let times: Vec<Ticks> = inside.filter_map(|pid| read(&pid)).collect();
    anyhow::ensure!(!times.is_empty(), "no server runs in {}", data_dir.display());
    Ok(duration(times.iter().map(|ticks| ticks.own + ticks.children).sum()))
}

fn duration(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn read(pid: &str) -> Option<Ticks> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads `PID (name) STATE …`. The name may hold spaces and parentheses, so fields count from its last `)`.
fn parse(text: &str) -> Option<Ticks> {
    let (_, after_name) = text.rsplit_once(')')?;
    // utime, stime, cutime and cstime are fields 14 to 17, and the state is field 3 (proc(5)).
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    let (user, system, children_user, children_system) = (next()?, next()?, next()?, next()?);
    Some(Ticks {
        own: user + system,
        children: children_user + children_system,
    })
}

#[cfg(test)]
mod tests;
