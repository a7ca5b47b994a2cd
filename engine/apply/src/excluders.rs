//! Which rows exclude each other, asked before it is decided which of them stand.

use std::borrow::Cow;
use std::sync::Arc;

use postgres_types::ToSql;
use synapse_engine_identity::{ColumnId, KeyHash, RowId};
use synapse_engine_plan::{Row, Table};
use tokio_postgres::{Client, Statement};

use crate::array::TextArray;
use crate::constraints::{Constraint, Constraints};
use crate::error::{Error, Result};
use crate::render::{answered, sent};
use crate::rows::{bytes_of, cut, row_bytes};
use crate::texts::{Raw, Texts};
use crate::transaction::Transaction;

/// What excludes the images that were asked about. Two rows that exclude each other by two constraints are told twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusions {
    /// Rows of the table, as this transaction sees them.
    pub standing: Vec<Exclusion<StandingRow>>,
    /// Rows of `synapse.displaced`.
    pub displaced: Vec<Exclusion<KeyHash>>,
    /// Other images, by their places, which are greater.
    pub images: Vec<Exclusion<usize>>,
}

/// One image and one row that cannot stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion<T> {
    /// The image's place among those asked about.
    pub image: usize,
    /// The other row.
    pub other: T,
    /// The name of the constraint.
    pub constraint: Arc<str>,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingRow {
    /// Which row it is.
    pub row: RowId,
    /// The text of its key, in the order of `Table::key`.
    pub key: Texts,
    /// The text of every column that can be written.
    pub values: Vec<(ColumnId, Option<Vec<u8>>)>,
}

/// The statements that ask about one constraint.
#[derive(Clone, Debug)]
pub(crate) struct Questions {
    pub(crate) standing: Statement,
    pub(crate) apart: Statement,
}

/// Other images are compared by hash where the operators allow it: both sides are read once, and neither has an index.
const BY_HASH: &str = "SET LOCAL enable_hashjoin = on; SET LOCAL enable_nestloop = off";
const BY_INDEX: &str = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_nestloop = on";

impl Transaction<'_> {
    /// What keeps rows of the table apart, besides its key; read once, until [`crate::Session::forget_tables`].
    ///
    /// # Errors
    /// As [`Constraints::read`].
    pub async fn constraints(&mut self, table: &Arc<Table>) -> Result<Arc<Constraints>> {
        let client = self.enter().await?;
        let constraints = self.session.statements.constraints(&client, table).await?;
        self.leave();
        Ok(constraints)
    }

    /// Asks what excludes rows with these values: standing rows, displaced rows, and among the images themselves. A row
    /// with the key of an image is that image's own row, and does not exclude it. Nothing is locked: a row may come or go
    /// beside it.
    ///
    /// For each constraint two statements, and more for the standing rows of more than some thousand images. Standing rows
    /// are found by the constraint's index. The others are hashed where its operators allow it; where they do not, as with
    /// ranges that overlap, each image is compared with each: 4,000 images take the server three seconds. All images of a
    /// call travel in one statement, so they are to be of one batch.
    ///
    /// # Errors
    /// [`Error::NoValue`] when an image lacks a column; as [`Constraints::read`]; or what the server says.
    pub async fn excluders(&mut self, table: &Arc<Table>, images: &[Row<'_>]) -> Result<Exclusions> {
        let mut found = Exclusions::default();
        let client = self.enter().await?;
        let constraints = self.session.statements.constraints(&client, table).await?;
        if !images.is_empty() {
            for (at, constraint) in constraints.iter().enumerate() {
                let questions = self
                    .session
                    .statements
                    .questions(&client, table, &constraints, at)
                    .await?;
                ask_standing(&client, &questions.standing, table, constraint, images, &mut found).await?;
                ask_apart(&client, &questions.apart, table, constraint, images, &mut found).await?;
            }
        }
        self.leave();
        found.standing.sort_by_key(|exclusion| exclusion.image);
        found
            .displaced
            .sort_by_key(|exclusion| (exclusion.image, exclusion.other));
        found.images.sort_by_key(|exclusion| (exclusion.image, exclusion.other));
        Ok(found)
    }
}

