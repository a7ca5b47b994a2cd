//! What registers cost: bytes of memory for each row, and processor time for each write, in memory and over the disk.
//!
//! `cargo run --release -p synapse-engine-journal --example registers`

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use synapse_engine_identity::{
    ColumnSet, Context, Epoch, Hlc, Incarnation, KeyHash, Origin, RowId, Stamp, TableId, TxnId, WriteOp,
};
use synapse_engine_journal::DiskOverflow;
use synapse_engine_replication::{MemoryOverflow, Overflow, Registers};
use synapse_wal_types::Lsn;

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROWS: u64 = 1_000_000;

fn origin(name: &str) -> Outcome<Origin> {
    Ok(Origin {
        node: name.parse()?,
        incarnation: Incarnation(1),
    })
}

fn row(key: u64) -> RowId {
    RowId {
        table: TableId(1),
        key: KeyHash::of([key.to_le_bytes().as_slice()]),
    }
}

fn stamp(origin: Origin, at: u64) -> Stamp {
    Stamp {
        txn: TxnId { origin, lsn: Lsn(at) },
        context: Arc::new(Context::new()),
        hlc: Hlc(at),
        epoch: Epoch(0),
    }
}

/// Resident memory of this process, in bytes.
fn resident() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line.ok_or("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}

/// Processor time of this thread: what else the machine does is not measured.
fn spent() -> Outcome<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split(' ').next().ok_or("an empty schedstat")?.parse()?;
    Ok(Duration::from_nanos(nanos))
}

/// Notes one write for each of [`ROWS`] rows, decides an incoming one, and says what it took.
fn measure<O: Overflow>(name: &str, limit: usize, overflow: O) -> Outcome<Registers<O>> {
    let (me, peer) = (origin("a")?, origin("b")?);
    let rows: Vec<RowId> = (0..ROWS).map(row).collect();
    let op = WriteOp::Update {
        missing: ColumnSet::new(),
    };
    let before = resident()?;
    let mut registers = Registers::new(me, limit, overflow);
    let start = spent()?;
    for (at, row) in (1..).zip(&rows) {
        registers.note(&stamp(me, at), *row, &op);
    }
    let noted = spent()? - start;
    let bytes = resident()?.saturating_sub(before);
    let start = spent()?;
    let decided = 100_000;
    for (at, row) in (1..).zip(rows.iter().step_by(10)) {
        registers.decide(&stamp(peer, at), *row, &op);
    }
    println!(
        "{name}: note {} ns, decide {} ns, {} bytes a row",
        noted.as_nanos() / u128::from(ROWS),
        (spent()? - start).as_nanos() / decided,
        bytes / ROWS,
    );
    Ok(registers)
}

fn main() -> Outcome<()> {
    drop(measure("all in memory", 2_000_000, MemoryOverflow::default())?);
    let dir = std::env::temp_dir().join(format!("registers-{}", std::process::id()));
    drop(measure("a tenth in memory", 100_000, DiskOverflow::open(&dir)?)?);
    let mut disk = DiskOverflow::open(&dir)?;
    let registers = vec![(row(0), synapse_engine_replication::Register::default()); 1];
    let start = spent()?;
    for put in 0..100_u64 {
        let rows = (put * 10_000..(put + 1) * 10_000).map(|key| (row(key), registers[0].1.clone()));
        disk.put(rows.collect());
    }
    let put = spent()? - start;
    let start = spent()?;
    for key in (0..ROWS).step_by(10) {
        disk.get(row(key)).ok_or("a row is lost")?;
    }
    println!(
        "disk: put {} ns a row, get {} ns, {} runs, {} bytes a row in memory of {} on disk",
        put.as_nanos() / u128::from(ROWS),
        (spent()? - start).as_nanos() / u128::from(ROWS / 10),
        disk.runs(),
        u64::try_from(disk.memory_bytes())? / ROWS,
        disk.bytes() / ROWS,
    );
    drop(disk);
    std::fs::remove_dir(&dir)?;
    Ok(())
}
