//! The tables of the donor, which must all be here: none is left out in silence.

use std::sync::Arc;
use std::time::Duration;

use synapse_engine_identity::NodeId;
use tokio_postgres::Client;

use crate::answer::ask_one;
use crate::error::Error;
use crate::frames::{Answer, Request, TableShape};
use crate::generation::refresh;
use crate::join::exclusions;
use crate::shared::Shared;

/// How often tables that are missing are looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Names in a message; beyond that the number says enough.
const NAMED_MAX: usize = 5;

/// Waits until every table of `from` is here, before a snapshot is taken that would be held meanwhile.
pub(super) async fn wait_for_all(shared: &Arc<Shared>, from: NodeId, client: &mut Client) -> Result<(), Error> {
    let mut said = String::new();
    loop {
        let Answer::Tables(wanted) = ask_one(shared, from, Request::CopyTables).await? else {
            return Err(Error::TryAgain(format!(
                "{from} answered something else than was asked"
            )));
        };
        let Some(why) = missing(shared, &wanted, client).await? else {
            return Ok(());
        };
        if why != said {
            tracing::warn!("{why}");
            said.clone_from(&why);
        }
        shared.joining.change(|progress| {
            progress.from = Some(from);
            progress.tables_total = wanted.len();
            progress.waits = Some(why);
        });
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Which of `wanted` is not here, in words. Tables that came since are fenced.
pub(super) async fn missing(
    shared: &Arc<Shared>,
    wanted: &[TableShape],
    client: &mut Client,
) -> Result<Option<String>, Error> {
    synapse_engine_setup::raise_fence(client, &exclusions(shared)).await?;
    refresh(shared, client).await?;
    let directory = shared.directory();
    let lacking = wanted.iter().filter_map(|shape| {
        let name = format!("{}.{}", shape.schema, shape.table);
        let Some(table) = directory.get(&shape.schema, &shape.table) else {
            return Some(name);
        };
        let writable = |c: &String| table.column(c).is_some_and(|id| table.at(id).writable);
        let column = shape.columns.iter().find(|c| !writable(c))?;
        Some(format!("{name} ({column})"))
    });
    let lacking: Vec<String> = lacking.collect();
    shared
        .joining
        .change(|progress| progress.missing_tables.clone_from(&lacking));
    let named = lacking.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    Ok(match lacking.len() {
        0 => None,
        n if n <= NAMED_MAX => Some(format!(
            "waits for the table {named} to be created here; it continues by itself then"
        )),
        n => Some(format!(
            "waits for {n} tables to be created here, like {named}; it continues by itself then"
        )),
    })
}
