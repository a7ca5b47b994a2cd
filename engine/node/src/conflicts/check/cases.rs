//! Which rows are tried with which.

/// A row: the JSON of each column.
pub(super) type Row = Vec<String>;

/// Rows of one key that a conflict may be about: they differ in one column, or in all but the key. At most
/// [`FAMILY_MAX`], the row that the others were made from first.
pub(super) type Family = Vec<Row>;

/// A family's rows: with each other they make 56 pairs.
const FAMILY_MAX: usize = 8;
/// Pairs, and triples, that are tried at most.
const CASES_MAX: usize = 4_000;
/// Triples of one family: of 512 that there are.
const TRIPLES_OF_FAMILY: usize = 24;
/// Coprime to every power of a number up to [`FAMILY_MAX`]: its multiples come to all triples, and soon to different ones.
const STRIDE: usize = 389;

/// Rows made from those that were sampled: `values` beside those of the sample, by column; `key` says which columns
/// are not varied, because rows in conflict have them in common.
pub(super) fn families(sampled: &[Row], values: &[Vec<String>], key: &[bool]) -> Vec<Family> {
    let invented = || {
        vec![
            values
                .iter()
                .map(|of| of.last().cloned().unwrap_or_else(null))
                .collect(),
        ]
    };
    let bases = if sampled.is_empty() {
        invented()
    } else {
        sampled.to_vec()
    };
    let mut families = Vec::new();
    for base in &bases {
        let whole = sampled.iter().map(|other| {
            let columns = base.iter().zip(other).zip(key);
            columns
                .map(|((own, others), key)| if *key { own } else { others }.clone())
                .collect()
        });
        families.push(family(base, whole));
        for column in (0..base.len()).filter(|column| !key[*column]) {
            let others = sampled.iter().map(|row| &row[column]);
            let varied = values[column].iter().chain(others).map(|value| {
                let mut row = base.clone();
                row[column].clone_from(value);
                row
            });
            families.push(family(base, varied));
        }
    }
    families
}

fn null() -> String {
    "null".to_owned()
}

fn family(base: &Row, rows: impl Iterator<Item = Row>) -> Family {
    let mut family = vec![base.clone()];
    for row in rows {
        if family.len() == FAMILY_MAX {
            break;
        }
        if !family.contains(&row) {
            family.push(row);
        }
    }
    family
}

/// Every row by itself.
pub(super) fn single(families: &[Family]) -> Vec<[&Row; 3]> {
    let rows = families.iter().flatten();
    rows.map(|row| [row, row, row]).take(CASES_MAX).collect()
}

/// Every row with every other of its family, each once the earlier one and once the later.
pub(super) fn pairs(families: &[Family]) -> Vec<[&Row; 3]> {
    let of_family = |family: &'_ Family| {
        let size = family.len();
        (0..size).flat_map(move |a| (0..size).filter(move |b| *b != a).map(move |b| (a, b)))
    };
    let pairs = families
        .iter()
        .flat_map(|family| of_family(family).map(move |(a, b)| [&family[a], &family[b], &family[b]]));
    pairs.take(CASES_MAX).collect()
}

/// Some triples of each family.
pub(super) fn triples(families: &[Family]) -> Vec<[&Row; 3]> {
    let of_family = |family: &'_ Family| {
        let size = family.len();
        let all = size * size * size;
        (1..=TRIPLES_OF_FAMILY.min(all - 1)).map(move |nth| {
            let at = nth * STRIDE % all;
            (at / (size * size), at / size % size, at % size)
        })
    };
    let triples = families
        .iter()
        .flat_map(|family| of_family(family).map(move |(a, b, c)| [&family[a], &family[b], &family[c]]));
    triples.take(CASES_MAX).collect()
}

#[cfg(test)]
mod tests;
