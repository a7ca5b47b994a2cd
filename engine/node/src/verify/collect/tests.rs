use super::*;

#[test]
fn requests_carry_every_key_once_and_none_too_many() {
    let keys: Vec<RowKey> = (0..25_000).map(|n: u32| vec![n.to_string()]).collect();
    let parts = in_requests(&keys);
    assert_eq!(parts.concat(), keys);
    assert!(parts.iter().all(|part| !part.is_empty() && part.len() <= KEY_COUNT_MAX));
    assert!(in_requests(&[]).is_empty());
}

#[test]
fn long_keys_go_in_more_requests() {
    let keys: Vec<RowKey> = (0..4)
        .map(|n: u32| vec![n.to_string().repeat(KEY_BYTES_MAX - 100)])
        .collect();
    assert_eq!(in_requests(&keys).len(), 4);
}
