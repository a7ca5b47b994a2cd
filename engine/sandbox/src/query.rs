//! SQL on a node, with results as text or as JSON.

use std::fmt;

use serde::Serialize;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::error::{Error, Result};
use crate::record::NodeRecord;

/// What one statement returned. All values are in PostgreSQL's text form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementResult {
    /// Column names; empty for a statement that returns no rows.
    pub columns: Vec<String>,
    /// The rows; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// Rows returned or changed, as the command tag says.
    pub rows_affected: u64,
}

/// Runs one or more statements on a node, as one implicit transaction (PostgreSQL's simple query protocol).
/// Fails with [`Error::Unreachable`] or with PostgreSQL's own message.
pub async fn run_sql(node: &NodeRecord, database: &str, sql: &str) -> Result<Vec<StatementResult>> {
    let client = connect(node.postgres_port, database, &node.name).await?;
    let messages = client
        .simple_query(sql)
        .await
        .map_err(|error| statement_error(&node.name, error))?;
    Ok(gather(messages))
}

/// A session with a node over TCP, as applications have it.
pub(crate) async fn connect(port: u16, database: &str, node: &str) -> Result<Client> {
    let mut config = Config::new();
    config
        .host("127.0.0.1")
        .port(port)
        .user("postgres")
        .dbname(database)
        .application_name("synapsectl");
    let (client, connection) = config.connect(NoTls).await.map_err(|source| Error::Unreachable {
        what: format!("PostgreSQL of {node} on 127.0.0.1:{port}"),
        source: Some(source),
    })?;
    // The task ends with the client; what goes wrong on the way is reported by the client's calls.
    tokio::spawn(connection);
    Ok(client)
}

pub(crate) fn statement_error(node: &str, error: tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(db) => Error::Statement {
            node: node.to_owned(),
            message: db.message().to_owned(),
            sqlstate: db.code().code().to_owned(),
        },
        None => Error::Unreachable {
            what: format!("PostgreSQL of {node}"),
            source: Some(error),
        },
    }
}

fn gather(messages: Vec<SimpleQueryMessage>) -> Vec<StatementResult> {
    let mut results = Vec::new();
    let (mut columns, mut rows) = (Vec::new(), Vec::new());
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(description) => {
                columns = description.iter().map(|column| column.name().to_owned()).collect();
            }
            SimpleQueryMessage::Row(row) => {
                rows.push((0..row.len()).map(|index| row.get(index).map(str::to_owned)).collect());
            }
            SimpleQueryMessage::CommandComplete(rows_affected) => {
                let (columns, rows) = (std::mem::take(&mut columns), std::mem::take(&mut rows));
                results.push(StatementResult {
                    columns,
                    rows,
                    rows_affected,
                });
            }
            // The driver's enum is open; what it may add carries no rows.
            _ => {}
        }
    }
    results
}

impl fmt::Display for StatementResult {
    /// Aligned as psql does it: a heading, a rule, the rows, their count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.columns.is_empty() {
            return writeln!(f, "({} rows affected)", self.rows_affected);
        }
        let width_of = |(index, name): (usize, &String)| {
            let values = self.rows.iter().map(|row| shown(row, index).chars().count());
            values.max().unwrap_or(0).max(name.chars().count())
        };
        let widths: Vec<usize> = self.columns.iter().enumerate().map(width_of).collect();
        let heading: Vec<String> = self
            .columns
            .iter()
            .zip(&widths)
            .map(|(name, w)| format!(" {name:^w$} "))
            .collect();
        writeln!(f, "{}", heading.join("|").trim_end())?;
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        writeln!(f, "{}", rule.join("+"))?;
        for row in &self.rows {
            let cell = |(index, width): (usize, &usize)| {
                let value = shown(row, index);
                let width = *width;
                if is_number(value) {
                    format!(" {value:>width$} ")
                } else {
                    format!(" {value:<width$} ")
                }
            };
            let cells: Vec<String> = widths.iter().enumerate().map(cell).collect();
            writeln!(f, "{}", cells.join("|").trim_end())?;
        }
        let plural = if self.rows.len() == 1 { "row" } else { "rows" };
        writeln!(f, "({} {plural})", self.rows.len())
    }
}

/// NULL is shown as nothing.
fn shown(row: &[Option<String>], index: usize) -> &str {
    row.get(index).and_then(Option::as_deref).unwrap_or_default()
}

fn is_number(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    digits.starts_with(|c: char| c.is_ascii_digit()) && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
}

#[cfg(test)]
mod tests;
