//! The rows of this node's server, as they are compared.

use futures_util::{StreamExt, pin_mut};
use tokio::sync::mpsc;
use tokio_postgres::types::ToSql;
use tokio_postgres::{CancelToken, Client, Row, RowStream};

use super::statement;
use crate::error::Error;
use crate::frames::{Answer, Digest, RowKey, RowValues, TablePart};
use crate::shared::Shared;
use crate::sql;

/// Rows in one part of an answer.
const PART_ROWS: usize = 1_000;
/// A value's JSON is cut off beyond this, in bytes: it is shown by its length anyway.
const JSON_MAX: usize = 8 << 10;

/// A session that reads; when the asker is gone its statement is cancelled.
pub(crate) struct Reader {
    client: Client,
    cancel: Option<(CancelToken, sql::Tls)>,
}

impl Reader {
    pub(crate) async fn connect(shared: &Shared) -> Result<Self, Error> {
        let client = sql::connect(shared, "verify").await?;
        // A policy that hides rows from us would be a difference that nobody sees.
        client
            .batch_execute("SET row_security = off; SET default_transaction_read_only = on")
            .await?;
        let tls = sql::server(&shared.config.postgres.dsn)?.tls;
        let cancel = Some((client.cancel_token(), tls));
        Ok(Reader { client, cancel })
    }

    pub(crate) async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<RowStream, Error> {
        Ok(self.client.query_raw(sql, parameters.iter().copied()).await?)
    }

    /// Nothing runs any more.
    pub(crate) fn done(mut self) {
        self.cancel = None;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some((cancel, tls)) = self.cancel.take() {
            tokio::spawn(async move { cancel.cancel_query(tls).await });
        }
    }
}

/// One digest for each bucket that is not empty.
pub(crate) async fn digests(
    shared: &Shared,
    part: &TablePart,
    buckets: u32,
    parts: &mpsc::Sender<Answer>,
) -> Result<(), Error> {
    check_buckets(buckets)?;
    let reader = Reader::connect(shared).await?;
    let rows = reader.query(&statement::digests(part, buckets), &[]).await?;
    let read = |row: &Row| {
        let (bucket, count): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        let bucket = u32::try_from(bucket).map_err(|_| unexpected("a bucket"))?;
        Ok((
            bucket,
            Digest {
                rows: positive(count)?,
                high: half(row.try_get(2)?)?,
                low: half(row.try_get(3)?)?,
            },
        ))
    };
    give(rows, parts, read, Answer::Digests).await?;
    reader.done();
    Ok(())
}

/// The keys of some buckets, each with the digest of its row.
pub(crate) async fn keys(
    shared: &Shared,
    part: &TablePart,
    buckets: u32,
    wanted: &[u32],
    parts: &mpsc::Sender<Answer>,
) -> Result<(), Error> {
    check_buckets(buckets)?;
    let wanted: Vec<i64> = wanted.iter().map(|bucket| i64::from(*bucket)).collect();
    let reader = Reader::connect(shared).await?;
    let rows = reader.query(&statement::keys(part, buckets), &[&wanted]).await?;
    give(rows, parts, |row| key_and_digest(row, part), Answer::Rows).await?;
    reader.done();
    Ok(())
}

/// The digests of the rows with these keys.
pub(crate) async fn rows(
    shared: &Shared,
    part: &TablePart,
    keys: &[RowKey],
    parts: &mpsc::Sender<Answer>,
) -> Result<(), Error> {
    let sql = statement::rows(part, &shared.directory().catalog);
    let columns = by_column(part, keys)?;
    let reader = Reader::connect(shared).await?;
    let rows = reader.query(&sql, &parameters(&columns)).await?;
    give(rows, parts, |row| key_and_digest(row, part), Answer::Rows).await?;
    reader.done();
    Ok(())
}

