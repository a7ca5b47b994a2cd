//! Policies that are set from SQL: `synapse.set_conflict_policy` asks in a logical message that does not wait for its
//! transaction, and is answered in a row of `synapse.answer`. Anybody may write such messages: the database says which
//! request a session waits for (`engine/setup/sql/policy.sql`).

use std::sync::Arc;

use serde::Deserialize;
use synapse_wal_pgoutput::LogicalMessage;
use tokio::sync::{Mutex, mpsc};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::set::{SetError, Wanted, set_and_wait};
use crate::error::Error;
use crate::shared::Shared;
use crate::sql;

/// Whose messages they are.
const PREFIX: &str = "synapse-request";
/// Requests that wait: one session asks at a time, and again every few seconds.
const WAITING_MAX: usize = 16;

/// What capture has heard, on its way to who answers it.
#[derive(Debug)]
pub(crate) struct Requests {
    sender: mpsc::Sender<String>,
    receiver: Mutex<mpsc::Receiver<String>>,
}

/// What `synapse.set_conflict_policy` asks for.
#[derive(Debug, Deserialize)]
struct Request {
    id: String,
    role: String,
    schema: String,
    table: String,
    policy: String,
}

impl Default for Requests {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        Requests {
            sender,
            receiver: Mutex::new(receiver),
        }
    }
}

impl Requests {
    /// Takes a message of the stream, if it is a request. Nothing waits for it here.
    pub(crate) fn hear(&self, message: &LogicalMessage<'_>) {
        if message.prefix != PREFIX || message.transactional {
            return;
        }
        let text = String::from_utf8_lossy(message.content).into_owned();
        if self.sender.try_send(text).is_err() {
            tracing::warn!("a request of synapse.set_conflict_policy is left out: too many came at once");
        }
    }
}

/// Answers requests until the daemon stops.
///
/// # Errors
/// None: who waits for an answer that cannot be given says so.
pub(crate) async fn run(shared: Arc<Shared>) -> Result<(), Error> {
    let mut requests = shared.requests.receiver.lock().await;
    loop {
        let text = tokio::select! {
            () = shared.shutdown.cancelled() => return Ok(()),
            text = requests.recv() => text,
        };
        let Some(text) = text else { return Ok(()) };
        let answered = tokio::select! {
            () = shared.shutdown.cancelled() => return Ok(()),
            answered = answer(&shared, &text) => answered,
        };
        if let Err(error) = answered {
            tracing::warn!(%error, "cannot answer a request of synapse.set_conflict_policy");
        }
    }
}

async fn answer(shared: &Arc<Shared>, text: &str) -> Result<(), Error> {
    let client = sql::connect(shared, "policy request").await?;
    if !waits(&client, text).await? {
        tracing::debug!("a request for a conflict policy is left alone: no session waits for it");
        return Ok(());
    }
    let request: Request = serde_json::from_str(text).map_err(|error| {
        Error::Refused(format!(
            "synapse.set_conflict_policy asks for what is not understood: {error}"
        ))
    })?;
    if !take_up(&client, &request.id).await? {
        return Ok(());
    }
    let Request {
        role, schema, table, ..
    } = &request;
    // Who gives up withdraws the request, and then looks whether it was taken up.
    if !waits(&client, text).await? {
        let withdrawn = "the request was withdrawn before it was taken up: nothing has changed, on no node";
        return failed(&client, &request.id, (withdrawn, None), &SqlState::QUERY_CANCELED).await;
    }
    tracing::info!(
        role,
        schema,
        table,
        policy = request.policy,
        "a conflict policy is asked for in SQL"
    );
    match set_and_wait(shared, schema, table, Wanted::Policy(request.policy.clone())).await {
        Ok(change) => done(&client, &request.id, &change.to_string()).await,
        Err(error) => failed(&client, &request.id, (&error.to_string(), error.hint()), code(&error)).await,
    }
}

async fn waits(client: &Client, text: &str) -> Result<bool, Error> {
    let row = client.query_one("SELECT synapse.request_waits($1)", &[&text]).await?;
    Ok(row.try_get(0)?)
}

/// Notes that the request is being dealt with; answers whether that is news.
async fn take_up(client: &Client, id: &str) -> Result<bool, Error> {
    let sql = "INSERT INTO synapse.answer AS a (request) VALUES ($1) ON CONFLICT (only_row) DO UPDATE \
               SET request = excluded.request, done = NULL, error = NULL, hint = NULL, code = NULL \
               WHERE a.request <> excluded.request";
    Ok(client.execute(sql, &[&id]).await? == 1)
}

async fn done(client: &Client, id: &str, done: &str) -> Result<(), Error> {
    let sql = "UPDATE synapse.answer SET done = $2 WHERE request = $1";
    client.execute(sql, &[&id, &done]).await?;
    Ok(())
}

async fn failed(client: &Client, id: &str, (error, hint): (&str, Option<&str>), code: &SqlState) -> Result<(), Error> {
    let sql = "UPDATE synapse.answer SET error = $2, hint = $3, code = $4 WHERE request = $1";
    client.execute(sql, &[&id, &error, &hint, &code.code()]).await?;
    Ok(())
}

/// As which the function raises it.
fn code(error: &SetError) -> &'static SqlState {
    match error {
        SetError::Invalid(_) | SetError::Rule(_) => &SqlState::INVALID_PARAMETER_VALUE,
        SetError::Missing { .. } | SetError::Problems { .. } | SetError::Refused { .. } => {
            &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE
        }
        SetError::Ask(_) | SetError::Failed(_) => &SqlState::CONNECTION_EXCEPTION,
    }
}
