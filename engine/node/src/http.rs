//! The HTTP API on loopback: questions are free, changes ask for the token.

mod check;
mod conflicts;
mod failure;
mod join;
mod links;
mod metrics;
mod policies;
mod queries;
mod stops;
mod token;
mod verify;

use std::future::IntoFuture;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::net::TcpListener;

use crate::error::Error;
use crate::shared::Shared;
use crate::status::SlotWatch;

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) shared: Arc<Shared>,
    pub(crate) slot: SlotWatch,
}

/// Answers until the daemon stops; requests that are being answered are answered first.
///
/// # Errors
/// When the listener fails.
pub(crate) async fn run(shared: Arc<Shared>, listener: TcpListener) -> Result<(), Error> {
    let api = Arc::new(Api {
        shared: Arc::clone(&shared),
        slot: SlotWatch::default(),
    });
    let stopping = shared.shutdown.clone().cancelled_owned();
    let serving = axum::serve(listener, router(Arc::clone(&api)))
        .with_graceful_shutdown(stopping)
        .into_future();
    let (served, ()) = tokio::join!(serving, api.slot.run(&shared));
    served.map_err(|source| Error::File {
        action: "serve HTTP for",
        path: shared.config.node.data_dir.clone(),
        source,
    })
}

fn router(api: Arc<Api>) -> Router {
    let changes = Router::new()
        .route("/v1/apply/retry", post(stops::retry))
        .route("/v1/apply/skip", post(stops::skip))
        .route("/v1/node/join", post(join::join))
        .route("/v1/tables/policy", post(policies::set_policy))
        .route("/v1/conflicts/check", post(check::check))
        .route("/v1/link/hold", post(links::hold))
        .route("/v1/link/resume", post(links::resume))
        .route("/v1/repair", post(verify::repair))
        .layer(from_fn_with_state(Arc::clone(&api), token::require));
    Router::new()
        .route("/healthz", get(queries::healthz))
        .route("/readyz", get(queries::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/v1/status", get(queries::status))
        .route("/v1/tables", get(queries::tables))
        .route("/v1/wait", get(queries::wait))
        .route("/v1/verify", get(verify::verify))
        .route("/v1/apply", get(stops::list))
        .route("/v1/conflicts", get(conflicts::list))
        .route("/v1/conflicts/stats", get(conflicts::stats))
        .merge(changes)
        .fallback(failure::nothing_here)
        .with_state(api)
}
