//! How fast blocks of pgbench's TPC-B transactions are built, encoded, decoded, and written to a log.
//!
//! `cargo run --release -p synapse-engine-journal --example speed`

use std::sync::Arc;
use std::time::Instant;

use synapse_engine_change::{Block, ChangeSet, Column, Identity, OpCode, Part, Relation, Transaction, Value};
use synapse_engine_identity::{Context, Epoch, Hlc, Incarnation, Origin};
use synapse_engine_journal::{BlockBuilder, EncodedBlock, Log, SEGMENT_BYTES, encode_block};
use synapse_wal_types::{Lsn, PgTimestamp, Xid};

const TRANSACTIONS: u64 = 200_000;

fn relation(name: &str, columns: &[&str]) -> Arc<Relation> {
    Arc::new(Relation {
        schema: "public".into(),
        name: name.into(),
        identity: Identity::Default,
        columns: columns
            .iter()
            .map(|column| Column {
                name: (*column).into(),
                key: *column == columns[0],
                type_oid: 23,
            })
            .collect(),
    })
}

fn transaction(lsn: u64, context: &Arc<Context>) -> Transaction {
    Transaction {
        lsn: Lsn(lsn * 500),
        hlc: Hlc(790_000_000_000_000 + lsn * 100),
        context: Arc::clone(context),
        epoch: Epoch(0),
        commit_ts: PgTimestamp(790_000_000_000_000),
        xid: Xid(1000),
        changes: 0..0,
        part: Part::Whole,
    }
}

fn fill(blocks: &mut Vec<Block>, origin: Origin) -> Result<(), Box<dyn std::error::Error>> {
    let accounts = relation("pgbench_accounts", &["aid", "bid", "abalance", "filler"]);
    let tellers = relation("pgbench_tellers", &["tid", "bid", "tbalance", "filler"]);
    let branches = relation("pgbench_branches", &["bid", "bbalance", "filler"]);
    let history = relation("pgbench_history", &["tid", "bid", "aid", "delta", "mtime", "filler"]);
    let context = Arc::new(Context::new());
    let filler = " ".repeat(84);
    let mut builder = BlockBuilder::new(origin);
    let mut state = 1_u64;
    for lsn in 1..=TRANSACTIONS {
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % below).to_string()
        };
        let (aid, tid, bid, delta, balance) = (
            random(1_000_000),
            random(100),
            random(10),
            random(5000),
            random(100_000),
        );
        let mtime = format!("2026-01-02 03:04:05.{:06}", lsn % 1_000_000);
        let t = |value: &str| -> Vec<u8> { value.as_bytes().to_vec() };
        let mut set = ChangeSet::new();
        let rows = [
            (
                &accounts,
                OpCode::Update,
                vec![t(&aid), t(&bid), t(&balance), t(&filler)],
            ),
            (&tellers, OpCode::Update, vec![t(&tid), t(&bid), t(&balance)]),
            (&branches, OpCode::Update, vec![t(&bid), t(&balance)]),
            (
                &history,
                OpCode::Insert,
                vec![t(&tid), t(&bid), t(&aid), t(&delta), t(&mtime)],
            ),
        ];
        for (table, op, values) in &rows {
            let null = std::iter::repeat_n(Value::Null, table.columns.len() - values.len());
            set.push(
                table,
                *op,
                1000,
                values.iter().map(|value| Value::Text(value)).chain(null),
            )?;
        }
        builder.push(&transaction(lsn, &context), &set, 0..set.len())?;
        while builder.is_full() {
            blocks.extend(builder.finish());
        }
    }
    blocks.extend(builder.finish());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let origin = Origin {
        node: "n1".parse()?,
        incarnation: Incarnation(1),
    };
    let mut blocks = Vec::new();
    let start = Instant::now();
    fill(&mut blocks, origin)?;
    println!(
        "build  {TRANSACTIONS} transactions, {} blocks, {:?}",
        blocks.len(),
        start.elapsed()
    );
    let start = Instant::now();
    let encoded = blocks.iter().map(encode_block).collect::<Result<Vec<_>, _>>()?;
    report("encode", &encoded, start);
    let start = Instant::now();
    for block in &encoded {
        EncodedBlock::from_bytes(block.bytes().clone())?;
    }
    report("verify", &encoded, start);
    let start = Instant::now();
    for block in &encoded {
        block.decode()?;
    }
    report("decode", &encoded, start);
    let dir = std::env::temp_dir().join(format!("synapse-journal-speed-{}", std::process::id()));
    let log = Log::open(&dir, origin, SEGMENT_BYTES)?;
    let start = Instant::now();
    for block in &encoded {
        log.append(block)?;
        log.sync()?;
    }
    report("append and sync", &encoded, start);
    let start = Instant::now();
    let mut reader = log.read_after(Lsn::ZERO)?;
    while reader.next_block()?.is_some() {}
    report("read", &encoded, start);
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

fn report(what: &str, blocks: &[EncodedBlock], start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    let raw: f64 = blocks.iter().map(|block| f64::from(block.header().raw_bytes)).sum();
    let stored: f64 = blocks.iter().map(|block| f64::from(block.header().stored_bytes)).sum();
    println!(
        "{what:16} {:7.0} MB/s raw, {:7.0} MB/s stored, ratio {:.1}, {:.0} us a block",
        raw / seconds / 1e6,
        stored / seconds / 1e6,
        raw / stored,
        seconds * 1e6 / f64::from(u32::try_from(blocks.len()).unwrap_or(u32::MAX))
    );
}
