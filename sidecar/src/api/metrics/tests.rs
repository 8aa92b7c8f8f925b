//! The table, its page and what is scraped say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::*;
use crate::api::testing::World;
use crate::api::testing::client::{Stream, ask, get, within};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/metrics.md");

/// The page of the table.
fn page() -> String {
    let mut page = "\
# Metrics

`GET /metrics`, on the local socket and on the TCP address (`--http`), in OpenMetrics 1.0 or
Prometheus 0.0.4. This page is made from the table in the code (`MUSTER_BLESS=1 cargo nextest run
-p muster metrics`). Each agent tells what *it* sees; `instance` and `job` are the scraper's labels.

| metric | type | labels | what it is |
|---|---|---|---|
"
    .to_owned();
    for metric in TABLE {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Info => "info",
        };
        let (name, labels, help) = (metric.full_name(), metric.labels, metric.help);
        page.push_str(&format!("| `{name}` | {kind} | {labels} | {help} |\n"));
    }
    page
}

#[test]
fn the_page_of_metrics_is_that_of_the_table() {
    if std::env::var_os("MUSTER_BLESS").is_some() {
        fs::write(PAGE, page()).expect("the page can be written");
    }
    let written = fs::read_to_string(Path::new(PAGE)).expect("the page is there");
    assert_eq!(written, page(), "run this test with MUSTER_BLESS=1");
}

#[test]
fn names_are_of_their_kind_and_unique() {
    let mut seen = BTreeSet::new();
    for metric in TABLE {
        let name = metric.full_name();
        let known = name.starts_with("muster_") || name.starts_with("process_");
        assert!(known, "{name}");
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(name.chars().all(good), "{name}");
        assert!(metric.help.ends_with('.'), "{name}");
        assert!(seen.insert(name.clone()), "{name} is there twice");
    }
}

/// The samples of a text: name with labels, and value.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a sample has a value");
        (name.to_owned(), value.parse().expect("a number"))
    };
    lines.map(sample).collect()
}

/// The names of the families in a text.
fn families(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .filter_map(|rest| rest.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// Those that need a data directory.
fn needs_store(name: &str) -> bool {
    name.starts_with("muster_store")
}

#[test]
fn every_metric_is_scraped_in_both_texts() {
    let world = World::new(100);
    world.add_peer(&[]);
    world.run(async |_| {
        let plain = get(&world.path, "/metrics").await;
        assert_eq!(
            plain.header("content-type"),
            "text/plain; version=0.0.4; charset=utf-8"
        );
        let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
        let open = ask(&world.path, "GET", "/metrics", accept, b"").await;
        assert!(
            open.header("content-type")
                .starts_with("application/openmetrics-text")
        );
        let (plain, open) = (
            String::from_utf8(plain.body).expect("text"),
            String::from_utf8(open.body).expect("text"),
        );
        assert!(open.ends_with("# EOF\n"), "{open}");
        assert!(
            !plain.contains("# EOF") && !plain.contains("# UNIT"),
            "{plain}"
        );
        let scraped = families(&plain);
        let unmeasured = |name: &str| name.starts_with("muster_round_trip_");
        let expected: BTreeSet<String> = TABLE
            .iter()
            .map(Metric::full_name)
            .filter(|name| !needs_store(name))
            .collect();
        let missing: Vec<_> = expected
            .difference(&scraped)
            .filter(|name| !unmeasured(name))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(scraped.is_subset(&expected), "{scraped:?}");
        let names = |text: &str| -> BTreeSet<String> { samples(text).into_keys().collect() };
        // OpenMetrics may say more of a histogram, and there is none here.
        assert_eq!(names(&plain), names(&open));
    });
}

#[test]
fn metrics_tell_what_the_status_does() {
    let world = World::new(100);
    world.add_peer(&[]);
    world.run(async |_| {
        let reply = get(&world.path, "/metrics").await;
        let found = samples(std::str::from_utf8(&reply.body).expect("text"));
        for (name, value) in [
            ("muster_members{state=\"alive\"}", 2.0),
            ("muster_members{state=\"dead\"}", 0.0),
            (
                "muster_member_info{cluster=\"test\",name=\"n0\",zone=\"west\"}",
                1.0,
            ),
            ("muster_quorum{state=\"forming\"}", 1.0),
            ("muster_quorum{state=\"held\"}", 0.0),
            ("muster_ready", 0.0),
            ("muster_stuck", 0.0),
            ("muster_voter", 0.0),
            ("muster_buddies", 1.0),
            ("muster_events_total{type=\"member-reachable\"}", 1.0),
            ("muster_events_kept", 1.0),
            ("muster_subscribers", 0.0),
            ("muster_connections{door=\"socket\"}", 1.0),
            ("muster_answers_total{status=\"2xx\"}", 0.0),
        ] {
            assert_eq!(found.get(name), Some(&value), "{name} in {found:#?}");
        }
        let status: crate::api::model::Status = get(&world.path, "/v1/status").await.json();
        assert!(status.stats.streams_accepted > 0);
        let accepted = found["muster_streams_accepted_total"];
        assert_eq!(accepted, status.stats.streams_accepted as f64);
        let gone = Stream::open(&world.path, "", "").await;
        drop(gone);
        get(&world.path, "/v1/members/nobody").await;
        within("the end of the stream to be seen", async {
            loop {
                let page = get(&world.path, "/metrics").await;
                let found = samples(std::str::from_utf8(&page.body).expect("text"));
                assert_eq!(found["muster_answers_total{status=\"4xx\"}"], 1.0);
                assert!(found["muster_answers_total{status=\"2xx\"}"] >= 3.0);
                let open = found["muster_connections{door=\"socket\"}"];
                if open == 1.0 && found["muster_subscribers"] == 0.0 {
                    break;
                }
            }
        })
        .await;
        assert!(found["process_resident_memory_bytes"] > 1e6);
        assert!(found["process_cpu_seconds_total"] > 0.0);
        assert!(found["process_open_fds"] < found["process_max_fds"]);
    });
}
