use std::fmt;

use crate::error::Error;

/// A server's version, as `server_version` reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerVersion {
    /// The major version: 14, 15, …
    pub major: u16,
    /// The minor version; 0 for development, alpha and beta versions.
    pub minor: u16,
}

/// The oldest version that this client speaks to.
const MAJOR_MIN: u16 = 14;

impl ServerVersion {
    /// Reads `15.18 (Debian 15.18-0+deb12u1)`, `18beta1`, `19devel`.
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        let number = |text: &str| {
            let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            text[..digits].parse::<u16>().ok()
        };
        let expected = Error::Result {
            command: "server_version",
            expected: "a version like 15.18",
        };
        let major = number(text).ok_or(expected)?;
        let minor = text.split_once('.').and_then(|(_, minor)| number(minor)).unwrap_or(0);
        let version = ServerVersion { major, minor };
        version.needs(MAJOR_MIN, "this client")?;
        Ok(version)
    }

    /// Fails unless the server is of `major` or later.
    pub(crate) fn needs(self, major: u16, what: &'static str) -> Result<(), Error> {
        if self.major < major {
            Err(Error::Version {
                what,
                major: self.major,
                needed: major,
            })
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
