//! Comparisons: answered whole, or followed line by line.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use futures_util::stream;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Api;
use super::failure::Failure;
use crate::verify::tell::{Event, Tell};
use crate::verify::{self, Verdict, VerifyError, Wanted};

/// How an answer is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// One document at the end.
    #[default]
    Whole,
    /// Lines of JSON as they come: `progress`, `table`, and at last `done` or `failed`.
    Followed,
}

/// `?table=a&table=b`: the names as they are, in the order given; none means every table. `&after=a` goes on behind a
/// table, `&follow=true` gives lines.
pub(super) async fn verify(
    State(api): State<Arc<Api>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(query) = query.map_err(Failure::usage)?;
    let (wanted, form) = read(query)?;
    let (tell, events) = Tell::channel();
    let shared = Arc::clone(&api.shared);
    let work: Work<bool> = Box::pin(async move {
        tokio::select! {
            () = shared.shutdown.cancelled() => Err(stopping()),
            equal = verify::verify(&shared, &wanted, &tell) => Ok(equal?),
        }
    });
    match form {
        Form::Followed => Ok(followed(work, events, |equal| json!({ "equal": equal }))),
        Form::Whole => {
            let (equal, tables) = whole(work, events).await?;
            Ok(Json(Verdict { equal, tables }).into_response())
        }
    }
}

/// A comparison may take hours, and a daemon that is to stop does not wait for it.
fn stopping() -> Failure {
    Failure::unreachable("the daemon is being stopped").hint("go on once it is started again")
}

type Work<T> = BoxFuture<'static, Result<T, Failure>>;

/// Does the work and keeps the tables' results.
async fn whole<T>(work: Work<T>, mut events: mpsc::Receiver<Event>) -> Result<(T, Vec<Box<RawValue>>), Failure> {
    let gather = async {
        let mut tables = Vec::new();
        while let Some(event) = events.recv().await {
            match event {
                Event::Table(table) => tables.push(table),
                Event::Progress(_) => {}
            }
        }
        tables
    };
    let (done, tables) = tokio::join!(work, gather);
    Ok((done?, tables))
}

/// Gives what is said as lines, while the work is done. It ends with the connection.
fn followed<T: Send + 'static>(
    work: Work<T>,
    mut events: mpsc::Receiver<Event>,
    done: impl FnOnce(T) -> serde_json::Value + Send + 'static,
) -> Response {
    let (lines, given) = mpsc::channel::<Bytes>(1);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let told = async {
            while let Some(event) = events.recv().await {
                if lines.send(line(&event)).await.is_err() {
                    return;
                }
            }
        };
        let (ended, ()) = tokio::join!(work, told);
        let last = match ended {
            Ok(value) => json!({ "done": done(value) }),
            Err(failure) => json!({ "failed": failure.document() }),
        };
        // The asker is gone: nobody reads the end.
        let _ = lines.send(line(&last)).await;
    });
    // With the stream the tasks are dropped, and so aborted.
    let lines = stream::unfold((given, tasks), |(mut given, tasks)| async move {
        let line = given.recv().await?;
        Some((Ok::<_, Infallible>(line), (given, tasks)))
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

fn line(value: &impl Serialize) -> Bytes {
    let mut line = serde_json::to_vec(value).expect("events are plain data");
    line.push(b'\n');
    Bytes::from(line)
}

fn read(query: Vec<(String, String)>) -> Result<(Wanted, Form), Failure> {
    let (mut wanted, mut form) = (Wanted::default(), Form::default());
    for (key, value) in query {
        match (key.as_str(), value.as_str()) {
            ("table", _) => wanted.tables.push(value),
            ("after", _) => wanted.after = Some(value),
            ("follow", "true") => form = Form::Followed,
            ("follow", "false") => form = Form::Whole,
            ("follow", _) => return Err(Failure::usage(format!("follow={value}: expected true or false"))),
            _ => {
                let text = format!("unknown parameter {key:?}: expected table, after or follow");
                return Err(Failure::usage(text));
            }
        }
    }
    Ok((wanted, form))
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        let text = error.to_string();
        match error {
            VerifyError::Ask(error) => Failure::from(error),
            VerifyError::Missing { .. } => {
                Failure::unreachable(text).hint("verify compares all nodes: start the others first")
            }
            VerifyError::UnknownTable { .. } => Failure::unknown(text).hint("`synapsectl table list` names them"),
            VerifyError::Unsettled { .. } => Failure::timed_out(text).hint("verify again when less is written"),
        }
    }
}

#[cfg(test)]
mod tests;
