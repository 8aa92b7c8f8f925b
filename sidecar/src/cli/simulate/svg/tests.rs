use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use muster_swim::Config;
use muster_swim::sim::scenario::{Series, Spread, Step, Summary, Whom};
use roxmltree::{Document, Node};

use super::super::results::tests::{scenario, series, summary};
use super::super::results::{Column, Results};
use super::panels::{self, Panel};
use super::*;

/// What comes of results with these columns.
fn with<T>(
    members: usize,
    columns: &[(&str, &Summary)],
    then: impl FnOnce(&Results<'_>) -> T,
) -> T {
    let config = Config::lan();
    let columns: Vec<Column<'_>> = columns
        .iter()
        .map(|(name, summary)| Column {
            name,
            config: &config,
            summary,
            outcomes: &[],
        })
        .collect();
    then(&Results {
        scenario: &scenario(members),
        seeds: &[1, 2],
        columns: &columns,
    })
}

fn page_of(members: usize, columns: &[(&str, &Summary)]) -> String {
    with(members, columns, |results| {
        page::draw(results).expect("drawn")
    })
}

fn texts(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).expect("XML");
    let texts = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    texts
        .filter_map(|node| Some(node.text()?.trim().to_owned()))
        .collect()
}

#[test]
fn a_page_is_xml_with_its_title_and_every_axis() {
    let svg = page_of(5, &[("default", &summary())]);
    let texts = texts(&svg);
    for expected in [
        "nap: 5 members, 1m, seeds 1 to 2",
        "One is <stopped> & goes on",
        "default: preset lan (10 runs)",
        "members present",
        "time (s)",
        "time since the onset (s)",
        "hurt members noticed (%)",
        "bytes per member and second",
        "first member (4 of 8)",
        "every member (3 of 8)",
        "begins: pause",
    ] {
        assert!(
            texts.iter().any(|text| text == expected),
            "no {expected} in {texts:#?}"
        );
    }
}

#[test]
fn equal_input_gives_equal_bytes() {
    let summary = summary();
    let columns = [("default", &summary), ("other", &summary)];
    assert_eq!(page_of(5, &columns), page_of(5, &columns));
}

#[test]
fn names_that_no_xml_may_hold_are_replaced() {
    let svg = page_of(5, &[("\u{0}\u{ffff}<x>\u{1b}[2J]]>", &summary())]);
    let found = texts(&svg)
        .into_iter()
        .any(|text| text == "\u{fffd}\u{fffd}<x>\u{fffd}[2J]]>: preset lan (10 runs)");
    assert!(found, "{svg}");
}

#[test]
fn nothing_at_all_is_drawn_as_such() {
    let none = Summary::default();
    let said = texts(&page_of(5, &[("default", &none)]));
    for expected in [
        "No run kept what its members saw.",
        "Nobody was hurt: there was nothing to notice.",
        "Nothing was sent.",
    ] {
        assert!(
            said.iter().any(|text| text == expected),
            "no {expected} in {said:#?}"
        );
    }
    let unnoticed = Summary { hurt: 3, ..none };
    let said = texts(&page_of(5, &[("default", &unnoticed)]));
    assert!(
        said.iter()
            .any(|text| text == "None of 3 hurt members was noticed.")
    );
    assert!(said.iter().any(|text| text == "first member (0 of 3)"));
}

/// Where a text is: left, top, right and bottom, wide enough for most fonts.
fn place_of(text: Node<'_, '_>) -> [f64; 4] {
    let number = |name| -> f64 {
        let text = text.attribute(name).expect("there");
        text.parse().expect("a number")
    };
    let (x, y, size) = (number("x"), number("y"), number("font-size"));
    let letters = text.text().expect("a text").trim().chars().count();
    let width = letters as f64 * size * 0.6;
    let left = match text.attribute("text-anchor") {
        Some("middle") => x - width / 2.0,
        Some("end") => x - width,
        Some(_) | None => x,
    };
    let top = match text.attribute("dy") {
        Some("0.76em") => y,
        Some("0.5ex") => y - size / 2.0,
        Some(_) | None => y - size,
    };
    if text.attribute("transform").is_some() {
        // Turned upwards around its anchor, which is its middle.
        return [x, y - width / 2.0, x + size, y + width / 2.0];
    }
    [left, top, left + width, top + size]
}

