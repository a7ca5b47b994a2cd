//! What PostgreSQL's own tools say of WAL: `pg_waldump` where the version brings it, else `pg_walinspect`.

use std::collections::BTreeMap;

use synapse_wal_types::Lsn;
use synapse_wal_xlog::{Counts, SegmentName, Version};

use crate::described::normal;
use crate::server::{Server, output};
use crate::shown::{Shown, is_described};

/// Counts by `Heap/INSERT`, as `--stats=record` has them.
pub(crate) type Named = BTreeMap<String, Counts>;

pub(crate) enum Oracle {
    Waldump,
    Walinspect,
}

impl Oracle {
    pub(crate) fn of(server: &Server) -> Oracle {
        match server.version {
            Version::V14 | Version::V15 | Version::V16 => Oracle::Waldump,
            Version::V17 | Version::V18 => {
                server.psql("CREATE EXTENSION IF NOT EXISTS pg_walinspect");
                Oracle::Walinspect
            }
        }
    }

    /// The records that lie whole in each of these segments. A segment in which none does is not asked for: both tools
    /// refuse it.
    pub(crate) fn counts(&self, server: &Server, segments: &[SegmentName]) -> BTreeMap<SegmentName, Named> {
        match self {
            Oracle::Waldump => segments
                .iter()
                .map(|segment| (*segment, waldump_counts(server, *segment)))
                .collect(),
            Oracle::Walinspect => walinspect_counts(server, segments),
        }
    }

    /// Each record that lies whole in a segment.
    pub(crate) fn records(&self, server: &Server, segment: SegmentName) -> Vec<Shown> {
        match self {
            Oracle::Waldump => waldump_records(server, segment),
            Oracle::Walinspect => walinspect_records(server, segment),
        }
    }
}

fn waldump(server: &Server, segment: SegmentName, option: &str) -> String {
    let mut command = server.program("pg_waldump");
    command.env("TZ", "UTC").arg(option).arg(server.segment_path(segment));
    output(&mut command)
}

fn waldump_counts(server: &Server, segment: SegmentName) -> Named {
    let text = waldump(server, segment, "--stats=record");
    let rows = text
        .lines()
        .filter(|line| line.split(' ').next().is_some_and(|name| name.contains('/')));
    let rows = rows.map(|row| {
        let words: Vec<&str> = row.split(['(', ')', ' ']).filter(|word| !word.is_empty()).collect();
        let number = |column: usize| words[column].parse().unwrap();
        let counts = Counts {
            records: number(1),
            record_bytes: number(3),
            image_bytes: number(5),
        };
        (words[0].to_owned(), counts)
    });
    rows.collect()
}

fn walinspect_counts(server: &Server, segments: &[SegmentName]) -> BTreeMap<SegmentName, Named> {
    let mut counted: BTreeMap<SegmentName, Named> = BTreeMap::new();
    let starts: Vec<String> = segments
        .iter()
        .map(|segment| format!("('{}'::pg_lsn)", segment.start()))
        .collect();
    let sql = format!(
        "SELECT l, \"resource_manager/record_type\", count, record_size, fpi_size
         FROM (VALUES {}) s (l), pg_get_wal_stats(l, l + {}::numeric, true) WHERE count > 0",
        starts.join(", "),
        server.size
    );
    for row in server.psql(&sql) {
        let fields: Vec<&str> = row.split('|').collect();
        let segment = SegmentName::at(fields[0].parse().unwrap(), segments[0].timeline, server.size);
        let counts = Counts {
            records: fields[2].parse().unwrap(),
            record_bytes: fields[3].parse().unwrap(),
            image_bytes: fields[4].parse().unwrap(),
        };
        counted.entry(segment).or_default().insert(fields[1].to_owned(), counts);
    }
    counted
}

/// `16/0B374D8` as the server's type prints it.
fn unpadded(lsn: &str) -> String {
    lsn.parse::<Lsn>().unwrap().to_string()
}

fn waldump_records(server: &Server, segment: SegmentName) -> Vec<Shown> {
    let mut records: Vec<Shown> = Vec::new();
    for line in waldump(server, segment, "--bkp-details").lines() {
        if let Some(block) = line.strip_prefix('\t') {
            let record = records.last_mut().unwrap();
            record.blocks += if record.blocks.is_empty() { "" } else { " " };
            record.blocks += block;
        } else if line.starts_with("rmgr: ") {
            records.push(waldump_record(line));
        }
    }
    records
}

fn waldump_record(line: &str) -> Shown {
    let (head, description) = line.split_once(", desc: ").unwrap();
    let words: Vec<&str> = head.split([' ', ',', '/']).filter(|word| !word.is_empty()).collect();
    // rmgr: Heap len (rec tot): 54 54 tx: 735 lsn: 0 01000028 prev 0 00000000
    let [
        _,
        rmgr,
        _,
        _,
        _,
        record,
        total,
        _,
        xid,
        _,
        high,
        low,
        _,
        prev_high,
        prev_low,
    ] = words[..]
    else {
        panic!("{line}")
    };
    let (name, said) = description.split_once(' ').unwrap_or((description, ""));
    Shown {
        lsn: unpadded(&format!("{high}/{low}")),
        previous: unpadded(&format!("{prev_high}/{prev_low}")),
        rmgr: rmgr.to_owned(),
        name: name.to_owned(),
        xid: xid.parse().unwrap(),
        lengths: (record.parse().unwrap(), total.parse().unwrap()),
        blocks: String::new(),
        description: is_described(rmgr).then(|| normal(said)),
    }
}

fn walinspect_records(server: &Server, segment: SegmentName) -> Vec<Shown> {
    let sql = format!(
        "SELECT start_lsn, prev_lsn, resource_manager, record_type, xid, record_length, fpi_length, block_ref, description
         FROM pg_get_wal_records_info('{}', '{}')",
        segment.start(),
        segment.end()
    );
    let rows = server.psql(&sql).into_iter().map(|row| {
        let fields: Vec<&str> = row.splitn(9, '|').collect();
        let (total, images): (u32, u32) = (fields[5].parse().unwrap(), fields[6].parse().unwrap());
        Shown {
            lsn: fields[0].to_owned(),
            previous: fields[1].to_owned(),
            rmgr: fields[2].to_owned(),
            name: fields[3].to_owned(),
            xid: fields[4].parse().unwrap(),
            lengths: (total - images, total),
            blocks: fields[7].trim_start().to_owned(),
            description: is_described(fields[2]).then(|| normal(fields[8])),
        }
    });
    rows.collect()
}
