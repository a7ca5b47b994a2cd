//! The login: what the server asks, and what it gets.

mod scram;

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::message::frontend;
use tokio::io::AsyncWrite;

use crate::dsn::{ChannelBinding, Dsn, Password};
use crate::error::Error;
use crate::wire::{Frame, Outbox};
use scram::{Scram, choose};

/// Where the login stands.
enum Stage {
    /// Nothing has been asked that we could have answered.
    Open,
    /// The server has our password, or its digest.
    Answered,
    /// The exchange is under way; the server has not proven anything.
    Proving(Scram),
    /// The server has proven that it knows the password.
    Proven {
        /// And that it is the other end of this TLS connection.
        bound: bool,
    },
}

/// Whether the server is content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It has more to ask.
    Asked,
    /// `AuthenticationOk`.
    Accepted,
}

/// The client's side of one login.
pub(crate) struct Login<'a> {
    dsn: &'a Dsn,
    /// The name in the password file's database column.
    database: &'a str,
    end_point: Option<Vec<u8>>,
    stage: Stage,
}

impl<'a> Login<'a> {
    pub(crate) fn new(dsn: &'a Dsn, database: &'a str, end_point: Option<Vec<u8>>) -> Self {
        Login {
            dsn,
            database,
            end_point,
            stage: Stage::Open,
        }
    }

    /// Answers one authentication request (`R`); the answer stands in `outbox` afterwards.
    pub(crate) fn answer<W: AsyncWrite + Unpin>(
        &mut self,
        frame: &Frame,
        outbox: &mut Outbox<W>,
    ) -> Result<Progress, Error> {
        let mut cursor = frame.cursor();
        let request = cursor.i32("an authentication request")?;
        let stage = std::mem::replace(&mut self.stage, Stage::Open);
        self.stage = match (request, stage) {
            (0, stage) => {
                cursor.end()?;
                return self.accepted(&stage);
            }
            (3, Stage::Open) => {
                let password = self.password_in_the_clear()?;
                outbox.push(|out| frontend::password_message(password.expose().as_bytes(), out))?;
                Stage::Answered
            }
            (5, Stage::Open) => {
                let mut salt = [0; 4];
                salt.copy_from_slice(cursor.take(4, "a salt of four bytes")?);
                let password = self.password_in_the_clear()?;
                let digest = md5_hash(self.dsn.user().as_bytes(), password.expose().as_bytes(), salt);
                outbox.push(|out| frontend::password_message(digest.as_bytes(), out))?;
                Stage::Answered
            }
            (10, Stage::Open) => {
                let choice = choose(&mut cursor, self.end_point.take(), self.dsn.channel_binding())?;
                let scram = Scram::new(choice, &self.password()?);
                outbox.push(|out| scram.begin(out))?;
                Stage::Proving(scram)
            }
            (11, Stage::Proving(mut scram)) => {
                scram.challenge(cursor.rest())?;
                outbox.push(|out| scram.reply(out))?;
                Stage::Proving(scram)
            }
            (12, Stage::Proving(scram)) => Stage::Proven {
                bound: scram.finish(cursor.rest())?,
            },
            (2 | 6 | 7 | 8 | 9, _) => {
                return Err(Error::AuthMethod {
                    method: "Kerberos, GSSAPI or SSPI".to_owned(),
                });
            }
            _ => return Err(frame.unexpected("log in")),
        };
        Ok(Progress::Asked)
    }

    /// A server that breaks off a SCRAM exchange and lets us in has not proven who it is.
    fn accepted(&self, stage: &Stage) -> Result<Progress, Error> {
        let required = self.dsn.channel_binding() == ChannelBinding::Require;
        match stage {
            Stage::Proven { bound: true } => Ok(Progress::Accepted),
            Stage::Open | Stage::Answered | Stage::Proven { bound: false } if required => Err(Error::ChannelBinding),
            Stage::Open | Stage::Answered | Stage::Proven { bound: false } => Ok(Progress::Accepted),
            Stage::Proving(_) => Err(Error::Unexpected {
                during: "prove the password by SCRAM",
                tag: 'R',
            }),
        }
    }

    fn password(&self) -> Result<Password, Error> {
        let found = self.dsn.password_for(self.database)?;
        found.ok_or_else(|| Error::PasswordMissing {
            user: self.dsn.user().to_owned(),
        })
    }

    fn password_in_the_clear(&self) -> Result<Password, Error> {
        if self.dsn.channel_binding() == ChannelBinding::Require {
            return Err(Error::ChannelBinding);
        }
        self.password()
    }
}

#[cfg(test)]
mod tests;
