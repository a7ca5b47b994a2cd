//! What the repairing transaction itself sees of rows.

use std::collections::BTreeMap;

use synapse_engine_setup::Catalog;
use tokio_postgres::Transaction;

use crate::error::Error;
use crate::frames::{Digest, RowKey, RowValues, TablePart};
use crate::verify::compare::Readings;
use crate::verify::{read, statement};

/// Each of these keys, in their order.
pub(super) async fn readings(
    transaction: &Transaction<'_>,
    part: &TablePart,
    catalog: &Catalog,
    keys: &[RowKey],
) -> Result<Readings, Error> {
    let columns = read::by_column(part, keys)?;
    let sql = statement::rows(part, catalog);
    let rows = transaction.query(&sql, &read::parameters(&columns)).await?;
    let found = rows.iter().map(|row| read::key_and_digest(row, part));
    let found: BTreeMap<RowKey, Digest> = found.collect::<Result<_, Error>>()?;
    Ok(keys.iter().map(|key| found.get(key).copied()).collect())
}

/// The values of these keys.
pub(super) async fn values(
    transaction: &Transaction<'_>,
    part: &TablePart,
    catalog: &Catalog,
    keys: &[RowKey],
) -> Result<BTreeMap<RowKey, RowValues>, Error> {
    let columns = read::by_column(part, keys)?;
    let sql = statement::values(part, catalog);
    let rows = transaction.query(&sql, &read::parameters(&columns)).await?;
    let width = read::key_width(part);
    let values = rows.iter().map(|row| {
        let values = read::row_values(row, width)?;
        Ok((values.key.clone(), values))
    });
    values.collect()
}
