use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::{Dsn, Endpoint, endpoint, files};
use crate::error::Error;

/// A password that no text shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    pub(super) fn new(text: String) -> Self {
        Password(text)
    }

    /// The password itself, for a login and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The string's own password, else `PGPASSWORD`, else the first line of the password file that fits.
pub(super) fn find(
    dsn: &Dsn,
    database: &str,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Option<Password>, Error> {
    if let Some(password) = dsn.password_in_string() {
        return Ok(Some(password.clone()));
    }
    if let Some(password) = environment("PGPASSWORD") {
        return Ok(Some(Password(password)));
    }
    let content = if let Some(path) = dsn.passfile() {
        files::read_private("passfile", path)?
    } else {
        let home = || Some(PathBuf::from(environment("HOME")?).join(".pgpass"));
        match environment("PGPASSFILE").map(PathBuf::from).or_else(home) {
            Some(path) => read_default(&path),
            None => return Ok(None),
        }
    };
    let host = match dsn.endpoints().first() {
        Some(Endpoint::Tcp { host, .. }) => host.clone(),
        // libpq looks for localhost when the socket is in the default directory.
        Some(Endpoint::Unix { directory, .. }) if directory != Path::new(endpoint::SOCKET_DIRECTORY) => {
            directory.display().to_string()
        }
        Some(Endpoint::Unix { .. }) | None => "localhost".to_owned(),
    };
    let wanted = [host.as_str(), &dsn.port().to_string(), database, dsn.user()];
    Ok(String::from_utf8_lossy(&content)
        .lines()
        .find_map(|line| of_line(line, wanted))
        .map(Password))
}

/// A file that nobody asked for by name must not stop a login that may need no password.
fn read_default(path: &Path) -> Vec<u8> {
    match files::read_private("passfile", path) {
        Ok(content) => content,
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            tracing::warn!(%error, "the default password file is passed over");
            Vec::new()
        }
    }
}

/// `hostname:port:database:username:password`, where `*` fits everything and a backslash takes the next character as
/// it is.
fn of_line(line: &str, wanted: [&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut rest = line;
    for value in wanted {
        let end = field_end(rest)?;
        let field = rest.get(..end)?;
        if field != "*" && unescape(field) != value {
            return None;
        }
        rest = rest.get(end + 1..)?;
    }
    let end = field_end(rest).unwrap_or(rest.len());
    rest.get(..end).map(unescape).filter(|password| !password.is_empty())
}

/// The offset of the first `:` that no backslash precedes.
fn field_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == ':' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

fn unescape(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut characters = field.chars();
    while let Some(c) = characters.next() {
        text.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    text
}