/// Texts that lie upon each other or beyond the edge.
fn collisions(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).expect("XML");
    let texts: Vec<Node<'_, '_>> = document
        .descendants()
        .filter(|node| node.has_tag_name("text"))
        .collect();
    let mut found = Vec::new();
    for (position, one) in texts.iter().enumerate() {
        let a = place_of(*one);
        if a[0] < 0.0 || a[2] > 1000.0 {
            found.push(format!("{:?} beyond the edge", one.text()));
        }
        for other in &texts[..position] {
            let b = place_of(*other);
            if a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3] {
                found.push(format!("{:?} and {:?}", one.text(), other.text()));
            }
        }
    }
    found
}

#[test]
fn no_text_lies_upon_another() {
    for members in [5, 1000, 10_000] {
        let mut crowded = summary();
        let sizes: Vec<Vec<u32>> = (0..members as u32)
            .map(|member| (0..200).map(|sample| 1 + member * sample / 200).collect())
            .collect();
        let sizes: Vec<&[u32]> = sizes.iter().map(Vec::as_slice).collect();
        crowded.series = Some(series(&sizes));
        crowded.traffic.each_second = (0..900).map(|second| 1_234_567 * second).collect();
        let long = "a-rather-long-name-of-a-settings-file-in-a-folder.toml";
        let two = page_of(members, &[("default", &crowded), (long, &summary())]);
        assert_eq!(collisions(&two), [""; 0], "{members} members compared");
        let one = page_of(members, &[("default", &crowded)]);
        assert_eq!(collisions(&one), [""; 0], "{members} members");
        assert!(one.len() < 1_000_000, "{} bytes", one.len());
    }
}

fn members_panel(members: usize, seen: Series) -> Panel {
    let seen = Summary {
        series: Some(seen),
        ..summary()
    };
    with(members, &[("default", &seen)], panels::members).remove(0)
}

#[test]
fn members_are_steps_with_gaps_while_one_is_down() {
    let mut seen = series(&[&[3, 3, 2, 2, 3]]);
    seen.present
        .push(("n1".to_owned(), vec![None, Some(3), None, None, Some(3)]));
    let panel = members_panel(2, seen);
    let points: Vec<_> = panel.lines.into_iter().map(|line| line.points).collect();
    assert_eq!(
        points,
        [
            vec![
                (0.0, 3.0),
                (2.0, 3.0),
                (2.0, 2.0),
                (4.0, 2.0),
                (4.0, 3.0),
                (4.0, 3.0)
            ],
            vec![(1.0, 3.0), (2.0, 3.0)],
            vec![(4.0, 3.0), (4.0, 3.0)],
        ]
    );
}

#[test]
fn lines_of_many_members_are_thinned_and_the_caption_says_so() {
    let sizes: Vec<[u32; 2]> = (0..1000).map(|member| [1000, 1000 - member / 2]).collect();
    let sizes: Vec<&[u32]> = sizes.iter().map(<[u32; 2]>::as_slice).collect();
    let panel = members_panel(1000, series(&sizes));
    assert_eq!(panel.lines.len(), 200);
    assert!(
        panel
            .caption
            .starts_with("200 lines, drawn evenly from those of 1000 members")
    );
    let few = members_panel(2, series(&[&[2, 2], &[2, 1]]));
    assert_eq!(few.lines.len(), 2);
    assert_eq!(
        few.caption,
        "A line for each of 2 members; darker: more members saw the same; the run of seed 1."
    );
}

#[test]
fn those_who_saw_the_same_share_a_darker_line() {
    let same: Vec<&[u32]> = vec![&[99, 98]; 99];
    let mut sizes = same.clone();
    sizes.push(&[99, 97]);
    let panel = members_panel(100, series(&sizes));
    let opacities: Vec<f64> = panel.lines.iter().map(|line| line.opacity).collect();
    assert_eq!(opacities, [1.0, 0.25]);
}

#[test]
fn small_changes_of_large_clusters_fill_the_plot() {
    let y = |sizes: &[u32]| members_panel(5, series(&[sizes])).y;
    assert_eq!(y(&[1000, 990]), 989.0..1001.0);
    assert_eq!(y(&[5, 5]), 4.0..6.0);
    assert_eq!(y(&[1, 1000]), 0.0..1099.9);
    assert_eq!(y(&[0, 0]), 0.0..1.0);
}

#[test]
fn the_distribution_rises_at_each_detection() {
    let seen = Summary {
        first: Spread::of([1, 3].map(Duration::from_secs)),
        everywhere: Spread::default(),
        hurt: 4,
        ..summary()
    };
    let panel = with(5, &[("default", &seen)], panels::detection);
    assert_eq!(panel.nothing, None);
    assert_eq!(panel.lines.len(), 1, "of none there is no curve");
    let points = &panel.lines[0].points;
    assert_eq!(
        points[..],
        [
            (0.0, 0.0),
            (1.0, 0.0),
            (1.0, 25.0),
            (3.0, 25.0),
            (3.0, 50.0),
            (panel.x.end, 50.0)
        ]
    );
    assert!(panel.x.end > 3.0);
}

