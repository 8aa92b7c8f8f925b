use super::super::{NameError, TagError};
use super::*;
use crate::limits;

#[test]
fn a_name_has_1_to_128_bytes_of_printable_text() {
    for text in [
        "a",
        "n1.example.com",
        "kn\u{f6}ten 7",
        "\u{1f40c}",
        &"a".repeat(128),
    ] {
        assert_eq!(
            Name::new(text).map(|name| name.to_string()),
            Ok(text.to_owned())
        );
    }
    assert_eq!(Name::new(""), Err(NameError::Empty));
    assert_eq!(Name::new(&"a".repeat(129)), Err(NameError::TooLong(129)));
    assert_eq!(
        Name::new(&"\u{e4}".repeat(65)),
        Err(NameError::TooLong(130)),
        "bytes count"
    );
    for text in [
        " a",
        "a ",
        "a\nb",
        "\u{7f}",
        "a\u{0}",
        "\u{85}",
        "a\u{2028}b",
        "\u{feff}a",
    ] {
        assert_eq!(Name::new(text), Err(NameError::Unprintable), "{text:?}");
    }
}

#[test]
fn a_tag_keeps_its_limits_and_a_refused_one_changes_nothing() {
    let tags = Tags::new([("zone", "b")]).expect("a valid tag");
    let keys = ["", "a=b", "a\n", &"k".repeat(limits::TAG_KEY_BYTES + 1)];
    for key in keys {
        assert_eq!(tags.with(key, "v"), Err(TagError::Key), "{key:?}");
    }
    assert!(tags.with(&"k".repeat(limits::TAG_KEY_BYTES), "v").is_ok());
    assert_eq!(
        tags.with("a", "\u{1b}[0m"),
        Err(TagError::Value("a".to_owned()))
    );
    assert!(tags.with("a", "").is_ok(), "a value may be empty");
    assert_eq!(tags.iter().collect::<Vec<_>>(), [("zone", "b")]);
}

#[test]
fn all_tags_together_have_a_limit() {
    let room = limits::TAGS_BYTES - 1;
    assert!(Tags::new([("k", "v".repeat(room))]).is_ok());
    let over = Err(TagError::TooLarge(limits::TAGS_BYTES + 1));
    assert_eq!(Tags::new([("k", "v".repeat(room + 1))]), over);
    let full = Tags::new([("k", "v".repeat(room))]).expect("tags at their limit");
    assert_eq!(
        full.with("l", ""),
        Err(TagError::TooLarge(limits::TAGS_BYTES + 1))
    );
    assert!(
        full.with("k", "shorter").is_ok(),
        "an old value makes room for the new one"
    );
}

#[test]
fn tags_have_a_number() {
    let tags = |count: usize| Tags::new((0..count).map(|n| (n.to_string(), "")));
    let full = tags(limits::TAGS).expect("tags at their limit");
    assert_eq!(full.len(), limits::TAGS);
    assert_eq!(tags(limits::TAGS + 1), Err(TagError::TooMany));
    assert_eq!(full.with("one more", ""), Err(TagError::TooMany));
    assert!(full.with("0", "changed").is_ok());
}

#[test]
fn tags_are_read_as_they_were_set() {
    let tags = Tags::new([("b", "1"), ("a", "2"), ("b", "3")]).expect("valid tags");
    assert_eq!(
        tags.iter().collect::<Vec<_>>(),
        [("a", "2"), ("b", "3")],
        "the last one counts"
    );
    assert_eq!((tags.value("a"), tags.value("c")), (Some("2"), None));
    let fewer = tags.without("a").without("b").without("c");
    assert!(fewer.is_empty());
    assert_eq!(
        fewer,
        Tags::default(),
        "no tags are one value, however they came about"
    );
}
