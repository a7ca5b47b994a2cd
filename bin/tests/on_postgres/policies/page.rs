//! `docs/conflicts.md`, followed to the letter on three nodes: what it says happens, and the commands that it shows.

mod happens;
mod numbers;
mod shown;

use std::process::Command;

use super::THREE;
use crate::cluster::Cluster;

const PAGE: &str = include_str!("../../../../docs/conflicts.md");

/// The indented blocks of the page, in its order.
fn blocks() -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut within = false;
    for line in PAGE.lines() {
        match line.strip_prefix("    ") {
            Some(line) if within => {
                let block = blocks.last_mut().expect("a block was begun");
                block.push('\n');
                block.push_str(line);
            }
            Some(line) => blocks.push(line.to_owned()),
            None => {}
        }
        within = line.starts_with("    ");
    }
    blocks
}

/// The block that begins so.
fn block(start: &str) -> String {
    let found: Vec<String> = blocks().into_iter().filter(|block| block.starts_with(start)).collect();
    assert_eq!(found.len(), 1, "blocks that begin with {start}: {found:?}");
    found.into_iter().next().unwrap()
}

/// The rows of the page's table whose heading begins with this cell, cell by cell.
fn table(heading: &str) -> Vec<Vec<String>> {
    let lines = PAGE
        .lines()
        .skip_while(|line| !line.starts_with(&format!("| {heading} |")));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        line.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    rows.map(cells).collect()
}

/// Runs commands of the page in a shell, as somebody at `node` does; answers with what they print.
fn run(cluster: &Cluster, node: &str, commands: &str) -> String {
    let record = cluster.node(node);
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_synapsectl")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", commands])
        .env("PATH", path)
        .env("SYNAPSE_API", &record.api)
        .env("SYNAPSE_TOKEN_FILE", &record.token_file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{commands}\n{said}{complained}");
    said
}

/// The three nodes of the page.
async fn three_nodes() -> Cluster {
    let cluster = Cluster::start(&THREE).await;
    cluster.sql_all("CREATE SCHEMA app").await;
    cluster
}
