use tokio_postgres::Client;

use crate::sweep::Change;
use crate::{Error, Result, align_sequences, sql};

/// How far a sequence has come on some node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The last value that it handed out, or the one that is next.
    pub last: i64,
}

/// How far every sequence has come. The value that one is to hand out next counts as well: what lies below it may have been
/// handed out before the sequence was moved there.
///
/// # Errors
/// PostgreSQL's own; a sequence that is dropped meanwhile among them.
pub async fn drawn_sequences(client: &Client) -> Result<Vec<Drawn>> {
    let doing = || Error::doing("read the sequences");
    let sql = "SELECT schemaname::text, sequencename::text FROM pg_catalog.pg_sequences \
                WHERE schemaname <> 'synapse' ORDER BY 1, 2";
    let mut drawn = Vec::new();
    for row in client.query(sql, &[]).await.map_err(doing())? {
        let (schema, name): (String, String) = (row.get(0), row.get(1));
        let relation = format!("{}.{}", sql::identifier(&schema), sql::identifier(&name));
        let sql = format!("SELECT last_value FROM {relation}");
        let last = client.query_one(&sql, &[]).await.map_err(doing())?.get(0);
        drawn.push(Drawn { schema, name, last });
    }
    Ok(drawn)
}

/// Moves this node's sequences of the same names beyond what they have handed out elsewhere, each to this node's own
/// values; a sequence that is farther already stays. Answers what was moved to own values.
///
/// # Errors
/// PostgreSQL's own; the database must be set up.
pub async fn pass_sequences(client: &mut Client, drawn: &[Drawn]) -> Result<Vec<Change>> {
    let sql = "SELECT setval(c.oid::regclass, $3, true) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid, \
              LATERAL (SELECT pg_catalog.pg_sequence_last_value(c.oid::regclass) AS last) here \
        WHERE n.nspname = $1::text::name AND c.relname = $2::text::name AND $3 BETWEEN s.seqmin AND s.seqmax \
          AND (here.last IS NULL OR sign(s.seqincrement) * ($3::numeric - here.last) > 0)";
    for Drawn { schema, name, last } in drawn {
        client
            .execute(sql, &[schema, name, last])
            .await
            .map_err(Error::doing("move a sequence on"))?;
    }
    align_sequences(client).await
}
