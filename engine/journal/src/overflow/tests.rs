mod history;

use proptest::collection::vec;
use proptest::prelude::*;
use synapse_engine_identity::{ColumnSet, Hlc, KeyHash, RowId, TableId, WriteOp};
use synapse_engine_replication::{Author, MemoryOverflow, OriginIndex, Overflow, Register};
use synapse_wal_types::Lsn;

use super::*;

fn row(table: u32, key: u64) -> RowId {
    RowId {
        table: TableId(table),
        key: KeyHash::of([key.to_le_bytes().as_slice()]),
    }
}

/// With as many writes as `lsn` has ones among its last three bits.
fn register(lsn: u64) -> Register {
    let mut register = Register::default();
    for origin in (0_u8..3).filter(|origin| lsn & (1 << origin) != 0) {
        let author = Author {
            hlc: Hlc(lsn),
            origin: OriginIndex(origin),
            lsn: Lsn(lsn),
            epoch: synapse_engine_identity::Epoch::default(),
        };
        let missing = ColumnSet::new();
        register.observe(author, (&WriteOp::Update { missing }, false), |_| false);
    }
    register
}

fn files(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

#[derive(Clone, Debug)]
enum Op {
    Put(Vec<(u32, u64)>),
    Get(u32, u64),
    RowsOf(u32),
    Clear,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let put = vec((0..3_u32, 0..200_u64), 0..150).prop_map(Op::Put);
    let get = (0..4_u32, 0..250_u64).prop_map(|(table, key)| Op::Get(table, key));
    let rows_of = (0..4_u32).prop_map(Op::RowsOf);
    vec(
        prop_oneof![60 => put, 60 => get, 10 => rows_of, 1 => Just(Op::Clear)],
        1..150,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_disk_remembers_what_memory_would(ops in ops()) {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = DiskOverflow::open(dir.path()).unwrap();
        let mut memory = MemoryOverflow::default();
        let mut lsn = 0;
        for op in ops {
            match op {
                Op::Put(rows) => {
                    let registers = rows.into_iter().map(|(table, key)| {
                        lsn += 1;
                        (row(table, key), register(lsn))
                    });
                    let registers: Vec<_> = registers.collect();
                    disk.put(registers.clone());
                    memory.put(registers);
                }
                Op::Get(table, key) => prop_assert_eq!(disk.get(row(table, key)), memory.get(row(table, key))),
                Op::RowsOf(table) => prop_assert_eq!(disk.rows_of(TableId(table)), memory.rows_of(TableId(table))),
                Op::Clear => {
                    disk.clear();
                    memory.clear();
                    prop_assert_eq!(files(dir.path()), 0);
                }
            }
            prop_assert!(disk.runs() <= RUNS_HARD_MAX);
        }
        for table in 0..3 {
            for row in memory.rows_of(TableId(table)) {
                prop_assert_eq!(disk.get(row), memory.get(row));
            }
        }
    }
}

#[test]
fn many_rows_stay_in_few_runs_and_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = DiskOverflow::open(dir.path()).unwrap();
    for put in 0..100_u64 {
        disk.put(
            (put * 2000..(put + 1) * 2000)
                .map(|key| (row(1, key), register(key + 1)))
                .collect(),
        );
        assert!(disk.runs() <= RUNS_HARD_MAX);
    }
    assert!(disk.memory_bytes() < 2 * 200_000, "{}", disk.memory_bytes());
    assert!(files(dir.path()) <= RUNS_HARD_MAX + 1);
    for key in (0..200_000).step_by(97) {
        assert_eq!(disk.get(row(1, key)), Some(register(key + 1)));
        assert_eq!(disk.get(row(2, key)), None);
    }
    assert_eq!(disk.rows_of(TableId(1)).len(), 200_000);
    assert_eq!(disk.rows_of(TableId(2)).len(), 0);
}

#[test]
fn rows_that_are_put_again_and_again_do_not_fill_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = DiskOverflow::open(dir.path()).unwrap();
    for put in 0..200 {
        disk.put((0..1000).map(|key| (row(1, key), register(put))).collect());
    }
    let run = 1000 * 88;
    assert!(
        disk.bytes() <= run * u64::try_from(RUNS_HARD_MAX).unwrap(),
        "{}",
        disk.bytes()
    );
}

#[test]
fn no_file_is_left_of_an_overflow_that_was_dropped_or_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = DiskOverflow::open(dir.path()).unwrap();
    for key in 0..30 {
        first.put(vec![(row(1, key), register(1))]);
    }
    std::fs::write(dir.path().join("killed.run"), "half a run").unwrap();
    let mut second = DiskOverflow::open(dir.path()).unwrap();
    assert_eq!(files(dir.path()), 0);
    second.put(vec![(row(1, 1), register(2))]);
    assert_eq!(
        first.get(row(1, 1)),
        Some(register(1)),
        "what is open can still be read"
    );
    drop(first);
    assert_eq!(second.get(row(1, 1)), Some(register(2)));
    drop(second);
    assert_eq!(files(dir.path()), 0);
}

#[test]
#[should_panic(expected = "checksum")]
fn a_flipped_bit_is_never_taken_for_knowledge() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = DiskOverflow::open(dir.path()).unwrap();
    disk.put((0..1000).map(|key| (row(1, key), register(7))).collect());
    let path = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    for key in 0..1000 {
        assert_eq!(disk.get(row(1, key)), Some(register(7)));
    }
}

#[test]
#[should_panic(expected = "cannot create")]
fn registers_that_cannot_be_written_stop_the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = DiskOverflow::open(&dir.path().join("registers")).unwrap();
    std::fs::remove_dir(dir.path().join("registers")).unwrap();
    disk.put(vec![(row(1, 1), register(1))]);
}
