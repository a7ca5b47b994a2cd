//! The initial copy, on the node that is filled.

mod table;
mod tables;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures_util::future::try_join_all;
use synapse_engine_apply::{CopyTarget, SynchronousCommit};
use synapse_engine_identity::{Context, NodeId, Origin};
use synapse_wal_types::Lsn;

use crate::answer::{WORKERS, ask};
use crate::error::Error;
use crate::frames::{Answer, Opened, Request, TableShape};
use crate::prepare::make_slot;
use crate::shared::{Shared, UNPOISONED};
use crate::sql;
use crate::state::{Copies, Join};

/// Fills this node from `from`: every table that was not filled before. Then its own stream begins, and it passes the
/// journals. An error leaves what is full as it is.
pub(crate) async fn fill(shared: &Arc<Shared>, from: NodeId) -> Result<(), Error> {
    let mut client = sql::connect(shared, "join").await?;
    synapse_engine_setup::drop_slot(&client, &shared.slot).await?;
    tables::wait_for_all(shared, from, &mut client).await?;
    let members = u32::try_from(shared.config.members()).unwrap_or(u32::MAX);
    let mut open = ask(
        shared,
        from,
        Request::CopyOpen {
            joiner: shared.me,
            members,
        },
    )
    .await?;
    let Some(Answer::CopyOpened(opened)) = open.next().await? else {
        return Err(Error::TryAgain(format!(
            "{from} answered something else than was asked"
        )));
    };
    let begins = follow_from(shared, &opened)?;
    if let Some(why) = tables::missing(shared, &opened.tables, &mut client).await? {
        return Err(Error::TryAgain(why));
    }
    let left = left(shared, &opened);
    tracing::info!(%from, tables = left.len(), context = %opened.context, "copying");
    shared.joining.change(|progress| {
        progress.from = Some(from);
        progress.waits = None;
        progress.tables_total = opened.tables.len();
        progress.tables_done = opened.tables.len() - left.len();
        progress.coming.clear();
    });
    let left = Mutex::new(VecDeque::from(left));
    try_join_all((0..WORKERS).map(|_| worker(shared, from, &opened, &left))).await?;
    let drawn: Vec<_> = opened
        .sequences
        .iter()
        .map(|(schema, name, last)| synapse_engine_setup::Drawn {
            schema: schema.clone(),
            name: name.clone(),
            last: *last,
        })
        .collect();
    synapse_engine_setup::pass_sequences(&mut client, &drawn).await?;
    drop(open);
    stream(shared, &mut client, &begins).await
}

/// Every origin's log begins here where the donor's begins: what came before, every copy holds, and nobody's
/// transaction that a copy does not hold was made without having seen it.
fn follow_from(shared: &Shared, opened: &Opened) -> Result<Vec<(Origin, Lsn)>, Error> {
    let Join::Copying { begins, .. } = shared.state().join else {
        return Err(Error::TryAgain("this node is not being copied any more".to_owned()));
    };
    let begins = match begins {
        Some(begins) => begins,
        None => {
            for (origin, begin) in &opened.begins {
                // Nothing was taken from peers before; a run that was cut off may have made the log.
                shared.journal.remove(*origin)?;
                let log = shared.journal.log(*origin)?;
                if *begin > Lsn::ZERO {
                    log.begin_after(*begin)?;
                }
            }
            shared.change_state(|state| {
                if let Join::Copying { begins, .. } = &mut state.join {
                    *begins = Some(opened.begins.clone());
                }
            })?;
            opened.begins.clone()
        }
    };
    shared.joining.follow();
    Ok(begins)
}

/// Tables that are not full. A table that was full and is another one now is left to the journals: it was made since.
fn left(shared: &Shared, opened: &Opened) -> Vec<TableShape> {
    let Join::Copying { copies, .. } = shared.state().join else {
        return Vec::new();
    };
    let full = |shape: &TableShape| {
        copies
            .tables
            .iter()
            .any(|t| t.schema == shape.schema && t.table == shape.table)
    };
    opened.tables.iter().filter(|shape| !full(shape)).cloned().collect()
}

async fn worker(
    shared: &Arc<Shared>,
    from: NodeId,
    opened: &Opened,
    left: &Mutex<VecDeque<TableShape>>,
) -> Result<(), Error> {
    let options = sql::options("copy", SynchronousCommit::Local);
    let sql::Server { config, tls } = sql::server(&shared.config.postgres.dsn)?;
    let target = CopyTarget::connect(&config, tls, &options).await?;
    loop {
        let Some(shape) = left.lock().expect(UNPOISONED).pop_front() else {
            return Ok(());
        };
        table::fill(shared, from, opened, &shape, &target).await?;
    }
}

/// All tables are full: this node's own stream begins, as of what every copy holds for sure.
async fn stream(
    shared: &Arc<Shared>,
    client: &mut tokio_postgres::Client,
    begins: &[(Origin, Lsn)],
) -> Result<(), Error> {
    let applied: Context = begins.iter().copied().collect();
    for (origin, lsn) in applied.iter() {
        synapse_engine_setup::ensure_origin(client, &origin).await?;
        let name = synapse_engine_setup::origin_name(&origin);
        let advance = "SELECT pg_replication_origin_advance($1, ($2::text)::pg_lsn)";
        client.execute(advance, &[&name, &lsn.to_string()]).await?;
    }
    // The positions are in the WAL, and a commit takes them to the disk.
    client
        .execute("SELECT pg_logical_emit_message(true, 'synapse.join', '')", &[])
        .await?;
    make_slot(shared, client, applied, |join| {
        let copies = match join {
            Join::Copying { copies, .. } | Join::Passing(copies) => std::mem::take(copies),
            Join::New { .. } | Join::Replacing { .. } | Join::Joined { .. } => Copies::default(),
        };
        *join = Join::Passing(copies);
    })
    .await?;
    tracing::info!("all tables are full; following the journals");
    Ok(())
}
