//! Where everything is on the page, and how it looks.

use plotters::coord::Shift;
use plotters::prelude::{
    BLACK, ChartBuilder, Color, DashedLineSeries, DrawingArea, DrawingAreaErrorKind, FontStyle,
    IntoDrawingArea, IntoFont, LineSeries, PathElement, RGBColor, SVGBackend, TextStyle, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::super::results::{Results, described, plural};
use super::panels::{self, Panel};
use crate::cli::table::{printable, shorten};

/// Why a page could not be drawn.
pub(super) type DrawError = DrawingAreaErrorKind<std::io::Error>;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// In pixels, as all lengths here.
const PAGE_WIDTH: u32 = 1000;

const PANEL_HEIGHT: u32 = 340;

const MARGIN: u32 = 20;

/// From one line of text to the next.
const LEADING: u32 = 18;

/// Sizes of letters: of the page's title, of a plot's, of everything else.
const LARGE: u32 = 20;
const MIDDLE: u32 = 15;
const SMALL: u32 = 12;

const GREY: RGBColor = RGBColor(90, 90, 90);

const MARK: RGBColor = RGBColor(150, 150, 150);

const LINES_OF_MESH: RGBColor = RGBColor(225, 225, 225);

/// The whole page.
pub(super) fn draw(results: &Results<'_>) -> Result<String, DrawError> {
    let subtitle = subtitle(results);
    let header = MARGIN + LARGE + 12 + LEADING * subtitle.len() as u32;
    let rows = [
        panels::members(results),
        vec![panels::detection(results)],
        vec![panels::traffic(results)],
    ];
    let height = header + PANEL_HEIGHT * rows.len() as u32 + MARGIN;
    let mut svg = String::new();
    let page = SVGBackend::with_string(&mut svg, (PAGE_WIDTH, height)).into_drawing_area();
    page.fill(&WHITE)?;
    let title = fitting(&results.title(), PAGE_WIDTH - 2 * MARGIN, LARGE);
    write(&page, &title, (MARGIN, MARGIN), LARGE, true, BLACK)?;
    for (line, text) in subtitle.iter().enumerate() {
        let y = MARGIN + LARGE + 12 + LEADING * line as u32;
        write(&page, text, (MARGIN, y), SMALL, false, GREY)?;
    }
    let (_, rest) = page.split_vertically(header);
    for (row, panels) in rows.iter().enumerate() {
        let width = PAGE_WIDTH / panels.len().max(1) as u32;
        for (column, panel) in panels.iter().enumerate() {
            let corner = (width * column as u32, PANEL_HEIGHT * row as u32);
            let place = rest.clone().shrink(corner, (width, PANEL_HEIGHT));
            draw_panel(&place, panel, width)?;
        }
    }
    page.present()?;
    drop((page, rest));
    Ok(svg)
}

/// What the scenario is and which settings were used.
fn subtitle(results: &Results<'_>) -> Vec<String> {
    let mut texts = vec![results.scenario.about.clone()];
    texts.extend(results.columns.iter().map(|column| {
        let runs = plural(column.summary.runs, "run");
        let settings = described(column.config);
        format!("{}: {settings} ({runs})", column.name)
    }));
    let texts = texts.iter().filter(|text| !text.is_empty());
    let letters = letters_in(PAGE_WIDTH - 2 * MARGIN, SMALL);
    texts.flat_map(|text| wrap(&clean(text), letters)).collect()
}

fn draw_panel(area: &Area<'_>, panel: &Panel, width: u32) -> Result<(), DrawError> {
    let room = width - 2 * MARGIN;
    write(
        area,
        &fitting(&panel.title, room, MIDDLE),
        (MARGIN, 12),
        MIDDLE,
        true,
        BLACK,
    )?;
    let mut y = 34;
    for line in wrap(&clean(&panel.caption), letters_in(room, SMALL)) {
        write(area, &line, (MARGIN, y), SMALL, false, GREY)?;
        y += LEADING;
    }
    y = draw_legend(area, panel, y, room)?;
    let plot = area.clone().shrink((0, y), (width, PANEL_HEIGHT - y));
    let mut chart = ChartBuilder::on(&plot)
        .margin_left(MARGIN)
        .margin_right(MARGIN)
        .margin_top(8)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(panel.x.clone(), panel.y.clone())?;
    chart
        .configure_mesh()
        .light_line_style(WHITE.mix(0.0))
        .bold_line_style(LINES_OF_MESH)
        .axis_style(GREY)
        .label_style(letters(SMALL, false, GREY))
        .axis_desc_style(letters(SMALL, false, BLACK))
        .x_labels((width / 90) as usize)
        .y_labels(6)
        .x_label_formatter(&|value| tick(*value, panel.x.end))
        .y_label_formatter(&|value| tick(*value, panel.y.end))
        .x_desc(panel.axes[0])
        .y_desc(panel.axes[1])
        .draw()?;
    for at in &panel.marks {
        let ends = [(*at, panel.y.start), (*at, panel.y.end)];
        let dashes = DashedLineSeries::new(ends, 2, 4, MARK.stroke_width(1));
        chart.draw_series(dashes)?;
    }
    for line in &panel.lines {
        let (red, green, blue) = line.colour;
        let style = RGBColor(red, green, blue).mix(line.opacity);
        let points = line.points.iter().copied();
        chart.draw_series(LineSeries::new(points, style.stroke_width(line.width)))?;
    }
    if let Some(text) = &panel.nothing {
        let middle = Pos::new(HPos::Center, VPos::Center);
        let style = letters(MIDDLE, false, GREY).pos(middle);
        let y = PANEL_HEIGHT / 2 + 20;
        area.draw_text(&clean(text), &style, ((width / 2) as i32, y as i32))?;
    }
    Ok(())
}

/// Short lines with their meanings, in rows; returns where the plot may begin.
fn draw_legend(area: &Area<'_>, panel: &Panel, top: u32, room: u32) -> Result<u32, DrawError> {
    const STROKE: u32 = 26;
    let mut y = top;
    let mut x = MARGIN;
    for (colour, text) in &panel.legend {
        let text = fitting(text, room - STROKE, SMALL);
        let needed = STROKE + text_width(&text, SMALL) + 24;
        if x > MARGIN && x + needed > room {
            (x, y) = (MARGIN, y + LEADING);
        }
        let (red, green, blue) = *colour;
        let line = [x, x + STROKE - 6].map(|x| (x as i32, y as i32 + 5));
        let style = RGBColor(red, green, blue).stroke_width(3);
        area.draw(&PathElement::new(line, style))?;
        write(area, &text, (x + STROKE, y), SMALL, false, BLACK)?;
        x += needed;
    }
    Ok(if panel.legend.is_empty() {
        y
    } else {
        y + LEADING
    })
}

fn write(
    area: &Area<'_>,
    text: &str,
    (x, y): (u32, u32),
    size: u32,
    bold: bool,
    colour: RGBColor,
) -> Result<(), DrawError> {
    let style = letters(size, bold, colour);
    area.draw_text(text, &style, (x as i32, y as i32))
}

fn letters(size: u32, bold: bool, colour: RGBColor) -> TextStyle<'static> {
    let style = if bold {
        FontStyle::Bold
    } else {
        FontStyle::Normal
    };
    // The library writes a letter smaller by this factor than it is asked to.
    let size = f64::from(size) * 1.24;
    ("sans-serif", size).into_font().style(style).color(&colour)
}

