//! Comparisons and repairs: answered whole, or followed line by line.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use synapse_engine_identity::NodeId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Api;
use super::failure::Failure;
use crate::repair::{self, By, RepairError, Repaired};
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

/// What a repair is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    tables: Vec<String>,
    /// Whose rows all nodes are to have.
    from: Option<NodeId>,
    /// Instead: each row as the conflict policy would have it.
    #[serde(default)]
    by_policy: bool,
    #[serde(default)]
    confirm: bool,
    after: Option<String>,
    #[serde(default)]
    follow: bool,
}

/// The whole answer to a repair.
#[derive(Serialize)]
struct Answered {
    equal: bool,
    confirmed: bool,
    tables: Vec<Box<RawValue>>,
}

/// Repairs rows that differ, or says what it would do.
pub(super) async fn repair(
    State(api): State<Arc<Api>>,
    body: Result<Json<Asked>, JsonRejection>,
) -> Result<Response, Failure> {
    let Json(asked) = body.map_err(|error| Failure::usage(error.body_text()))?;
    let by = match (asked.from, asked.by_policy) {
        (Some(node), false) => By::Node(node),
        (None, true) => By::Policy,
        (None, false) => return Err(Failure::usage("by what? say from or by_policy")),
        (Some(_), true) => return Err(Failure::usage("say from or by_policy, not both")),
    };
    let wanted = repair::Wanted {
        compare: Wanted {
            tables: asked.tables,
            after: asked.after,
        },
        by,
        consent: if asked.confirm {
            repair::Consent::Given
        } else {
            repair::Consent::Missing
        },
    };
    let (tell, events) = Tell::channel();
    let shared = Arc::clone(&api.shared);
    let work: Work<Repaired> = Box::pin(async move {
        tokio::select! {
            () = shared.shutdown.cancelled() => Err(stopping()),
            repaired = repair::repair(&shared, &wanted, &tell) => Ok(repaired?),
        }
    });
    if asked.follow {
        return Ok(followed(work, events, |done| json!(done)));
    }
    let (Repaired { equal, confirmed }, tables) = whole(work, events).await?;
    let answered = Answered {
        equal,
        confirmed,
        tables,
    };
    Ok(Json(answered).into_response())
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

impl From<RepairError> for Failure {
    fn from(error: RepairError) -> Self {
        let text = error.to_string();
        match error {
            RepairError::Verify(error) => Failure::from(error),
            RepairError::UnknownNode { .. } => Failure::unknown(text).hint("`synapsectl status` names the peers"),
            RepairError::Refused { hint, .. } => Failure::refused(text).hint(hint),
            RepairError::Rows { .. } => Failure::unreachable(text)
                .hint("none of these rows was changed; what was repaired before stays repaired"),
        }
    }
}

#[cfg(test)]
mod tests;
