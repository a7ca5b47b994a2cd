use proptest::prelude::*;

use super::*;

fn digest(rows: u64, value: u64) -> Digest {
    Digest {
        rows,
        high: value,
        low: value.wrapping_mul(7),
    }
}

fn key(text: &str) -> RowKey {
    vec![text.to_owned()]
}

#[test]
fn the_digest_of_a_row_is_its_md5_in_two_halves() {
    let digest = Digest::of_row("00000000000000ffffffffffffffffff").unwrap();
    assert_eq!(
        digest,
        Digest {
            rows: 1,
            high: 0xFF,
            low: u64::MAX
        }
    );
    assert_eq!(Digest::of_row("abc"), None);
    assert_eq!(Digest::of_row("zz000000000000ffffffffffffffffff"), None);
}

#[test]
fn a_bucket_that_only_one_node_has_differs() {
    let nodes = [
        BTreeMap::from([(1, digest(2, 5)), (2, digest(1, 1))]),
        BTreeMap::from([(1, digest(2, 5))]),
    ];
    assert_eq!(differing(&nodes), [(2, 1)]);
    assert!(differing(&[nodes[0].clone(), nodes[0].clone()]).is_empty());
}

#[test]
fn a_bucket_larger_than_the_bound_is_a_part_of_its_own() {
    assert_eq!(
        chunks(&[(1, 5), (2, 500), (3, 5), (4, 5)], 10),
        [vec![1], vec![2], vec![3, 4]]
    );
}

#[test]
fn a_row_that_nobody_wrote_and_that_differs_after_all_is_applied_is_different() {
    let (a, b) = (Some(digest(1, 1)), Some(digest(1, 2)));
    assert_eq!(judge(&vec![a, b], &vec![a, b], Between::Applied), Judged::Different);
    assert_eq!(
        judge(&vec![a, None], &vec![a, None], Between::Applied),
        Judged::Different
    );
    assert_eq!(judge(&vec![a, b], &vec![b, b], Between::Applied), Judged::Equal);
    assert_eq!(judge(&vec![a, b], &vec![b, a], Between::Applied), Judged::Moving);
    assert_eq!(judge(&vec![a, b], &vec![b, a], Between::Stands), Judged::Different);
    assert_eq!(judge(&vec![a, b], &vec![None, None], Between::Stands), Judged::Equal);
}

fn rows() -> impl Strategy<Value = BTreeMap<u8, u8>> {
    proptest::collection::btree_map(0_u8..12, 0_u8..3, 0..12)
}

fn read(rows: &BTreeMap<u8, u8>) -> BTreeMap<RowKey, Digest> {
    rows.iter()
        .map(|(k, v)| (key(&k.to_string()), digest(1, u64::from(*v) + 1)))
        .collect()
}

/// Sums of it tell sets apart, as those of a digest do (the finalizer of splitmix64).
fn scattered(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn buckets(rows: &BTreeMap<u8, u8>) -> BTreeMap<u32, Digest> {
    let mut buckets = BTreeMap::new();
    for (k, v) in rows {
        // As the server does: a row's digest covers its key.
        let row = digest(1, scattered(u64::from(*k) << 8 | u64::from(*v)));
        let sum: &mut Digest = buckets.entry(u32::from(k % 4)).or_default();
        *sum = sum.and(row);
    }
    buckets
}

proptest! {
    #[test]
    fn keys_at_which_nodes_differ_are_found_and_no_others(nodes in proptest::collection::vec(rows(), 2..4)) {
        let expected: BTreeSet<u8> = (0..12).filter(|k| nodes.iter().any(|n| n.get(k) != nodes[0].get(k))).collect();
        let found: BTreeSet<u8> = suspects(nodes.iter().map(read).collect()).into_keys().map(|k| k[0].parse().unwrap()).collect();
        prop_assert_eq!(&found, &expected);
        let differing: BTreeSet<u32> = differing(&nodes.iter().map(buckets).collect::<Vec<_>>()).into_iter().map(|(b, _)| b).collect();
        prop_assert_eq!(differing, expected.iter().map(|k| u32::from(k % 4)).collect::<BTreeSet<_>>());
    }

    #[test]
    fn every_bucket_is_in_one_part_and_in_order(sizes in proptest::collection::vec(0_u64..40, 0..30)) {
        let buckets: Vec<(u32, u64)> = (0..).zip(sizes).collect();
        let chunks = chunks(&buckets, 50);
        prop_assert_eq!(chunks.concat(), buckets.iter().map(|(b, _)| *b).collect::<Vec<_>>());
        for chunk in &chunks {
            let rows: u64 = chunk.iter().map(|b| buckets[*b as usize].1).sum();
            prop_assert!(chunk.len() == 1 || rows <= 50);
        }
    }

    /// Two nodes, one row, last writer wins, each write travels after a while. Read, let all that was committed be
    /// applied, read again: while writing goes on a difference is never reported.
    #[test]
    fn writing_never_makes_a_difference(steps in proptest::collection::vec((0_usize..2, any::<bool>()), 0..40)) {
        let (mut rows, mut on_the_way, mut last) = ([0_u64; 2], [None, None], 0);
        let read = |rows: &[u64; 2]| rows.iter().map(|v| Some(digest(1, *v))).collect::<Readings>();
        let mut first = read(&rows);
        for (at, verify) in steps {
            if verify {
                for to in 0..2 {
                    rows[to] = rows[to].max(on_the_way[to].take().unwrap_or(0));
                }
                // A write between the end of waiting and the second reading, at one node, is still on its way.
                if at == 1 {
                    last += 1;
                    rows[0] = last;
                    on_the_way[1] = Some(last);
                }
                let second = read(&rows);
                prop_assert_ne!(judge(&first, &second, Between::Applied), Judged::Different);
                first = second;
            } else {
                last += 1;
                rows[at] = last;
                on_the_way[1 - at] = Some(last);
            }
        }
    }
}
