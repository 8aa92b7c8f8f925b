use hyper::Request;

use super::*;

fn head(target: &str, fields: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().uri(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request").into_parts().0
}

/// The kind of problem that a request meets, if it meets one.
fn refusal(target: &str, fields: &[(&str, &str)]) -> Option<Kind> {
    let hosts = ["muster.example".to_owned()];
    let kinds = [Kind::WrongHost, Kind::CrossSite, Kind::InvalidRequest];
    let problem = check(&head(target, fields), &hosts).err()?;
    kinds.into_iter().find(|kind| problem.is(*kind))
}

#[test]
fn only_addresses_and_own_names_are_answered() {
    for host in [
        "127.0.0.1",
        "127.0.0.1:7980",
        "10.0.0.5:80",
        "[::1]:7980",
        "[::1]",
        "localhost",
        "LocalHost:7980",
        "muster.example",
        "Muster.Example:7980",
    ] {
        assert_eq!(refusal("/", &[("host", host)]), None, "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "muster.example.evil.example",
        "127.0.0.1.evil.example:7980",
        "1",
        "muster",
    ] {
        let expected = Some(Kind::WrongHost);
        assert_eq!(refusal("/", &[("host", host)]), expected, "{host}");
    }
    for host in ["", "a b", "user@127.0.0.1", "localhost:7980:1"] {
        let expected = Some(Kind::InvalidRequest);
        assert_eq!(refusal("/", &[("host", host)]), expected, "{host:?}");
    }
}

#[test]
fn a_request_has_one_host() {
    let own = ("host", "127.0.0.1");
    assert_eq!(refusal("/", &[]), Some(Kind::InvalidRequest));
    assert_eq!(refusal("/", &[own, own]), Some(Kind::InvalidRequest));
    // The line of a request to a proxy names a host too.
    assert_eq!(refusal("http://[::1]:80/", &[own]), None);
    let evil = refusal("http://evil.example/", &[own]);
    assert_eq!(evil, Some(Kind::WrongHost));
}

#[test]
fn pages_of_other_sites_are_refused() {
    let asked = |more: &[(&str, &str)]| {
        let fields = [&[("host", "localhost:7980")], more].concat();
        refusal("/", &fields)
    };
    for origin in ["http://localhost:7980", "https://LOCALHOST:7980"] {
        assert_eq!(asked(&[("origin", origin)]), None, "{origin}");
    }
    for origin in [
        "http://evil.example",
        "http://localhost",
        "http://localhost:7981",
        "localhost:7980",
        "null",
        "",
        "file://",
    ] {
        let refused = asked(&[("origin", origin)]);
        assert_eq!(refused, Some(Kind::CrossSite), "{origin:?}");
    }
    for (site, expected) in [
        ("none", None),
        ("same-origin", None),
        ("same-site", Some(Kind::CrossSite)),
        ("cross-site", Some(Kind::CrossSite)),
        ("", Some(Kind::CrossSite)),
    ] {
        assert_eq!(asked(&[("sec-fetch-site", site)]), expected, "{site:?}");
    }
    let two = [("origin", "http://localhost:7980"), ("origin", "null")];
    assert_eq!(asked(&two), Some(Kind::CrossSite));
}
