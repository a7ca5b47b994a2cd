use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::Password;
use crate::error::Error;

/// PostgreSQL's own port (`DEF_PGPORT`).
const PORT_DEFAULT: u16 = 5432;

/// `sslmode`: what to do about TLS on TCP connections. Unix sockets never use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// If the server has it; the certificate is not checked. libpq's default, and ours.
    #[default]
    Prefer,
    /// Always; the certificate is not checked, unless `sslrootcert` is given: then as [`SslMode::VerifyCa`] (as libpq).
    Require,
    /// Always, and the certificate must descend from `sslrootcert`.
    VerifyCa,
    /// As `VerifyCa`, and the certificate must name the host.
    VerifyFull,
}

/// `sslrootcert`: whom to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootCertificates {
    /// The authorities in this PEM file.
    File(PathBuf),
    /// `system`: the operating system's bundle (`SSL_CERT_FILE`, or where distributions keep it).
    System,
}

/// `channel_binding`: whether SCRAM must be bound to the TLS channel, so that nobody can sit between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// When TLS and the server allow it.
    #[default]
    Prefer,
    /// Else the login fails.
    Require,
}

/// The keywords' values.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) host: Option<String>,
    pub(super) host_address: Option<IpAddr>,
    port: Option<u16>,
    pub(super) user: Option<String>,
    pub(super) database: Option<String>,
    pub(super) password: Option<Password>,
    pub(super) passfile: Option<PathBuf>,
    pub(super) ssl_mode: SslMode,
    pub(super) ssl_root_certificates: Option<RootCertificates>,
    pub(super) ssl_certificate: Option<PathBuf>,
    pub(super) ssl_key: Option<PathBuf>,
    pub(super) channel_binding: ChannelBinding,
    pub(super) application_name: Option<String>,
    pub(super) fallback_application_name: Option<String>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) options: Option<String>,
}