/// What the viewer's font makes of a text is not known here: this is wide for most.
fn text_width(text: &str, size: u32) -> u32 {
    text.chars().count() as u32 * size * 6 / 10
}

/// How many letters fit.
fn letters_in(width: u32, size: u32) -> usize {
    (width * 10 / 6 / size) as usize
}

fn fitting(text: &str, width: u32, size: u32) -> String {
    shorten(&clean(text), letters_in(width, size))
}

/// Without what XML does not take.
fn clean(text: &str) -> String {
    printable(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

/// Lines of at most so many letters, broken at spaces where there are some.
fn wrap(text: &str, letters: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word = shorten(word, letters);
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= letters => {
                line.push(' ');
                line.push_str(&word);
            }
            Some(_) | None => lines.push(word),
        }
    }
    lines
}

/// A number at an axis that ends at `end`: at most three digits after the point, large ones in
/// thousands or millions, so that there is room for them.
fn tick(value: f64, end: f64) -> String {
    let (one, unit) = match end {
        ..1e5 => (1.0, ""),
        ..1e8 => (1e3, "k"),
        _ => (1e6, "M"),
    };
    let text = format!("{:.3}", value / one);
    match text.trim_end_matches('0').trim_end_matches('.') {
        "0" | "-0" => "0".to_owned(),
        text => format!("{text}{unit}"),
    }
}
