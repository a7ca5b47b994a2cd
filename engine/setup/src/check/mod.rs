//! What a server lacks, said before anything is changed.

mod contents;
mod role;
mod server;

use tokio_postgres::Client;

use crate::{Finding, Result, Wanted};

/// Lists every requirement that is not met, with the statement to run, and every limit that a person should know of.
/// Changes nothing. Whether `pg_hba.conf` admits replication connections cannot be seen in SQL: try one.
///
/// # Errors
/// PostgreSQL's own.
pub async fn check(client: &mut Client, wanted: &Wanted) -> Result<Vec<Finding>> {
    let server = server::Server::read(client, wanted).await?;
    let mut findings = Vec::new();
    server.judge(wanted, &mut findings);
    role::judge(client, &server, &mut findings).await?;
    contents::judge_tables(client, wanted, &mut findings).await?;
    contents::judge_sequences(client, wanted, &mut findings).await?;
    findings.sort_by_key(|finding| finding.level);
    Ok(findings)
}
