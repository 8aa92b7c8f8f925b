//! A key, or an address that nobody else can reach.

use super::load;

#[test]
fn without_a_key_only_loopback_is_bound_unless_that_is_said() {
    let said = |flags: &[&str]| match load(flags, &[]) {
        Ok(_) => "fine".to_owned(),
        Err(error) => error.to_string(),
    };
    for fine in [
        &["--bind", "127.0.0.1:7"][..],
        &["--bind", "[::1]:7"],
        &["--bind", "10.0.0.1:7", "--key-file", "/k"],
        &["--bind", "10.0.0.1:7", "--plaintext", "send"],
        &[
            "--bind",
            "10.0.0.1:7",
            "--key-file",
            "/k",
            "--plaintext",
            "accept",
        ],
    ] {
        assert_eq!(said(fine), "fine", "{fine:?}");
    }
    for refused in ["10.0.0.1:7", "0.0.0.0:7", "[::]:7"] {
        let text = said(&["--bind", refused]);
        let ways = ["there is no key", "--key-file", "--plaintext send"];
        assert!(ways.iter().all(|way| text.contains(way)), "{text}");
    }
    assert!(said(&["--plaintext", "accept"]).contains("which needs a key"));
    assert!(said(&["--plaintext", "yes"]).contains("send, accept or refuse"));
}
