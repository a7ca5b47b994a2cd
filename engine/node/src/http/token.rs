use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;

use super::Api;
use super::failure::Failure;

/// Lets a change pass only with `Authorization: Bearer` and the token of the token file, which is read each time: a new
/// token is in force as soon as it is written.
pub(crate) async fn require(State(api): State<Arc<Api>>, request: Request, next: Next) -> Result<Response, Failure> {
    let path = &api.shared.config.api.token_file;
    let file = tokio::fs::read_to_string(path).await;
    let expected = file.map_err(|error| Failure::token(format!("cannot read {}: {error}", path.display())))?;
    let given = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    if !is_same(given.trim(), expected.trim()) {
        return Err(Failure::token("changes ask for a token").hint("give --token-file, or set $SYNAPSE_TOKEN_FILE"));
    }
    Ok(next.run(request).await)
}

/// Compares without telling by its time how much was right. No token is never the right one.
fn is_same(given: &str, expected: &str) -> bool {
    let (given, expected) = (given.as_bytes(), expected.as_bytes());
    if expected.is_empty() || given.len() != expected.len() {
        return false;
    }
    let differing = given
        .iter()
        .zip(expected)
        .fold(0, |sum, (a, b)| std::hint::black_box(sum | (a ^ b)));
    differing == 0
}

#[cfg(test)]
mod tests;
