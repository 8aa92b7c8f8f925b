use super::finding::Grade;
use super::{buddies, without_agent};
use crate::api::model::Rings;

#[test]
fn one_that_is_alone_has_nobody_to_reach() {
    let text = r#"{"rings": [], "buddies": [], "links": []}"#;
    let rings: Rings = serde_json::from_str(text).expect("rings of an older agent");
    let found = buddies(&rings);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].grade, Grade::Ok);
}

#[test]
fn buddies_with_which_nothing_is_wrong_share_a_line() {
    // Nobody listens there.
    let text = r#"{"rings": [{"ring": 0, "predecessor": null, "successor": null}],
        "buddies": ["a", "b"], "links": [], "period_ms": 4000, "contacts": [
        {"name": "a", "addr": "127.0.0.1:9", "heard": "2026-01-01T00:00:00.000Z", "answered": null,
         "unanswered_since": null},
        {"name": "b", "addr": "127.0.0.1:9", "heard": "2026-01-01T00:00:00.000Z", "answered": null,
         "unanswered_since": null}]}"#;
    let rings: Rings = serde_json::from_str(text).expect("rings");
    let found = buddies(&rings);
    let lines: Vec<(&str, Grade)> = found
        .iter()
        .map(|found| (found.check, found.grade))
        .collect();
    assert_eq!(
        lines,
        [
            ("udp", Grade::Ok),
            ("tcp", Grade::Fail),
            ("tcp", Grade::Fail),
            ("mtu", Grade::Ok),
        ]
    );
    assert!(found[0].found.starts_with("a, b: "), "{found:?}");
    assert!(found[1].found.starts_with("a refuses"), "{found:?}");
}

#[test]
fn without_an_agent_its_settings_are_looked_at() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("muster.toml");
    let text = "bind = \"127.0.0.1:7946\"\njoin = [\"nowhere.invalid:1\", \"127.0.0.1:7946\"]\n";
    std::fs::write(&file, text).expect("it is ours");
    let socket = folder.path().join("s.sock");
    let found = without_agent(Some(&socket), Some(&file));
    let lines: Vec<(&str, Grade)> = found
        .iter()
        .map(|found| (found.check, found.grade))
        .collect();
    assert_eq!(
        lines[..5],
        [
            ("config", Grade::Ok),
            ("socket", Grade::Ok),
            ("seeds", Grade::Fail),
            ("seeds", Grade::Ok),
            ("data", Grade::Ok),
        ],
        "{found:?}"
    );
    assert_eq!(lines[5].0, "files");
    std::fs::write(&file, "bind = 7\n").expect("it is ours");
    let found = without_agent(Some(&socket), Some(&file));
    let lines: Vec<&str> = found.iter().map(|found| found.check).collect();
    assert_eq!(lines, ["config", "files"], "what is wrong is told once");
}
