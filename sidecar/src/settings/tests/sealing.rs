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

#[test]
fn a_key_where_its_file_belongs_is_refused_and_not_said_again() {
    let base64 = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=";
    let unpadded = &base64[..43];
    let hex = "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789";
    for secret in [base64, unpadded, hex] {
        let by_flag = load(&["--key-file", secret], &[]);
        let by_variable = load(&[], &[("MUSTER_KEY_FILE", secret)]);
        for (given, place) in [
            (by_flag, "--key-file: "),
            (by_variable, "MUSTER_KEY_FILE: "),
        ] {
            let text = given.expect_err("it is no file").to_string();
            assert!(text.contains(place) && text.contains("mode 0600"), "{text}");
            assert!(!text.contains(&secret[..20]), "{text}");
        }
    }
    let path = "/var/lib/muster/secrets/Cluster7/current/kf";
    assert_eq!(path.len(), 43);
    for fine in [path, "keys", "./keys", &hex[..63], &hex[..43]] {
        assert!(load(&["--key-file", fine], &[]).is_ok(), "{fine}");
    }
}

#[test]
fn a_variable_that_may_have_a_key_is_warned_of() {
    let doubts = |variables: &[(&str, &str)]| load(&[], variables).expect("allowed").doubts();
    assert!(doubts(&[("MUSTER_KEY", "")]).is_empty());
    for name in [
        "MUSTER_KEY",
        "MUSTER_KEYS",
        "MUSTER_SECRET",
        "MUSTER_ENCRYPT",
    ] {
        let found = doubts(&[(name, "anything")]);
        assert!(found.len() == 1 && found[0].contains("no such variable is read"));
    }
}

#[test]
fn the_grace_of_a_removed_key_is_a_day_unless_that_is_said() {
    let grace = |flags: &[&str]| load(flags, &[]).map(|settings| settings.key_grace.as_secs());
    assert_eq!(grace(&[]), Ok(24 * 3600));
    assert_eq!(grace(&["--key-grace", "0s"]), Ok(0));
    assert_eq!(grace(&["--key-grace", "30d"]), Ok(30 * 24 * 3600));
    for refused in ["31d", "soon", "5"] {
        let error = grace(&["--key-grace", refused]).expect_err("not allowed");
        assert!(error.to_string().contains("0s to 30d"), "{error}");
    }
}
