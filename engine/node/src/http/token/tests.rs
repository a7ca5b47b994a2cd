use super::is_same;

#[test]
fn only_the_whole_token_is_the_token() {
    assert!(is_same("secret", "secret"));
    for wrong in ["", "s", "secreT", "secret1", "xecret"] {
        assert!(!is_same(wrong, "secret"), "{wrong:?} was taken");
    }
}

#[test]
fn an_empty_token_file_lets_nobody_pass() {
    assert!(!is_same("", ""));
}
