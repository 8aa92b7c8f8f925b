//! The page of results: a table in Markdown and a chart.

use std::fmt::Write as _;

use plotters::prelude::{
    BLACK, Color, DrawingAreaErrorKind, IntoDrawingArea, IntoFont, RGBColor, Rectangle, SVGBackend,
    Text, WHITE,
};

use crate::figures::{Figures, number};
use crate::peer::Peer;

/// What the page says above its table.
pub(crate) struct Heading {
    pub(crate) command: String,
    pub(crate) repetitions: usize,
    pub(crate) seconds: u64,
    pub(crate) peers: Vec<(Peer, Result<String, String>)>,
}

pub(crate) fn table(heading: &Heading, figures: &Figures) -> String {
    let mut page = String::from("# Muster beside its peers\n\n");
    let (command, seconds) = (&heading.command, heading.seconds);
    let _ = writeln!(
        page,
        "Made by `{command}`. Real processes, one for each member, on distinct loopback addresses of one network namespace, default (LAN) settings; all\n\
         start at once with one seed. Peers take turns, repetitions: {}. Medians, with least and largest. Faults and the quiet span last {seconds} s (*incoming*:\n\
         three times a third of that, each followed by as long a calm). Packets and bytes are the loopback interface's own counters, streams included.\n\
         A log line counts when it is read. The machine does other work too: compare within one run only.\n",
        heading.repetitions
    );
    page.push_str(
        "Muster and kinship are encrypted; Serf and foca are not.\n\
         Muster tells hints apart from verdicts; a peer's one death stands in both lines. `muster/serf` is the ratio of medians.\n\n",
    );
    for (peer, version) in &heading.peers {
        let _ = match version {
            Ok(version) => writeln!(page, "- {peer}: {version}"),
            Err(why) => writeln!(page, "- {peer}: left out; {why}"),
        };
    }
    page.push_str("\n| | members |");
    for peer in Peer::ALL {
        let _ = write!(page, " {peer} |");
    }
    page.push_str(" muster/serf | mark | reached |\n|---|---|---|---|---|---|---|---|---|\n");
    for (figure, size, values) in figures.lines() {
        let _ = write!(page, "| {} | {size} |", figure.title());
        for peer in Peer::ALL {
            let shown = values.get(&peer).map_or("-".to_owned(), |it| it.shown());
            let _ = write!(page, " {shown} |");
        }
        let ratio = Figures::ratio(values).map_or("-".to_owned(), number);
        let (mark, reached) = Figures::judged(figure, size, values);
        let reached = reached.map_or("-", |reached| if reached { "yes" } else { "**no**" });
        let _ = writeln!(page, " {ratio} | {mark} | {reached} |");
    }
    page
}

/// In pixels.
const WIDTH: u32 = 1000;
const BAR: i32 = 14;
const TITLE: i32 = 20;
const LEFT: i32 = 90;
const COLUMNS: i32 = 2;

/// A bar for each median; each line of the table has a scale of its own.
pub(crate) fn chart(figures: &Figures) -> Result<String, DrawingAreaErrorKind<std::io::Error>> {
    let panel = TITLE + BAR * Peer::ALL.len() as i32 + 14;
    let rows = (figures.lines().count() as i32 + COLUMNS - 1) / COLUMNS;
    let mut svg = String::new();
    let height = (rows * panel).max(panel).unsigned_abs() + 20;
    let page = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    page.fill(&WHITE)?;
    let column = WIDTH as i32 / COLUMNS;
    let small = ("sans-serif", 12).into_font();
    for (index, (figure, size, values)) in figures.lines().enumerate() {
        let index = index as i32;
        let (x, y) = (index % COLUMNS * column + 10, index / COLUMNS * panel + 10);
        let title = format!("{}, {size} members", figure.title().replace('`', ""));
        page.draw(&Text::new(title, (x, y), small.clone().color(&BLACK)))?;
        let finite = |value: f64| value.is_finite().then_some(value);
        let medians = values.values().filter_map(|it| finite(it.median()));
        let largest = medians.fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        for (line, (peer, values)) in values.iter().enumerate() {
            let top = y + TITLE + BAR * line as i32;
            let median = values.median();
            let room = f64::from(column - LEFT - 90);
            let share = finite(median).map_or(1.0, |median| median / largest);
            let end = x + LEFT + (room * share) as i32;
            let name = Text::new(peer.name(), (x, top), small.clone().color(&BLACK));
            page.draw(&name)?;
            let bar = [(x + LEFT, top), (end, top + BAR - 3)];
            page.draw(&Rectangle::new(bar, colour(*peer).filled()))?;
            let shown = Text::new(number(median), (end + 5, top), small.clone().color(&BLACK));
            page.draw(&shown)?;
        }
    }
    page.present()?;
    drop(page);
    Ok(svg)
}

fn colour(peer: Peer) -> RGBColor {
    match peer {
        Peer::Muster => RGBColor(20, 110, 180),
        Peer::Serf => RGBColor(220, 130, 30),
        Peer::Kinship => RGBColor(110, 160, 80),
        Peer::Foca => RGBColor(150, 110, 170),
    }
}

#[cfg(test)]
mod tests {
    use super::{Heading, chart, table};
    use crate::figures::{Figure, Figures};
    use crate::peer::Peer;

    #[test]
    fn a_page_tells_what_was_reached_and_who_was_left_out() {
        let mut figures = Figures::default();
        figures.add(Figure::CutHint, 10, Peer::Muster, 1.2);
        figures.add(Figure::CutHint, 10, Peer::Serf, 9.6);
        let heading = Heading {
            command: "tests/peers".to_owned(),
            repetitions: 1,
            seconds: 60,
            peers: vec![(Peer::Foca, Err("it is not built".to_owned()))],
        };
        let page = table(&heading, &figures);
        let title = Figure::CutHint.title();
        let line = "10 | 1.20 | 9.60 | - | - | 0.12 | 1.5 median, 3 worst | yes |";
        assert!(page.contains(&format!("| {title} | {line}")), "{page}");
        assert!(page.contains("- foca: left out; it is not built"), "{page}");
        let svg = chart(&figures).expect("a string can be drawn on");
        assert!(svg.contains("muster") && svg.contains("9.60"), "{svg}");
    }
}
