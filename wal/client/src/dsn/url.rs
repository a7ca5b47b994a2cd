//! `postgresql://user:password@host:port/dbname?keyword=value` as `conninfo_uri_parse_options` in `fe-connect.c` reads it.

use crate::error::Error;

type Pairs = Vec<(String, String)>;

/// The text after `postgresql://` or `postgres://`, and its offset; `None` when the text is no URL.
pub(super) fn split_scheme(text: &str) -> Option<(usize, &str)> {
    ["postgresql://", "postgres://"]
        .iter()
        .find_map(|scheme| Some((scheme.len(), text.strip_prefix(scheme)?)))
}

/// Cuts the URL into the pairs of the keyword form. `start` is the offset of `rest` in the whole text.
pub(super) fn parse(rest: &str, start: usize) -> Result<Pairs, Error> {
    let mut pairs = Pairs::new();
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    let host_start = match authority.rfind('@') {
        Some(at) => {
            login(&authority[..at], start, &mut pairs)?;
            at + 1
        }
        None => 0,
    };
    host_and_port(&authority[host_start..], start + host_start, &mut pairs)?;
    let tail_start = start + authority_end;
    let (path, query) = tail
        .split_once('?')
        .map_or((tail, None), |(path, query)| (path, Some(query)));
    if let Some(database) = path.strip_prefix('/').filter(|database| !database.is_empty()) {
        pairs.push(("dbname".to_owned(), decode(database, tail_start + 1)?));
    }
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        parameters(query, tail_start + path.len() + 1, &mut pairs)?;
    }
    Ok(pairs)
}

fn login(text: &str, start: usize, pairs: &mut Pairs) -> Result<(), Error> {
    let (user, password) = text
        .split_once(':')
        .map_or((text, None), |(user, password)| (user, Some(password)));
    if !user.is_empty() {
        pairs.push(("user".to_owned(), decode(user, start)?));
    }
    if let Some(password) = password {
        pairs.push(("password".to_owned(), decode(password, start + user.len() + 1)?));
    }
    Ok(())
}

fn host_and_port(text: &str, start: usize, pairs: &mut Pairs) -> Result<(), Error> {
    let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or(Error::DsnSyntax {
            offset: start + text.len(),
            expected: "] after the IPv6 address",
        })?;
        let port = match after.strip_prefix(':') {
            Some(port) => Some(port),
            None if after.is_empty() => None,
            None => {
                return Err(Error::DsnSyntax {
                    offset: start + host.len() + 2,
                    expected: ": or / after ]",
                });
            }
        };
        (host, port)
    } else {
        text.split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port)))
    };
    if !host.is_empty() {
        pairs.push(("host".to_owned(), decode(host, start)?));
    }
    if let Some(port) = port.filter(|port| !port.is_empty()) {
        pairs.push(("port".to_owned(), port.to_owned()));
    }
    Ok(())
}

fn parameters(query: &str, start: usize, pairs: &mut Pairs) -> Result<(), Error> {
    let mut offset = start;
    for parameter in query.split('&') {
        let (keyword, value) = parameter.split_once('=').ok_or(Error::DsnSyntax {
            offset: offset + parameter.len(),
            expected: "= after the parameter's name",
        })?;
        let value_text = decode(value, offset + keyword.len() + 1)?;
        let keyword = decode(keyword, offset)?;
        // libpq takes JDBC's ssl=true for sslmode=require.
        if keyword == "ssl" && value_text == "true" {
            pairs.push(("sslmode".to_owned(), "require".to_owned()));
        } else {
            pairs.push((keyword, value_text));
        }
        offset += parameter.len() + 1;
    }
    Ok(())
}

/// Undoes percent-encoding; NUL and invalid UTF-8 are refused.
fn decode(text: &str, start: usize) -> Result<String, Error> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digit = |pair: Option<(usize, u8)>| pair.and_then(|(_, digit)| char::from(digit).to_digit(16));
        let high = digit(bytes.next());
        let low = digit(bytes.next());
        let value = high
            .zip(low)
            .and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
            .filter(|value| *value != 0);
        decoded.push(value.ok_or(Error::DsnSyntax {
            offset: start + at,
            expected: "two hexadecimal digits after %",
        })?);
    }
    String::from_utf8(decoded).map_err(|_| Error::DsnSyntax {
        offset: start,
        expected: "UTF-8 behind the % signs",
    })
}