async fn ask_standing(
    client: &Client,
    statement: &Statement,
    table: &Table,
    constraint: &Constraint,
    images: &[Row<'_>],
    found: &mut Exclusions,
) -> Result<()> {
    let doing = || Error::doing("ask which standing rows exclude others");
    let columns = answered(table);
    for part in cut(images.iter().map(row_bytes)) {
        let arrays = arrays(table, constraint, &images[part.clone()])?;
        for row in client.query(statement, &bound(&arrays)).await.map_err(doing())? {
            let texts = (1..=columns.len()).map(|at| Ok(row.try_get::<_, Option<Raw>>(at)?.map(|raw| raw.0)));
            let texts = texts.collect::<std::result::Result<Texts, tokio_postgres::Error>>();
            let values: Vec<_> = columns.iter().copied().zip(texts.map_err(doing())?).collect();
            found.standing.push(Exclusion {
                image: part.start + place(row.try_get(0).map_err(doing())?, part.len()),
                other: standing_row(table, values),
                constraint: Arc::clone(&constraint.name),
            });
        }
    }
    Ok(())
}

async fn ask_apart(
    client: &Client,
    statement: &Statement,
    table: &Table,
    constraint: &Constraint,
    images: &[Row<'_>],
    found: &mut Exclusions,
) -> Result<()> {
    let doing = || Error::doing("ask which displaced and new rows exclude each other");
    let arrays = arrays(table, constraint, images)?;
    client.batch_execute(BY_HASH).await.map_err(doing())?;
    let rows = client.query(statement, &bound(&arrays)).await.map_err(doing())?;
    client.batch_execute(BY_INDEX).await.map_err(doing())?;
    for row in rows {
        let image = place(row.try_get(0).map_err(doing())?, images.len());
        let other: Option<i64> = row.try_get(1).map_err(doing())?;
        let constraint = Arc::clone(&constraint.name);
        match other {
            Some(number) => found.images.push(Exclusion {
                image,
                other: place(number, images.len()),
                constraint,
            }),
            None => found.displaced.push(Exclusion {
                image,
                other: crate::displaced::key_hash(row.try_get(2).map_err(doing())?)?,
                constraint,
            }),
        }
    }
    Ok(())
}

fn arrays<'a>(table: &Table, constraint: &Constraint, images: &[Row<'a>]) -> Result<Vec<TextArray<'a>>> {
    let array = |column: &ColumnId| {
        let cells = images.iter().map(|row| bytes_of(table, *column, row));
        cells.collect::<Result<Vec<_>>>().map(TextArray)
    };
    sent(table, constraint).iter().map(array).collect()
}

fn bound<'p>(arrays: &'p [TextArray<'_>]) -> Vec<&'p (dyn ToSql + Sync)> {
    arrays.iter().map(|array| array as _).collect()
}

/// The place of a number that counts from 1.
fn place(number: i64, count: usize) -> usize {
    let place = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
    place
        .filter(|place| *place < count)
        .expect("the server answers with the numbers of the images sent")
}

fn standing_row(table: &Table, values: Vec<(ColumnId, Option<Vec<u8>>)>) -> StandingRow {
    let of = |id: &ColumnId| values.iter().find(|(column, _)| column == id);
    let key: Texts = table
        .key
        .iter()
        .map(|id| of(id).and_then(|(_, text)| text.clone()))
        .collect();
    let row = RowId {
        table: table.id,
        key: key_of(table, &key),
    };
    let written = values.into_iter().filter(|(id, _)| table.at(*id).writable);
    StandingRow {
        row,
        key,
        values: written.collect(),
    }
}

/// What a row is known by, of the text of its key.
pub(crate) fn key_of(table: &Table, key: &Texts) -> KeyHash {
    let parts = table.key.iter().zip(key).map(|(id, text)| {
        let text = text.as_deref().unwrap_or_default();
        table.at(*id).class.canonical(text)
    });
    let parts: Vec<Cow<'_, [u8]>> = parts.collect();
    KeyHash::of(parts.iter().map(AsRef::as_ref))
}
