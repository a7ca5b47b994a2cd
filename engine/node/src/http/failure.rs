use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::answer::AskError;
use crate::error::Error;

/// A request that is not answered as asked: `{"error": …, "hint": …}`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    status: StatusCode,
    body: Body,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Body {
    error: String,
    hint: Option<String>,
}

impl Failure {
    fn new(status: StatusCode, error: impl ToString) -> Self {
        Failure {
            status,
            body: Body {
                error: error.to_string(),
                hint: None,
            },
        }
    }

    /// 400: what was asked makes no sense.
    pub(crate) fn usage(error: impl ToString) -> Self {
        Failure::new(StatusCode::BAD_REQUEST, error)
    }

    /// 401: no token, or not the right one.
    pub(crate) fn token(error: impl ToString) -> Self {
        Failure::new(StatusCode::UNAUTHORIZED, error)
    }

    /// 404: what was named does not exist.
    pub(crate) fn unknown(error: impl ToString) -> Self {
        Failure::new(StatusCode::NOT_FOUND, error)
    }

    /// 409: not in this state, or not without being confirmed.
    pub(crate) fn refused(error: impl ToString) -> Self {
        Failure::new(StatusCode::CONFLICT, error)
    }

    /// 502: somebody else has to answer for this, and does not.
    pub(crate) fn unreachable(error: impl ToString) -> Self {
        Failure::new(StatusCode::BAD_GATEWAY, error)
    }

    /// 504: it took too long.
    pub(crate) fn timed_out(error: impl ToString) -> Self {
        Failure::new(StatusCode::GATEWAY_TIMEOUT, error)
    }

    /// As part of an answer that has begun: with the status that it would have had.
    pub(crate) fn document(&self) -> serde_json::Value {
        let Failure {
            status,
            body: Body { error, hint },
        } = self;
        serde_json::json!({ "status": status.as_u16(), "error": error, "hint": hint })
    }

    /// Says what would help.
    pub(crate) fn hint(mut self, hint: &str) -> Self {
        self.body.hint = Some(hint.to_owned());
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error)
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Failure::unreachable(error).hint(AskError::HINT)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

/// For every path that is not served.
pub(crate) async fn nothing_here() -> Failure {
    Failure::unknown("there is nothing at this path")
}
