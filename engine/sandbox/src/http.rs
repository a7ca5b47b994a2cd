//! Questions to a daemon's HTTP API.

use std::time::Duration;

use crate::error::{Error, Result};

/// The longest that one answer may take: the daemon is on the same machine.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// An HTTP answer of any status.
pub(crate) struct Answer {
    /// For example 200 or 503.
    pub(crate) status: u16,
    /// The body as text.
    pub(crate) body: String,
}

/// GETs `url`. Fails when no answer came; a status such as 503 is an answer.
pub(crate) async fn get(url: String) -> Result<Answer> {
    let asked = url.clone();
    let answer = tokio::task::spawn_blocking(move || get_blocking(&asked)).await;
    let lost = |problem: String| Error::Unreachable {
        what: format!("{url}: {problem}"),
        source: None,
    };
    match answer {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(lost(error.to_string())),
        Err(error) => Err(lost(error.to_string())),
    }
}

fn get_blocking(url: &str) -> std::result::Result<Answer, ureq::Error> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(ANSWER_MAX))
        .http_status_as_error(false)
        .build();
    let mut response = ureq::Agent::from(config).get(url).call()?;
    let body = response.body_mut().read_to_string()?;
    Ok(Answer {
        status: response.status().as_u16(),
        body,
    })
}
