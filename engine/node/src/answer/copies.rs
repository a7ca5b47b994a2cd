//! What a node that joins is given: a snapshot's context, and the rows that the snapshot shows.

use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, TryStreamExt};
use synapse_engine_apply::{Aside, CopySource, SynchronousCommit};
use synapse_engine_identity::Origin;
use synapse_engine_setup::{DISPLACED, Generated, RIVALS, SCHEMA};
use synapse_wal_client::{Connection, Kind, LogicalSlot, Session, SlotLife, SlotSnapshot};
use synapse_wal_types::{Lsn, SlotName};
use tokio::sync::mpsc;

use crate::error::Error;
use crate::frames::{Answer, Opened, TableShape};
use crate::generation::refresh;
use crate::shared::{Phase, Shared, UNPOISONED, lock};
use crate::sql;
use crate::state::Join;

/// Sessions that read a snapshot, and so tables that are copied at once.
pub(crate) const WORKERS: usize = 2;
/// Rows go out in pieces of about this size, in bytes.
const PIECE_BYTES: usize = 256 << 10;

/// Sessions of one snapshot that are not reading a table now.
#[derive(Debug, Default)]
pub(crate) struct OpenCopy {
    sources: Mutex<Vec<CopySource>>,
}

/// A copy lasts as long as its request is wanted.
struct Lasting<'s> {
    shared: &'s Shared,
    id: u64,
}

impl Drop for Lasting<'_> {
    fn drop(&mut self) {
        self.shared.copies.lock().expect(UNPOISONED).remove(&self.id);
    }
}

/// Opens a copy for `joiner`, which believes in so many `members`, and keeps it open until nobody wants it any more.
pub(super) async fn open(
    shared: &Arc<Shared>,
    joiner: Origin,
    members: u32,
    parts: &mpsc::Sender<Answer>,
) -> Result<(), Error> {
    let me = shared.me.node;
    if usize::try_from(members).is_ok_and(|members| members > shared.config.members()) {
        return Err(Error::Refused(format!(
            "{me} knows of {} nodes, {} of {members}; hint: name {} in [cluster] join of {me}, and start it again",
            shared.config.members(),
            joiner.node,
            joiner.node
        )));
    }
    let begins = begins(shared, joiner).await?;
    let id: u64 = rand::random();
    let (at, sources) = snapshot(shared, id).await?;
    shared.copies.lock().expect(UNPOISONED).insert(
        id,
        Arc::new(OpenCopy {
            sources: Mutex::new(sources),
        }),
    );
    let _lasting = Lasting { shared, id };
    // Everything up to the snapshot is captured when this is answered, and more.
    let Answer::Position { lsn: last, .. } = super::position::position(shared).await? else {
        return Err(Error::Refused("a position is no position".to_owned()));
    };
    let applied = shared.kernel().and_then(|kernel| lock(&kernel).applied_at(at).cloned());
    let mut context =
        applied.ok_or_else(|| Error::TryAgain("what the snapshot holds is not known any more".to_owned()))?;
    let mut target = context.clone();
    context.advance(shared.me, at);
    target.advance(shared.me, last);
    let mut client = sql::connect(shared, "copy").await?;
    refresh(shared, &mut client).await?;
    let drawn = synapse_engine_setup::drawn_sequences(&client).await?;
    let sequences = drawn.into_iter().map(|s| (s.schema, s.name, s.last)).collect();
    tracing::info!(%joiner, %at, "a node is copied from here");
    let opened = Opened {
        copy: id,
        context,
        target,
        begins,
        tables: to_copy(shared),
        sequences,
    };
    if parts.send(Answer::CopyOpened(Box::new(opened))).await.is_ok() {
        shared.shutdown.cancelled().await;
    }
    Ok(())
}

/// From where on this node can ship every origin, which from now on stays so until the joiner has applied it: whatever
/// the snapshot will not hold has seen all that came before.
async fn begins(shared: &Shared, joiner: Origin) -> Result<Vec<(Origin, Lsn)>, Error> {
    let streams = matches!(shared.state().join, Join::Joined { .. }) && *shared.phase.borrow() == Phase::Streaming;
    let Some(kernel) = shared.kernel().filter(|_| streams) else {
        return Err(Error::TryAgain(format!("{} is not streaming", shared.me.node)));
    };
    // Also when this node starts again, the joiner's earlier lives say nothing of it.
    shared.journal.log(joiner)?;
    lock(&kernel).life(joiner);
    // What was decided to be pruned before is pruned now.
    let _pruning = shared.pruning.lock().await;
    let origins = shared.journal.origins().into_iter().filter(|origin| *origin != joiner);
    origins
        .map(|origin| Ok((origin, shared.journal.log(origin)?.begin())))
        .collect()
}

