//! Connection strings: what libpq takes, in both of its forms.

mod endpoint;
mod files;
mod keywords;
mod password;
mod settings;
mod url;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

pub use endpoint::Endpoint;
pub(crate) use files::{read, read_private};
pub use password::Password;
pub use settings::{ChannelBinding, RootCertificates, SslMode};

use crate::error::Error;
use settings::Settings;

/// How long a connection attempt may take when `connect_timeout` is absent or 0 (libpq would wait for the kernel's
/// own limit, two minutes and more, which hides a dead host from its supervisor).
pub const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// Where a PostgreSQL server is and how to log in: libpq's `keyword=value` form or a `postgresql://` URL.
///
/// Known keywords: `host`, `hostaddr`, `port`, `user`, `dbname`, `password`, `passfile`, `sslmode`, `sslrootcert`,
/// `sslcert`, `sslkey`, `channel_binding`, `application_name`, `fallback_application_name`, `connect_timeout` and
/// `options`; any other is an error, and so is a list of hosts: a replication stream belongs to one server. `Debug` and
/// `Display` never show the password; `Display` is a connection string again.
#[derive(Clone, PartialEq, Eq)]
pub struct Dsn {
    settings: Settings,
    user: String,
}

impl Dsn {
    fn parse(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let pairs = if let Some((scheme, rest)) = url::split_scheme(text) {
            url::parse(rest, scheme)?
        } else {
            keywords::parse(text)?
        };
        let mut settings = Settings::default();
        for (keyword, value) in pairs {
            settings.set(&keyword, value)?;
        }
        settings.check()?;
        let named = settings.user.clone();
        let user = named
            .or_else(|| ["PGUSER", "USER", "LOGNAME"].iter().find_map(|name| environment(name)))
            .ok_or(Error::UserMissing)?;
        Ok(Dsn { settings, user })
    }

    /// The places to try, in this order. Without `host` and `hostaddr`: the socket in `/var/run/postgresql`, then
    /// `localhost`. A host that starts with `/` is the directory of a Unix socket.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        endpoint::of(&self.settings)
    }

    /// The port, 5432 unless given; for a Unix socket, the number in its file name.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.settings.port()
    }

    /// The user to log in as; `PGUSER` or the system's `USER` or `LOGNAME` when the string had none.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The database; the user's name when the string had none, as in libpq.
    #[must_use]
    pub fn database(&self) -> &str {
        self.settings.database.as_deref().unwrap_or(&self.user)
    }

    /// The same server and login, another database.
    #[must_use]
    pub fn with_database(mut self, database: impl Into<String>) -> Self {
        self.settings.database = Some(database.into()).filter(|database| !database.is_empty());
        self
    }

    /// The name that `pg_stat_activity` and `synchronous_standby_names` see.
    #[must_use]
    pub fn application_name(&self) -> Option<&str> {
        self.settings
            .application_name
            .as_deref()
            .or(self.settings.fallback_application_name.as_deref())
    }

    /// The same server and login under another name.
    #[must_use]
    pub fn with_application_name(mut self, name: impl Into<String>) -> Self {
        self.settings.application_name = Some(name.into()).filter(|name| !name.is_empty());
        self
    }

    /// `options`: command-line options for the server's session, as libpq passes them.
    #[must_use]
    pub fn options(&self) -> Option<&str> {
        self.settings.options.as_deref()
    }

    /// How long one attempt may take, from name resolution to a session that is ready.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.settings.connect_timeout.unwrap_or(CONNECT_TIMEOUT_DEFAULT)
    }

    /// The password: from the string, else `PGPASSWORD`, else the password file (`passfile`, `PGPASSFILE`,
    /// `~/.pgpass`). The file is read at each call, so a new password is found by the next connection.
    ///
    /// # Errors
    /// [`Error::File`] and [`Error::FileExposed`] when `passfile` names a file that cannot be read or that others may
    /// read; a default file of that kind is passed over with a warning, as libpq does.
    pub fn password(&self) -> Result<Option<Password>, Error> {
        self.password_for(self.database())
    }

    /// As [`Dsn::password`], with the name that stands in the password file's database column.
    pub(crate) fn password_for(&self, database: &str) -> Result<Option<Password>, Error> {
        password::find(self, database, variable)
    }

    /// `sslmode`.
    #[must_use]
    pub fn ssl_mode(&self) -> SslMode {
        self.settings.ssl_mode
    }

    /// `sslrootcert`.
    #[must_use]
    pub fn ssl_root_certificates(&self) -> Option<&RootCertificates> {
        self.settings.ssl_root_certificates.as_ref()
    }

    /// `sslcert`: the client's certificate chain, PEM.
    #[must_use]
    pub fn ssl_certificate(&self) -> Option<&Path> {
        self.settings.ssl_certificate.as_deref()
    }

    /// `sslkey`: the client's private key, PEM.
    #[must_use]
    pub fn ssl_key(&self) -> Option<&Path> {
        self.settings.ssl_key.as_deref()
    }

    /// `channel_binding`.
    #[must_use]
    pub fn channel_binding(&self) -> ChannelBinding {
        self.settings.channel_binding
    }

    fn password_in_string(&self) -> Option<&Password> {
        self.settings.password.as_ref()
    }

    fn passfile(&self) -> Option<&PathBuf> {
        self.settings.passfile.as_ref()
    }
}

/// A variable of the environment; empty counts as absent, as in libpq.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl FromStr for Dsn {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Dsn::parse(text, variable)
    }
}

impl<'de> Deserialize<'de> for Dsn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("user=")?;
        f.write_str(&keywords::quote(&self.user))?;
        for (keyword, value) in self.settings.shown() {
            write!(f, " {keyword}={}", keywords::quote(&value))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({self})")
    }
}

#[cfg(test)]
mod tests;
