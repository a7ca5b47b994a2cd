use std::time::Duration;

use tokio_postgres::{Client, IsolationLevel, Transaction};

use crate::{Error, Result};

/// One installer at a time in a database: the letters of "SynSetup" as a number.
const ADVISORY_LOCK: i64 = 0x5379_6E53_6574_7570;

/// How long one lock is waited for. Short, because while we wait for one object, others queue behind us.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_millis(50);
/// How long another installer is waited for.
const INSTALLER_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a transaction whose settings do not depend on the database's defaults, and takes the installers' lock.
///
/// It commits without waiting for standbys (we may be the standby) and its DDL does not set off our own event trigger.
pub(crate) async fn begin(client: &mut Client) -> Result<Transaction<'_>> {
    let doing = "open a transaction";
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::ReadCommitted)
        .read_only(false)
        .start()
        .await
        .map_err(Error::doing(doing))?;
    let settings = format!(
        "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL statement_timeout = 0; \
         SET LOCAL synchronous_commit = local; SET LOCAL client_min_messages = warning; \
         SET LOCAL lock_timeout = {}; SET LOCAL synapse.adopting = 'on'; \
         SELECT pg_advisory_xact_lock({ADVISORY_LOCK}); SET LOCAL lock_timeout = {}",
        INSTALLER_TIMEOUT.as_millis(),
        LOCK_TIMEOUT.as_millis(),
    );
    transaction
        .batch_execute(&settings)
        .await
        .map_err(Error::doing(doing))?;
    Ok(transaction)
}

/// Runs `statements` in one such transaction.
pub(crate) async fn run(client: &mut Client, action: &'static str, statements: &[&str]) -> Result<()> {
    let transaction = begin(client).await?;
    for statement in statements {
        transaction
            .batch_execute(statement)
            .await
            .map_err(Error::doing(action))?;
    }
    transaction.commit().await.map_err(Error::doing(action))
}