#[test]
fn a_distribution_of_many_keeps_its_ends() {
    let seen = Summary {
        first: Spread::of((1..=100_000).map(Duration::from_millis)),
        hurt: 100_000,
        ..summary()
    };
    let panel = with(5, &[("default", &seen)], panels::detection);
    let points = &panel.lines[0].points;
    assert!(points.len() < 1300, "{} points", points.len());
    assert_eq!(points[1], (0.001, 0.0));
    assert_eq!(points[points.len() - 2], (100.0, 100.0));
}

#[test]
fn traffic_is_by_member_and_pooled_when_long() {
    let panel = with(5, &[("default", &summary())], panels::traffic);
    assert_eq!(
        panel.lines[0].points[..4],
        [(0.0, 200.0), (1.0, 200.0), (1.0, 600.0), (2.0, 600.0)]
    );
    assert!(panel.caption.contains("each second"), "{}", panel.caption);
    let mut long = summary();
    long.traffic.each_second = vec![50; 1201];
    let panel = with(5, &[("default", &long)], panels::traffic);
    assert_eq!(panel.lines[0].points.len(), 2 * 401);
    assert_eq!(panel.lines[0].points.last(), Some(&(1201.0, 10.0)));
    assert!(panel.caption.contains("means of 3 s"), "{}", panel.caption);
}

#[test]
fn what_was_done_is_marked_unless_there_is_too_much() {
    let marks = |step: Step| {
        let mut scenario = scenario(5);
        scenario.steps[0] = step;
        let seen = Summary {
            series: Some(series(&[&[5; 61]])),
            ..summary()
        };
        let columns = [Column {
            name: "default",
            config: &scenario.config,
            summary: &seen,
            outcomes: &[],
        }];
        let results = Results {
            scenario: &scenario,
            seeds: &[1],
            columns: &columns,
        };
        panels::members(&results).remove(0).marks
    };
    let seconds = Duration::from_secs;
    let step = scenario(5).steps.remove(0);
    assert_eq!(marks(step.clone()), [2.0]);
    let thrice = step.clone().repeated(seconds(25), Some(3));
    assert_eq!(marks(thrice), [2.0, 27.0, 52.0]);
    let for_ever = step.clone().repeated(seconds(30), None);
    assert_eq!(marks(for_ever), [2.0, 32.0]);
    let one_by_one = Step {
        whom: Whom::Share(0.5),
        spacing: seconds(2),
        ..step.clone()
    };
    assert_eq!(marks(one_by_one), [2.0, 4.0, 6.0]);
    let crowded = step.repeated(Duration::from_millis(10), None);
    assert_eq!(marks(crowded), [0.0; 0]);
}

#[test]
fn a_file_is_replaced_whole_with_the_rights_of_a_new_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.svg");
    fs::write(&path, "old").expect("written");
    let link = folder.path().join("link.svg");
    std::os::unix::fs::symlink(&path, &link).expect("linked");
    let summary = summary();
    for target in [&path, &link] {
        with(5, &[("default", &summary)], |results| {
            check_writable(target).expect("writable");
            write_svg(target, results).expect("written");
        });
        let written = fs::read_to_string(&path).expect("there");
        assert_eq!(written, page_of(5, &[("default", &summary)]));
    }
    assert!(link.is_symlink(), "what a link points to was replaced");
    let plain = folder.path().join("plain");
    fs::write(&plain, "").expect("written");
    let rights = |path| fs::metadata(path).expect("there").permissions().mode();
    assert_eq!(rights(&path), rights(&plain));
    let names = fs::read_dir(folder.path()).expect("readable").count();
    assert_eq!(names, 3, "nothing else is left");
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_the_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing").join("report.svg");
    for path in [missing.as_path(), folder.path()] {
        let error = check_writable(path).expect_err("refused").to_string();
        let expected = format!("cannot write the report to {}: ", path.display());
        assert!(error.starts_with(&expected), "{error}");
    }
    let report = folder.path().join("report.svg");
    check_writable(&report).expect("writable");
    assert!(!report.exists(), "nothing was written yet");
    check_writable(Path::new("/dev/null")).expect("a device is written into");
}
