/// A string constant of the replication grammar (`repl_scanner.l`): quotes are doubled, a backslash is itself.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A quoted identifier.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A list of names inside one string, as `SplitIdentifierString` in `varlena.c` reads it.
pub(super) fn identifiers(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| identifier(name)).collect();
    literal(&quoted.join(","))
}
