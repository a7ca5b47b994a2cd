//! What records say, in the server's words (`rm_desc`), for comparison: times as microseconds, files by their last name,
//! invalidations left out.

use std::fmt::Write;

use synapse_wal_xlog::control::{Checkpoint, CheckpointKind, Control, ParameterChange, WalLevel};
use synapse_wal_xlog::storage::Storage;
use synapse_wal_xlog::transaction::{Completion, DroppedStatistics, OriginPosition, Prepare, Transaction};
use synapse_wal_xlog::{Fork, Item, List, Record, RelFileLocator, Version};

pub(crate) fn describe(record: &Record<'_>) -> String {
    if let Some(control) = Control::read(record).unwrap() {
        return of_control(&control);
    }
    if let Some(storage) = Storage::read(record).unwrap() {
        return of_storage(&storage);
    }
    match Transaction::read(record).unwrap() {
        Some(Transaction::Committed(end)) => of_completion(record, &end, Ending::Commit),
        Some(Transaction::Aborted(end)) => of_completion(record, &end, Ending::Abort),
        Some(Transaction::Prepared(prepare)) => of_prepare(record, &prepare),
        Some(Transaction::Assigned { top, subtransactions }) => {
            format!(
                "xtop {top}: subxacts:{}",
                spaced(subtransactions, |xid| xid.to_string())
            )
        }
        Some(Transaction::Invalidated { .. }) | None => String::new(),
    }
}

fn of_control(control: &Control<'_>) -> String {
    match control {
        Control::Checkpoint(checkpoint) => of_checkpoint(checkpoint),
        Control::CheckpointRedo { wal_level } => format!("wal_level {}", level(*wal_level)),
        Control::NextOid(oid) => oid.to_string(),
        Control::Switch => String::new(),
        Control::BackupEnd { start } => start.to_string(),
        Control::ParameterChange(change) => of_parameters(change),
        Control::RestorePoint(point) => String::from_utf8(point.name.to_vec()).unwrap(),
        Control::FullPageWrites { on } => on.to_string(),
        Control::EndOfRecovery(end) => {
            let wal_level = end
                .wal_level
                .map_or(String::new(), |wal| format!("; wal_level {}", level(wal)));
            format!(
                "tli {}; prev tli {}; time t{}{wal_level}",
                end.timeline, end.previous_timeline, end.time.0
            )
        }
        Control::OverwriteContrecord { overwritten, time } => format!("lsn {overwritten}; time t{}", time.0),
    }
}

fn level(level: WalLevel) -> &'static str {
    match level {
        WalLevel::Minimal => "minimal",
        WalLevel::Replica => "replica",
        WalLevel::Logical => "logical",
    }
}

fn of_checkpoint(c: &Checkpoint) -> String {
    let kind = match c.kind {
        CheckpointKind::Shutdown => "shutdown",
        CheckpointKind::Online => "online",
    };
    let wal_level = c
        .wal_level
        .map_or(String::new(), |wal| format!("wal_level {}; ", level(wal)));
    format!(
        "redo {}; tli {}; prev tli {}; fpw {}; {wal_level}xid {}:{}; oid {}; multi {}; offset {}; oldest xid {} in DB {}; \
         oldest multi {} in DB {}; oldest/newest commit timestamp xid: {}/{}; oldest running xid {}; {kind}",
        c.redo,
        c.timeline,
        c.previous_timeline,
        c.full_page_writes,
        c.next_xid_epoch,
        c.next_xid,
        c.next_oid,
        c.next_multi,
        c.next_multi_offset,
        c.oldest_xid,
        c.oldest_xid_database,
        c.oldest_multi,
        c.oldest_multi_database,
        c.oldest_commit_ts_xid,
        c.newest_commit_ts_xid,
        c.oldest_active_xid,
    )
}

fn of_parameters(change: &ParameterChange) -> String {
    let on = |is_on| if is_on { "on" } else { "off" };
    format!(
        "max_connections={} max_worker_processes={} max_wal_senders={} max_prepared_xacts={} max_locks_per_xact={} \
         wal_level={} wal_log_hints={} track_commit_timestamp={}",
        change.max_connections,
        change.max_worker_processes,
        change.max_wal_senders,
        change.max_prepared_transactions,
        change.max_locks_per_transaction,
        level(change.wal_level),
        on(change.wal_log_hints),
        on(change.track_commit_timestamp),
    )
}

