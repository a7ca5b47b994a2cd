use std::process::ExitCode;
use std::sync::Arc;

use synapse_engine_node::{Class, Config};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Runs the node until it is told to stop: 0 stopped, 2 configuration, 1 failed.
pub(crate) async fn run(config: Config) -> ExitCode {
    let (shutdown, reload) = (CancellationToken::new(), Arc::new(Notify::new()));
    tokio::spawn(signals(shutdown.clone(), Arc::clone(&reload)));
    match synapse_engine_node::run(config, shutdown, reload).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the daemon ends");
            eprintln!("error: {error}");
            ExitCode::from(if error.class() == Class::Definite { 2 } else { 1 })
        }
    }
}

/// SIGTERM and SIGINT end the daemon; SIGHUP makes it read its certificate anew.
async fn signals(shutdown: CancellationToken, reload: Arc<Notify>) {
    let kinds = (SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup());
    let (Ok(mut term), Ok(mut int), Ok(mut hup)) = (signal(kinds.0), signal(kinds.1), signal(kinds.2)) else {
        tracing::error!("cannot listen for signals");
        return;
    };
    loop {
        tokio::select! {
            _ = term.recv() => return shutdown.cancel(),
            _ = int.recv() => return shutdown.cancel(),
            _ = hup.recv() => reload.notify_one(),
        }
    }
}