/// A snapshot and sessions that see it. Only a slot's snapshot is a prefix of the stream; the slot itself goes at once,
/// so that no WAL is kept for it.
async fn snapshot(shared: &Shared, id: u64) -> Result<(Lsn, Vec<CopySource>), Error> {
    let dsn = &shared.config.postgres.dsn;
    let mut exporter = Connection::connect(dsn, Kind::Logical, &Session::default()).await?;
    let name: SlotName = format!("synapse_copy_{id}")
        .parse()
        .expect("letters, digits and _ make a slot's name");
    let slot = LogicalSlot {
        life: SlotLife::Temporary,
        snapshot: SlotSnapshot::Export,
    };
    let created = exporter.create_logical_slot(&name, slot).await?;
    let snapshot = created
        .snapshot
        .ok_or_else(|| Error::TryAgain("the server exported no snapshot".to_owned()))?;
    let sql::Server { config, tls } = sql::server(dsn)?;
    let options = sql::options("copy", SynchronousCommit::Off);
    let mut sources = Vec::with_capacity(WORKERS);
    for _ in 0..WORKERS {
        sources.push(CopySource::connect(&config, tls.clone(), &options, &snapshot).await?);
    }
    exporter.close().await?;
    Ok((created.consistent_point, sources))
}

/// The replicated tables with the columns that hold values of their own. What is displaced of each is copied with it.
pub(crate) fn to_copy(shared: &Shared) -> Vec<TableShape> {
    let directory = shared.directory();
    let shape = |table: &synapse_engine_setup::Table| TableShape {
        schema: table.schema.clone(),
        table: table.name.clone(),
        columns: table
            .columns
            .iter()
            .filter(|c| c.generated == Generated::No)
            .map(|c| c.name.clone())
            .collect(),
        key: table.key().map_or_else(Vec::new, |key| key.columns.clone()),
    };
    let of_others = |table: &&synapse_engine_setup::Table| {
        table.schema == SCHEMA && [DISPLACED, RIVALS].contains(&table.name.as_str())
    };
    let tables = directory.catalog.tables.iter().filter(|table| !of_others(table));
    tables.map(shape).collect()
}

/// Gives the rows of a table, as the snapshot of `copy` shows them.
pub(super) async fn table(
    shared: &Shared,
    copy: u64,
    shape: &TableShape,
    parts: &mpsc::Sender<Answer>,
) -> Result<(), Error> {
    let (open, source) = source(shared, copy)?;
    let name = format!("{}.{}", shape.schema, shape.table);
    let directory = shared.directory();
    let gone = || Error::TryAgain(format!("table {name} is gone, or has other columns now"));
    let table = directory.get(&shape.schema, &shape.table).ok_or_else(gone)?;
    let columns = shape.columns.iter().map(|column| table.column(column).ok_or_else(gone));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    if pass_on(source.rows(table, &columns).await?, parts).await? {
        open.give_back(source);
    }
    Ok(())
}

/// Gives what is kept of a table's displaced rows, as the snapshot of `copy` shows it.
pub(super) async fn aside(
    shared: &Shared,
    copy: u64,
    (schema, name): (&str, &str),
    aside: Aside,
    parts: &mpsc::Sender<Answer>,
) -> Result<(), Error> {
    let (open, source) = source(shared, copy)?;
    let directory = shared.directory();
    let gone = || Error::TryAgain(format!("table {schema}.{name} is gone"));
    let table = directory.get(schema, name).ok_or_else(gone)?;
    if pass_on(source.aside(table, aside).await?, parts).await? {
        open.give_back(source);
    }
    Ok(())
}

/// A session of a copy that is free.
fn source(shared: &Shared, copy: u64) -> Result<(Arc<OpenCopy>, CopySource), Error> {
    let over = || Error::TryAgain("the copy is over".to_owned());
    let open = shared.copies.lock().expect(UNPOISONED).get(&copy).cloned();
    let open = open.ok_or_else(over)?;
    let source = open.sources.lock().expect(UNPOISONED).pop().ok_or_else(over)?;
    Ok((open, source))
}

impl OpenCopy {
    /// A session that was cut off within a table is of no further use, and is not given back.
    fn give_back(&self, source: CopySource) {
        self.sources.lock().expect(UNPOISONED).push(source);
    }
}

/// Sends rows in pieces; answers whether all were wanted.
async fn pass_on(
    rows: impl Stream<Item = Result<Bytes, synapse_engine_apply::Error>>,
    parts: &mpsc::Sender<Answer>,
) -> Result<bool, Error> {
    let mut rows = std::pin::pin!(rows);
    let mut piece = BytesMut::new();
    while let Some(row) = rows.try_next().await? {
        piece.extend_from_slice(&row);
        if piece.len() >= PIECE_BYTES && !sent(parts, piece.split().freeze()).await {
            return Ok(false);
        }
    }
    Ok(piece.is_empty() || sent(parts, piece.freeze()).await)
}

async fn sent(parts: &mpsc::Sender<Answer>, rows: Bytes) -> bool {
    parts.send(Answer::CopyRows(rows)).await.is_ok()
}
