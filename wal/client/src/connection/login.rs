use postgres_protocol::message::frontend;

use super::{Connection, Facts, Kind, ServerVersion, Session, note};
use crate::auth::{Login, Progress};
use crate::dsn::{Dsn, Endpoint};
use crate::error::Error;
use crate::server_error::ServerError;
use crate::socket::{self, ReadHalf, WriteHalf};
use crate::wire::{FrameReader, Outbox};

const LOG_IN: &str = "log in";

/// The name of the password file's database column for a session without a database (libpq's `dbname=replication`).
const PHYSICAL_DATABASE: &str = "replication";

pub(super) async fn connect(dsn: &Dsn, kind: Kind, session: &Session) -> Result<Connection, Error> {
    let endpoints = dsn.endpoints();
    let mut last = Error::UserMissing;
    for endpoint in &endpoints {
        match within_the_limit(dsn, endpoint, kind, session).await {
            Ok(connection) => return Ok(connection),
            Err(error @ (Error::Refused { .. } | Error::Unreachable { .. } | Error::Resolve { .. })) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

async fn within_the_limit(dsn: &Dsn, endpoint: &Endpoint, kind: Kind, session: &Session) -> Result<Connection, Error> {
    let limit = dsn.connect_timeout();
    match tokio::time::timeout(limit, attempt(dsn, endpoint, kind, session)).await {
        Ok(result) => result,
        Err(_) => Err(Error::ConnectTimeout {
            address: endpoint.to_string(),
            after: limit,
        }),
    }
}

async fn attempt(dsn: &Dsn, endpoint: &Endpoint, kind: Kind, session: &Session) -> Result<Connection, Error> {
    let socket = socket::connect(dsn, endpoint).await?;
    let mut frames = FrameReader::new(socket.reader);
    let mut outbox = Outbox::new(socket.writer);
    let parameters = session.startup(dsn, kind);
    let pairs = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    outbox.push(|out| frontend::startup_message(pairs, out))?;
    outbox.flush(LOG_IN).await?;
    let database = match kind {
        Kind::Logical => dsn.database(),
        Kind::Physical => PHYSICAL_DATABASE,
    };
    authenticate(
        dsn,
        Login::new(dsn, database, socket.end_point),
        &mut frames,
        &mut outbox,
    )
    .await?;
    let facts = start(dsn, &mut frames).await?;
    frames.login_done();
    tracing::debug!(%endpoint, version = %facts.version, pid = facts.backend_pid, "a replication session is ready");
    Ok(Connection::resume(frames, outbox, facts))
}

/// Up to `AuthenticationOk`.
async fn authenticate(
    dsn: &Dsn,
    mut login: Login<'_>,
    frames: &mut FrameReader<ReadHalf>,
    outbox: &mut Outbox<WriteHalf>,
) -> Result<(), Error> {
    loop {
        let frame = frames.next(LOG_IN).await?;
        match frame.tag {
            b'R' => {
                let progress = login.answer(&frame, outbox)?;
                outbox.flush(LOG_IN).await?;
                if progress == Progress::Accepted {
                    return Ok(());
                }
            }
            b'N' => note(&frame)?,
            b'E' => return Err(ServerError::read(&mut frame.cursor())?.into_login(dsn.user())),
            _ => return Err(frame.unexpected(LOG_IN)),
        }
    }
}

/// From there to the first `ReadyForQuery`.
async fn start(dsn: &Dsn, frames: &mut FrameReader<ReadHalf>) -> Result<Facts, Error> {
    let mut version = None;
    let mut backend_pid = 0;
    loop {
        let frame = frames.next(LOG_IN).await?;
        let mut cursor = frame.cursor();
        match frame.tag {
            b'S' => {
                let name = cursor.cstr("a parameter's name")?;
                let value = cursor.cstr("a parameter's value")?;
                cursor.end()?;
                if name == b"server_version" {
                    version = Some(ServerVersion::read(&String::from_utf8_lossy(value))?);
                }
            }
            // The secret key behind the pid is for cancel requests, which this client does not send.
            b'K' => backend_pid = cursor.i32("a process id")?,
            b'N' => note(&frame)?,
            b'E' => return Err(ServerError::read(&mut cursor)?.into_login(dsn.user())),
            b'Z' => {
                let missing = Error::Result {
                    command: "the login",
                    expected: "the parameter server_version",
                };
                return Ok(Facts {
                    version: version.ok_or(missing)?,
                    backend_pid,
                });
            }
            _ => return Err(frame.unexpected(LOG_IN)),
        }
    }
}
