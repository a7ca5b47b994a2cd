use super::*;

fn token(text: &str) -> Token {
    text.parse().unwrap()
}

#[test]
fn a_token_reads_as_it_is_written() {
    for text in ["public.t/equal", "public.t/differ", "app.a/b/equal"] {
        assert_eq!(token(text).to_string(), text);
    }
    for text in ["", "public.t", "public.t/", "public.t/maybe"] {
        assert!(text.parse::<Token>().is_err(), "{text}");
    }
}

#[test]
fn what_differed_before_is_not_forgotten() {
    let last = || Some("public.b".to_owned());
    assert_eq!(Token::after(last(), true, None), Some(token("public.b/equal")));
    assert_eq!(Token::after(last(), false, None), Some(token("public.b/differ")));
    let before = || Some(token("public.a/differ"));
    assert_eq!(Token::after(last(), true, before()), Some(token("public.b/differ")));
    assert_eq!(Token::after(None, true, before()), before(), "nothing was done since");
    assert_eq!(Token::after(None, true, None), None);
}
