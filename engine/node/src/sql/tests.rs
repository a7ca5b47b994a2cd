use super::*;

fn of(dsn: &str) -> Server {
    server(&dsn.parse().unwrap()).unwrap()
}

#[test]
fn a_session_is_encrypted_as_sslmode_says_and_never_over_a_unix_socket() {
    let cases = [
        ("host=h sslmode=disable", config::SslMode::Disable, false),
        ("host=h", config::SslMode::Prefer, true),
        ("host=h sslmode=require", config::SslMode::Require, true),
        ("host=/tmp", config::SslMode::Disable, false),
        ("host=/tmp sslmode=require", config::SslMode::Disable, false),
    ];
    for (dsn, mode, encrypts) in cases {
        let server = of(&format!("{dsn} user=u"));
        assert_eq!(
            (server.config.get_ssl_mode(), server.tls.config.is_some()),
            (mode, encrypts),
            "{dsn}"
        );
    }
}

#[test]
fn channel_binding_is_asked_for_as_the_connection_string_says() {
    let of = |value: &str| {
        of(&format!("host=h user=u channel_binding={value}"))
            .config
            .get_channel_binding()
    };
    assert_eq!(of("disable"), config::ChannelBinding::Disable);
    assert_eq!(of("prefer"), config::ChannelBinding::Prefer);
    assert_eq!(of("require"), config::ChannelBinding::Require);
}

#[test]
fn files_that_cannot_be_read_are_an_error_before_anything_is_sent() {
    let dsn = "host=h user=u sslmode=verify-full sslrootcert=/nowhere/ca.crt"
        .parse()
        .unwrap();
    assert!(server(&dsn).unwrap_err().to_string().contains("/nowhere/ca.crt"));
}
