//! One table's rows, from a link into the server.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, stream};
use synapse_engine_apply::{Aside, CopyTarget};
use synapse_engine_identity::NodeId;

use crate::answer::{Asked, ask};
use crate::error::Error;
use crate::frames::{Answer, Opened, Request, TableShape};
use crate::shared::Shared;
use crate::state::{Copied, Join};

/// Fills one table, and remembers durably that it is full and what it holds.
pub(super) async fn fill(
    shared: &Arc<Shared>,
    from: NodeId,
    opened: &Opened,
    shape: &TableShape,
    target: &CopyTarget,
) -> Result<(), Error> {
    let name = format!("{}.{}", shape.schema, shape.table);
    let directory = shared.directory();
    let gone = || Error::TryAgain(format!("table {name} has gone, or has lost columns"));
    let table = directory.get(&shape.schema, &shape.table).ok_or_else(gone)?;
    let columns = shape.columns.iter().map(|column| table.column(column).ok_or_else(gone));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let asked = ask(
        shared,
        from,
        Request::CopyTable {
            copy: opened.copy,
            table: shape.clone(),
        },
    )
    .await?;
    let filled = target.replace(table, &columns, counted(shared, &name, asked)).await?;
    if table.has_key() {
        for aside in Aside::ALL {
            let asked = ask(shared, from, of_displaced(opened.copy, shape, aside)).await?;
            filled.aside(table, aside, coming(asked)).await?;
        }
    }
    let rows = filled.commit().await?;
    shared.change_state(|state| {
        if let Join::Copying { copies, .. } = &mut state.join {
            let (schema, table) = (shape.schema.clone(), shape.table.clone());
            copies.tables.push(Copied {
                schema,
                table,
                context: opened.context.clone(),
            });
            copies.target.join(&opened.target);
        }
    })?;
    shared.joining.change(|progress| {
        progress.coming.remove(&name);
        progress.tables_done += 1;
    });
    tracing::info!(table = name, rows, "copied");
    Ok(())
}

fn of_displaced(copy: u64, shape: &TableShape, aside: Aside) -> Request {
    let (schema, table) = (shape.schema.clone(), shape.table.clone());
    match aside {
        Aside::Displaced => Request::CopyDisplaced { copy, schema, table },
        Aside::Rivals => Request::CopyRivals { copy, schema, table },
    }
}

/// The rows as they come; what has come is shown.
fn counted<'s>(
    shared: &'s Shared,
    name: &'s str,
    asked: Asked,
) -> impl Stream<Item = Result<Bytes, Error>> + Send + use<'s> {
    coming(asked).inspect_ok(|rows| {
        // A row ends with a line feed, and has none within.
        let count = rows.iter().filter(|byte| **byte == b'\n').count() as u64;
        shared.joining.change(|progress| {
            progress.rows += count;
            progress.bytes += rows.len() as u64;
            *progress.coming.entry(name.to_owned()).or_default() += count;
        });
    })
}

/// Rows as they come.
fn coming(asked: Asked) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    stream::try_unfold(asked, |mut asked| async move {
        match asked.next().await? {
            None => Ok(None),
            Some(Answer::CopyRows(rows)) => Ok(Some((rows, asked))),
            Some(_) => Err(Error::TryAgain("a peer answered something else than rows".to_owned())),
        }
    })
}
