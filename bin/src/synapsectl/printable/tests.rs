use super::*;

#[test]
fn ordinary_text_of_any_language_stays() {
    for text in ["public.t", "größer {\"a\": \"日本語\"}", "שלום", ""] {
        assert_eq!(printable(text), text);
    }
}

#[test]
fn what_steers_a_terminal_or_a_line_is_escaped() {
    for (text, shown) in [
        ("a\nb\t", "a\\u000ab\\u0009"),
        ("\u{1b}[2J", "\\u001b[2J"),
        ("\u{9b}2J\u{7f}", "\\u009b2J\\u007f"),
        ("\u{202e}txt", "\\u202etxt"),
        ("\u{e0041}", "\\udb40\\udc41"),
    ] {
        assert_eq!(printable(text), shown);
    }
}