fn of_storage(storage: &Storage<'_>) -> String {
    let bit = |is_set: bool, bit: u32| if is_set { bit } else { 0 };
    match storage {
        Storage::Created {
            relation,
            fork: Fork::Main,
        } => relation.number.to_string(),
        Storage::Created { relation, fork } => format!("{}_{fork}", relation.number),
        Storage::Truncated(cut) => {
            let forks = bit(cut.of_main, 1) | bit(cut.of_visibility_map, 2) | bit(cut.of_free_space_map, 4);
            format!("{} to {} blocks flags {forks}", cut.relation.number, cut.blocks)
        }
        Storage::DatabaseCopied { database, from } => format!(
            "copy dir {}/{} to {}/{}",
            from.tablespace, from.database, database.tablespace, database.database
        ),
        Storage::DatabaseCreated(files) => format!("create dir {}/{}", files.tablespace, files.database),
        Storage::DatabaseDropped { database, tablespaces } => {
            format!(
                "dir{}",
                spaced(*tablespaces, |tablespace| format!("{tablespace}/{database}"))
            )
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Ending {
    Commit,
    Abort,
}

fn of_completion(record: &Record<'_>, end: &Completion<'_>, ending: Ending) -> String {
    let is_14 = record.version == Version::V14;
    let mut text = end
        .prepared
        .map_or(String::new(), |prepared| format!("{}: ", prepared.xid));
    write!(text, "t{}", end.time.0).unwrap();
    text += &listed("rels", end.relations, relation);
    text += &listed("subxacts", end.subtransactions, |xid| xid.to_string());
    let statistics = listed("dropped stats", end.statistics, dropped);
    let origin = origin(record, end.origin.filter(|_| ending == Ending::Commit || !is_14));
    match ending {
        Ending::Commit => {
            text += &statistics;
            text += if end.wants_apply_feedback && !is_14 {
                "; apply_feedback"
            } else {
                ""
            };
            text += if end.is_forced_synchronous { "; sync" } else { "" };
            text += &origin;
        }
        Ending::Abort => text += &(origin + &statistics),
    }
    text
}

fn of_prepare(record: &Record<'_>, prepare: &Prepare<'_>) -> String {
    let mut text = format!(
        "gid {}: t{}",
        std::str::from_utf8(prepare.identifier).unwrap(),
        prepare.time.0
    );
    text += &listed("rels(commit)", prepare.relations_if_committed, relation);
    text += &listed("rels(abort)", prepare.relations_if_aborted, relation);
    text += &listed("commit dropped stats", prepare.statistics_if_committed, dropped);
    text += &listed("abort dropped stats", prepare.statistics_if_aborted, dropped);
    text += &listed("subxacts", prepare.subtransactions, |xid| xid.to_string());
    text + &origin(record, prepare.origin.filter(|_| record.version != Version::V14))
}

fn relation(relation: RelFileLocator) -> String {
    relation.number.to_string()
}

fn dropped(item: DroppedStatistics) -> String {
    format!("{}/{}/{}", item.kind, item.database, item.object)
}

fn origin(record: &Record<'_>, position: Option<OriginPosition>) -> String {
    position.map_or(String::new(), |position| {
        let node = record.origin().unwrap_or(0);
        format!("; origin: node {node}, lsn {}, at t{}", position.lsn, position.time.0)
    })
}

fn listed<T: Item>(label: &str, list: List<'_, T>, show: impl Fn(T) -> String) -> String {
    if list.is_empty() {
        return String::new();
    }
    format!("; {label}:{}", spaced(list, show))
}

fn spaced<T: Item>(list: List<'_, T>, show: impl Fn(T) -> String) -> String {
    list.iter().map(|item| format!(" {}", show(item))).collect()
}

/// A server's description in the same words.
pub(crate) fn normal(description: &str) -> String {
    let kept = description.trim().split("; ").filter(|part| {
        let part = part.trim_start_matches("; ");
        !part.starts_with("inval msgs") && !part.starts_with("relcache init file")
    });
    let kept = kept.collect::<Vec<_>>().join("; ");
    let mut words = kept.split(' ').peekable();
    let mut normal = Vec::new();
    while let Some(word) = words.next() {
        if let Some(days) = days(word) {
            let time = words.next().unwrap();
            words.next_if_eq(&"UTC");
            let rest: String = time.chars().skip_while(|c| !matches!(c, ';' | ',')).collect();
            let end = words
                .next_if(|word| word.starts_with("UTC"))
                .map_or(rest, |word| word[3..].to_owned());
            normal.push(format!("t{}{end}", days * 86_400_000_000 + micros(time)));
        } else if ["base/", "global/", "pg_tblspc/"]
            .iter()
            .any(|root| word.starts_with(root))
        {
            normal.push(word.rsplit('/').next().unwrap().to_owned());
        } else {
            normal.push(word.to_owned());
        }
    }
    normal.join(" ")
}

/// Days since 2000-01-01 of a date like 2026-01-31.
fn days(word: &str) -> Option<i64> {
    let parts: Vec<i64> = word.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [year, month, day] = parts[..] else { return None };
    // Years that begin in March have their odd day at the end.
    let (year, month) = if month < 3 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let of_years = 365 * year + year / 4 - year / 100 + year / 400;
    Some(of_years + (153 * month + 2) / 5 + day - 1 - 730_425)
}

/// Microseconds since midnight of a time like 01:02:03.5+00.
fn micros(word: &str) -> i64 {
    let digits: String = word
        .chars()
        .take_while(|c| c.is_ascii_digit() || ":.".contains(*c))
        .collect();
    let (time, fraction) = digits.split_once('.').unwrap_or((&digits, "0"));
    let seconds = time
        .split(':')
        .fold(0, |sum, part| sum * 60 + part.parse::<i64>().unwrap());
    seconds * 1_000_000 + format!("{fraction:0<6}").parse::<i64>().unwrap()
}