impl Settings {
    /// Sets one keyword; a later one overrides an earlier one and an empty value means the default, as in libpq.
    pub(super) fn set(&mut self, keyword: &str, value: String) -> Result<(), Error> {
        let wrong = |keyword, expected| Error::DsnValue { keyword, expected };
        if value.contains('\0') {
            return Err(wrong("every keyword", "a value without NUL"));
        }
        let given = Some(value).filter(|value| !value.is_empty());
        match keyword {
            "host" => self.host = given,
            "hostaddr" => {
                let parse = |text: String| text.parse().map_err(|_| wrong("hostaddr", "one IPv4 or IPv6 address"));
                self.host_address = given.map(parse).transpose()?;
            }
            "port" => {
                let parse = |text: String| text.parse().ok().filter(|port| *port != 0);
                let parse = |text| parse(text).ok_or(wrong("port", "one number from 1 to 65535"));
                self.port = given.map(parse).transpose()?;
            }
            "user" => self.user = given,
            "dbname" => self.database = given,
            "password" => self.password = given.map(Password::new),
            "passfile" => self.passfile = given.map(PathBuf::from),
            "sslmode" => self.ssl_mode = ssl_mode(given.as_deref())?,
            "sslrootcert" => {
                let roots = |text: String| match text.as_str() {
                    "system" => RootCertificates::System,
                    _ => RootCertificates::File(text.into()),
                };
                self.ssl_root_certificates = given.map(roots);
            }
            "sslcert" => self.ssl_certificate = given.map(PathBuf::from),
            "sslkey" => self.ssl_key = given.map(PathBuf::from),
            "channel_binding" => self.channel_binding = channel_binding(given.as_deref())?,
            "application_name" => self.application_name = given,
            "fallback_application_name" => self.fallback_application_name = given,
            "connect_timeout" => {
                let parse = |text: String| {
                    text.parse()
                        .map_err(|_| wrong("connect_timeout", "whole seconds, 0 or more"))
                };
                let seconds: Option<u32> = given.map(parse).transpose()?;
                self.connect_timeout = seconds.filter(|s| *s != 0).map(|s| Duration::from_secs(s.into()));
            }
            "options" => self.options = given,
            _ => {
                return Err(Error::DsnKeyword {
                    keyword: keyword.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// The laws between keywords.
    pub(super) fn check(&self) -> Result<(), Error> {
        let wrong = |keyword, expected| Err(Error::DsnValue { keyword, expected });
        if self.host.as_ref().is_some_and(|host| host.contains(',')) {
            return wrong("host", "one host: a replication stream belongs to one server");
        }
        if self.ssl_certificate.is_some() != self.ssl_key.is_some() {
            return wrong("sslcert", "sslkey beside it, and the reverse");
        }
        if matches!(self.ssl_mode, SslMode::VerifyCa | SslMode::VerifyFull) && self.ssl_root_certificates.is_none() {
            return wrong(
                "sslmode",
                "sslrootcert beside verify-ca and verify-full: a PEM file or system",
            );
        }
        // As libpq: the system's authorities sign for anybody, so the name must be checked.
        if self.ssl_root_certificates == Some(RootCertificates::System) && self.ssl_mode != SslMode::VerifyFull {
            return wrong("sslrootcert", "sslmode=verify-full beside system");
        }
        Ok(())
    }

    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(PORT_DEFAULT)
    }

    /// Everything but user and password, for printing.
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let roots = self.ssl_root_certificates.as_ref().map(|roots| match roots {
            RootCertificates::File(file) => file.display().to_string(),
            RootCertificates::System => "system".to_owned(),
        });
        let all = [
            ("host", self.host.clone()),
            ("hostaddr", self.host_address.map(|address| address.to_string())),
            ("port", self.port.map(|port| port.to_string())),
            ("dbname", self.database.clone()),
            ("passfile", path(&self.passfile)),
            (
                "sslmode",
                (self.ssl_mode != SslMode::default()).then(|| ssl_mode_text(self.ssl_mode).to_owned()),
            ),
            ("sslrootcert", roots),
            ("sslcert", path(&self.ssl_certificate)),
            ("sslkey", path(&self.ssl_key)),
            (
                "channel_binding",
                channel_binding_text(self.channel_binding).map(str::to_owned),
            ),
            ("application_name", self.application_name.clone()),
            ("fallback_application_name", self.fallback_application_name.clone()),
            (
                "connect_timeout",
                self.connect_timeout.map(|limit| limit.as_secs().to_string()),
            ),
            ("options", self.options.clone()),
        ];
        all.into_iter()
            .filter_map(|(keyword, value)| Some((keyword, value?)))
            .collect()
    }
}

fn ssl_mode(text: Option<&str>) -> Result<SslMode, Error> {
    match text {
        None | Some("prefer") => Ok(SslMode::Prefer),
        Some("disable") => Ok(SslMode::Disable),
        Some("require") => Ok(SslMode::Require),
        Some("verify-ca") => Ok(SslMode::VerifyCa),
        Some("verify-full") => Ok(SslMode::VerifyFull),
        Some(_) => Err(Error::DsnValue {
            keyword: "sslmode",
            expected: "disable, prefer, require, verify-ca or verify-full",
        }),
    }
}

fn ssl_mode_text(mode: SslMode) -> &'static str {
    match mode {
        SslMode::Disable => "disable",
        SslMode::Prefer => "prefer",
        SslMode::Require => "require",
        SslMode::VerifyCa => "verify-ca",
        SslMode::VerifyFull => "verify-full",
    }
}

fn channel_binding(text: Option<&str>) -> Result<ChannelBinding, Error> {
    match text {
        None | Some("prefer") => Ok(ChannelBinding::Prefer),
        Some("disable") => Ok(ChannelBinding::Disable),
        Some("require") => Ok(ChannelBinding::Require),
        Some(_) => Err(Error::DsnValue {
            keyword: "channel_binding",
            expected: "disable, prefer or require",
        }),
    }
}

fn channel_binding_text(binding: ChannelBinding) -> Option<&'static str> {
    match binding {
        ChannelBinding::Disable => Some("disable"),
        ChannelBinding::Prefer => None,
        ChannelBinding::Require => Some("require"),
    }
}
