//! The daemon's API, asked over plain HTTP on loopback.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use synapse_engine_node::Config;

use crate::exit::{Exit, Failure};

/// The longest that an ordinary answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer that is read, in bytes: 100 differences of wide rows.
const BODY_MAX: u64 = 64 << 20;

/// Which daemon, and by what right.
#[derive(Args, Debug, Default)]
pub(crate) struct Reach {
    /// The daemon's API, like http://127.0.0.1:7402 [default: from --config, else $SYNAPSE_API]
    #[arg(long, global = true, value_name = "URL")]
    api: Option<String>,
    /// The daemon's configuration file
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The file with the token that changes ask for [default: from --config, else $SYNAPSE_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// An answer, whatever its status.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    hint: Option<String>,
}

impl Reach {
    /// The configuration of `--config`.
    pub(crate) fn config(&self) -> anyhow::Result<Option<Config>> {
        let load = |path: &PathBuf| Config::load(path).map_err(|error| Failure::new(Exit::Usage, error.to_string()));
        Ok(self.config.as_ref().map(load).transpose()?)
    }

    fn url(&self, path: &str) -> anyhow::Result<String> {
        let base = match (&self.api, self.config()?) {
            (Some(api), _) => api.clone(),
            (None, Some(config)) => format!("http://{}", config.api.listen),
            (None, None) => environment("SYNAPSE_API").ok_or_else(|| {
                Failure::new(Exit::Usage, "which daemon? none was named")
                    .hint("give --api or --config, or set $SYNAPSE_API")
            })?,
        };
        let base = base.trim_end_matches('/');
        let base = if base.contains("://") {
            base.to_owned()
        } else {
            format!("http://{base}")
        };
        Ok(format!("{base}{path}"))
    }

    fn token(&self) -> anyhow::Result<String> {
        let file = match (&self.token_file, self.config()?) {
            (Some(file), _) => file.clone(),
            (None, Some(config)) => config.api.token_file,
            (None, None) => environment("SYNAPSE_TOKEN_FILE").map(PathBuf::from).ok_or_else(|| {
                Failure::new(Exit::Usage, "changes ask for a token")
                    .hint("give --token-file or --config, or set $SYNAPSE_TOKEN_FILE")
            })?,
        };
        let token = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(token.trim().to_owned())
    }

    /// Asks; any status is an answer.
    pub(crate) fn get(&self, path: &str, patience: Duration) -> anyhow::Result<Reply> {
        let url = self.url(path)?;
        let answer = agent(patience).get(&url).call();
        reply(&url, answer)
    }

    /// Asks, and reads the answer, which must be a good one.
    pub(crate) fn ask<T: DeserializeOwned>(&self, path: &str, patience: Duration) -> anyhow::Result<(T, String)> {
        self.get(path, patience)?.parse()
    }

    /// A question whose answer comes line by line.
    pub(crate) fn question(&self, path: &str) -> anyhow::Result<Call> {
        Ok(Call {
            url: self.url(path)?,
            change: None,
        })
    }

    /// A change whose answer comes line by line.
    pub(crate) fn changing(&self, path: &str, body: &serde_json::Value) -> anyhow::Result<Call> {
        Ok(Call {
            url: self.url(path)?,
            change: Some((self.token()?, body.to_string())),
        })
    }

    /// Changes something.
    pub(crate) fn change<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<(T, String)> {
        let url = self.url(path)?;
        let request = post(&agent(PATIENCE), &url, &self.token()?);
        reply(&url, request.send(body.to_string()))?.parse()
    }
}

/// What is asked of a daemon: ready to be sent from another thread.
#[derive(Debug)]
pub(crate) struct Call {
    url: String,
    /// The token, and what is to be changed.
    change: Option<(String, String)>,
}

impl Call {
    /// Asks, and gives the answer's lines to `take` as they come, until it wants no more.
    pub(crate) fn follow(self, patience: Duration, mut take: impl FnMut(String) -> bool) -> anyhow::Result<()> {
        let Call { url, change } = self;
        let agent = agent(patience);
        let answer = match change {
            None => agent.get(&url).call(),
            Some((token, body)) => post(&agent, &url, &token).send(body),
        };
        let mut answer = answer.map_err(|error| lost(&url, error))?;
        let status = answer.status().as_u16();
        if Exit::of_status(status) != Exit::Done {
            let body = read(&mut answer).map_err(|error| lost(&url, error))?;
            return Err(Reply { status, body }.refusal(Exit::of_status(status)).into());
        }
        let lines = answer.body_mut().with_config().limit(u64::MAX).reader();
        let mut lines = BufReader::new(lines);
        loop {
            let mut line = String::new();
            let read = lines.by_ref().take(BODY_MAX).read_line(&mut line);
            match read {
                Ok(0) => return Ok(()),
                Ok(_) if take(line) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(Failure::new(Exit::Unreachable, format!("{url}: {error}")).into()),
            }
        }
    }
}

fn post(agent: &ureq::Agent, url: &str, token: &str) -> ureq::RequestBuilder<ureq::typestate::WithBody> {
    agent
        .post(url)
        .header("Authorization", format!("Bearer {token}"))
        .header("Content-Type", "application/json")
}

impl Reply {
    /// The body as `T` and as it came; a failure in the daemon's words when the status is none of success.
    fn parse<T: DeserializeOwned>(self) -> anyhow::Result<(T, String)> {
        match Exit::of_status(self.status) {
            Exit::Done => {
                let value = serde_json::from_str(&self.body).context("cannot read the daemon's answer")?;
                Ok((value, self.body))
            }
            exit @ (Exit::No | Exit::Usage | Exit::Unreachable | Exit::TimedOut | Exit::Refused) => {
                Err(self.refusal(exit).into())
            }
        }
    }

    fn refusal(&self, exit: Exit) -> Failure {
        match serde_json::from_str::<Refusal>(&self.body) {
            Ok(Refusal {
                error,
                hint: Some(hint),
            }) => Failure::new(exit, error).hint(hint),
            Ok(Refusal { error, hint: None }) => Failure::new(exit, error),
            Err(_) => Failure::new(
                exit,
                format!("the daemon answered {} {}", self.status, self.body.trim()),
            ),
        }
    }
}

fn agent(patience: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(patience))
        .http_status_as_error(false);
    config.build().into()
}

fn reply(url: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> anyhow::Result<Reply> {
    let mut answer = answer.map_err(|error| lost(url, error))?;
    let body = read(&mut answer).map_err(|error| lost(url, error))?;
    Ok(Reply {
        status: answer.status().as_u16(),
        body,
    })
}

fn read(answer: &mut ureq::http::Response<ureq::Body>) -> Result<String, ureq::Error> {
    answer.body_mut().with_config().limit(BODY_MAX).read_to_string()
}

fn lost(url: &str, error: ureq::Error) -> Failure {
    Failure::new(Exit::Unreachable, format!("{url}: {error}")).hint("is synapsed running there?")
}

/// A variable that is set and not empty: make exports what nobody has set as empty.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A text as part of a URL's query.
pub(crate) fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests;
