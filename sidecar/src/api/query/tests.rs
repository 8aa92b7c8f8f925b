use super::*;

#[test]
fn percent_signs_are_decoded_once() {
    for (text, expected) in [
        ("", Some("")),
        ("n1", Some("n1")),
        ("a%20b", Some("a b")),
        ("a+b", Some("a+b")),
        ("%2F%2f", Some("//")),
        ("%2541", Some("%41")),
        ("gr%C3%BCn", Some("grün")),
        ("%", None),
        ("%4", None),
        ("%4g", None),
        ("%+1", None),
        ("%FF", None),
    ] {
        assert_eq!(decode(text).ok().as_deref(), expected, "{text}");
    }
}

#[test]
fn parameters_come_in_order_and_decoded() {
    let pairs = parameters("a=1&&b=x+y%2B&a=&c&tag.k=a=b").expect("text");
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        pairs,
        [
            ("a", "1"),
            ("b", "x y+"),
            ("a", ""),
            ("c", ""),
            ("tag.k", "a=b")
        ]
    );
    assert_eq!(parameters(""), Ok(Vec::new()));
    assert_eq!(parameters("a=%"), Err(DecodeError));
}
