//! A writer that is killed at any instant.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use synapse_wal_types::Lsn;

use super::read;
use crate::samples::{encoded, origin, parts};
use crate::{EncodedBlock, Log};

const WRITER: &str = "SYNAPSE_TEST_JOURNAL_WRITER";
const ROUNDS: usize = 12;

fn blocks_at(lsn: u64) -> Vec<EncodedBlock> {
    match lsn % 7 {
        0 => parts(lsn, 5),
        _ => vec![encoded(&[lsn])],
    }
}

/// Appends for ever, and says on stdout what is durable.
fn write(dir: &Path) -> ! {
    let log = Log::open(dir, origin("n1"), 20_000).unwrap();
    let (mut lsn, mut out) = (log.end().0, std::io::stdout());
    loop {
        for _ in 0..1 + lsn % 5 {
            lsn += 1;
            for block in blocks_at(lsn) {
                log.append(&block).unwrap();
            }
        }
        log.append_progress(Lsn(lsn), &lsn.to_le_bytes()).unwrap();
        let durable = log.sync().unwrap();
        // A parent that is gone ends the writer.
        if writeln!(out, "durable {}", durable.0)
            .and_then(|()| out.flush())
            .is_err()
        {
            std::process::exit(1);
        }
    }
}

#[test]
fn nothing_synced_is_lost_when_the_writer_is_killed() {
    if let Some(dir) = std::env::var_os(WRITER) {
        write(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    for round in 0..ROUNDS {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "log::tests::kill::nothing_synced_is_lost_when_the_writer_is_killed",
                "--nocapture",
            ])
            .env(WRITER, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        // How many lines are waited for differs from round to round; where the writer then is, nobody knows.
        let mut promises = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("durable ")?.parse().ok());
        let waited_for: Option<u64> = promises.nth(5 + round * 7);
        writer.kill().unwrap();
        writer.wait().unwrap();
        let promised = promises
            .last()
            .or(waited_for)
            .expect("the writer does not end by itself");
        let log = Log::open(dir.path(), origin("n1"), 20_000).unwrap();
        assert!(
            log.end() >= Lsn(promised),
            "round {round}: {promised} was durable, the log ends at {}",
            log.end()
        );
        let expected: Vec<_> = (1..=log.end().0).flat_map(blocks_at).collect();
        assert!(read(log.read_after(Lsn(0)).unwrap()) == expected, "round {round}");
        let progress = log.last_progress().unwrap().unwrap();
        assert!(progress.lsn >= Lsn(promised));
        assert_eq!(progress.payload, progress.lsn.0.to_le_bytes());
    }
}