/// The values of the rows with these keys.
pub(crate) async fn values(
    shared: &Shared,
    part: &TablePart,
    keys: &[RowKey],
    parts: &mpsc::Sender<Answer>,
) -> Result<(), Error> {
    let sql = statement::values(part, &shared.directory().catalog);
    let columns = by_column(part, keys)?;
    let reader = Reader::connect(shared).await?;
    let rows = reader.query(&sql, &parameters(&columns)).await?;
    let width = key_width(part);
    give(rows, parts, |row| row_values(row, width), Answer::Values).await?;
    reader.done();
    Ok(())
}

/// Reads rows and gives them in parts, as fast as they are taken.
pub(crate) async fn give<T>(
    rows: RowStream,
    parts: &mpsc::Sender<Answer>,
    read: impl Fn(&Row) -> Result<T, Error>,
    answer: impl Fn(Vec<T>) -> Answer,
) -> Result<(), Error> {
    pin_mut!(rows);
    let mut part = Vec::new();
    while let Some(row) = rows.next().await {
        part.push(read(&row?)?);
        if part.len() >= PART_ROWS && parts.send(answer(std::mem::take(&mut part))).await.is_err() {
            return Err(Error::Refused("the answer is not wanted any more".to_owned()));
        }
    }
    if !part.is_empty() {
        // Nobody listens any more: the answer is complete anyway.
        let _ = parts.send(answer(part)).await;
    }
    Ok(())
}

/// A row of [`statement::values`].
pub(crate) fn row_values(row: &Row, width: usize) -> Result<RowValues, Error> {
    let columns: Vec<String> = row.try_get(width + 1)?;
    Ok(RowValues {
        key: key(row, width)?,
        key_json: row.try_get(width)?,
        columns: columns.into_iter().map(shortened).collect(),
        digests: row.try_get(width + 2)?,
    })
}

/// A row of [`statement::rows`].
pub(crate) fn key_and_digest(row: &Row, part: &TablePart) -> Result<(RowKey, Digest), Error> {
    let width = key_width(part);
    let digest = Digest::of_row(row.try_get(width)?).ok_or_else(|| unexpected("a digest"))?;
    let rows = positive(row.try_get(width + 1)?)?;
    Ok((key(row, width)?, Digest { rows, ..digest }))
}

pub(crate) fn key_width(part: &TablePart) -> usize {
    part.key.len().max(1)
}

pub(crate) fn key(row: &Row, width: usize) -> Result<RowKey, Error> {
    Ok((0..width).map(|at| row.try_get(at)).collect::<Result<_, _>>()?)
}

/// One list of texts for each column of the key.
pub(crate) fn by_column<'a>(part: &TablePart, keys: &'a [RowKey]) -> Result<Vec<Vec<&'a str>>, Error> {
    let width = key_width(part);
    let mut columns = vec![Vec::with_capacity(keys.len()); width];
    for key in keys {
        if key.len() != width {
            return Err(Error::Refused(format!(
                "a key of {} parts for a table whose key has {width}",
                key.len()
            )));
        }
        for (column, text) in columns.iter_mut().zip(key) {
            column.push(text.as_str());
        }
    }
    Ok(columns)
}

pub(crate) fn parameters<'a>(columns: &'a [Vec<&'a str>]) -> Vec<&'a (dyn ToSql + Sync)> {
    columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect()
}

fn shortened(json: String) -> String {
    if json.len() <= JSON_MAX {
        return json;
    }
    serde_json::Value::from(format!("({} bytes)", json.len())).to_string()
}

/// A sum of signed halves as the server adds them, modulo 2^64.
fn half(text: &str) -> Result<u64, Error> {
    let sum: i128 = text.parse().map_err(|_| unexpected("a sum"))?;
    let low = sum.rem_euclid(1 << 64);
    u64::try_from(low).map_err(|_| unexpected("a sum"))
}

fn positive(count: i64) -> Result<u64, Error> {
    u64::try_from(count).map_err(|_| unexpected("a count"))
}

fn unexpected(what: &str) -> Error {
    Error::Refused(format!("the server gave what is not {what}"))
}

fn check_buckets(buckets: u32) -> Result<(), Error> {
    if buckets.is_power_of_two() {
        return Ok(());
    }
    Err(Error::Refused(format!("{buckets} buckets: expected a power of two")))
}

#[cfg(test)]
mod tests;
