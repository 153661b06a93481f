//! The report as pictures: a bar for each subject with the spread of its runs, and latencies on a logarithmic scale.

use plotters::coord::Shift;
use plotters::element::PathElement;
use plotters::prelude::{
    ChartBuilder, Circle, Color, DrawingArea, IntoDrawingArea, IntoFont, LabelAreaPosition, RGBColor, Rectangle,
    SVGBackend, Text, TextStyle,
};
use plotters::style::ShapeStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::results::{Report, SubjectResults, duration};
use crate::statistics::Spread;

/// The colours by which a style sheet finds what it colours anew.
pub(crate) const INK: &str = "#222222";
pub(crate) const GRID: &str = "#DDDDDD";
const INK_COLOR: RGBColor = RGBColor(0x22, 0x22, 0x22);
const GRID_COLOR: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
const BAR: RGBColor = RGBColor(0x44, 0x77, 0xaa);
const LIMIT_BAR: RGBColor = RGBColor(0x9a, 0xa4, 0xae);
const FAULT: RGBColor = RGBColor(0xbb, 0x33, 0x44);

/// The pictures' size, in pixels.
const WIDTH: u32 = 860;
const ROW_HEIGHT: u32 = 34;
const FRAME_HEIGHT: u32 = 84;
const NAMES_WIDTH: u32 = 130;
const FIGURES_WIDTH: u32 = 190;

/// A picture, still in figures.
#[derive(Debug)]
struct Chart {
    title: &'static str,
    /// Whether figures are shown by their logarithms.
    is_logarithmic: bool,
    /// How a figure is written.
    show: fn(f64) -> String,
    rows: Vec<Row>,
}

/// A subject's row.
#[derive(Debug)]
struct Row {
    name: String,
    /// Where the bar ends, if there is one.
    bar: Option<f64>,
    points: Vec<f64>,
    /// What stands behind it.
    words: String,
    is_limit: bool,
    is_fault: bool,
}

/// The report's pictures, one SVG each, for a page with a background of its own.
pub(crate) fn draw_each(report: &Report) -> Vec<String> {
    let draw_one = |chart: &Chart| {
        let mut svg = String::new();
        draw(&mut svg, std::slice::from_ref(chart), false);
        svg
    };
    charts(report).iter().map(draw_one).collect()
}

/// The report's pictures one below the other, as an SVG file.
pub(crate) fn draw_all(report: &Report) -> String {
    let mut svg = String::new();
    draw(&mut svg, &charts(report), true);
    svg
}

fn charts(report: &Report) -> Vec<Chart> {
    let mut charts = Vec::new();
    let mut bars = |title, show: fn(f64) -> String, figures: &dyn Fn(usize) -> Vec<f64>| {
        let row = |number: usize| {
            let results = &report.results[number];
            let points = figures(number);
            let spread = Spread::of(points.iter().copied());
            let words = match (results.fault(), spread) {
                (Some(fault), _) => fault,
                (None, Some(spread)) => show(spread.median),
                (None, None) => "-".to_owned(),
            };
            Row {
                name: results.subject.name.clone(),
                bar: spread.map(|spread| spread.median),
                points,
                words,
                is_limit: results.subject.limit.is_some(),
                is_fault: results.fault().is_some(),
            }
        };
        let rows: Vec<Row> = (0..report.results.len()).map(row).collect();
        charts.push(Chart { title, is_logarithmic: false, show, rows });
    };
    if report.pace.rate.is_none() {
        bars("Throughput: more is better", |rate| format!("{rate:.0} MB/s"), &|number| {
            report.results[number].rates(&report.counts)
        });
    }
    bars("Processor time of the logger: less is better", duration, &|number| {
        report.results[number].processor_seconds()
    });
    bars("Peak memory: less is better", |megabytes| format!("{megabytes:.1} MB"), &|number| {
        report.results[number].peak_megabytes()
    });
    if report.has_latencies() {
        let row = |results: &SubjectResults| {
            let latencies = results.latencies();
            let words = results
                .fault()
                .unwrap_or_else(|| latencies.map_or_else(|| "-".to_owned(), |all| all.map(duration).join(" · ")));
            Row {
                name: results.subject.name.clone(),
                bar: None,
                points: latencies.map_or_else(Vec::new, |all| all.to_vec()),
                words,
                is_limit: results.subject.limit.is_some(),
                is_fault: results.fault().is_some(),
            }
        };
        charts.push(Chart {
            title: "From write to visible, p50 · p99 · max: less is better",
            is_logarithmic: true,
            show: duration,
            rows: report.results.iter().map(row).collect(),
        });
    }
    charts
}

fn draw(svg: &mut String, charts: &[Chart], has_background: bool) {
    let height = |chart: &Chart| FRAME_HEIGHT + ROW_HEIGHT * u32::try_from(chart.rows.len()).unwrap_or(0);
    let root = SVGBackend::with_string(svg, (WIDTH, charts.iter().map(height).sum())).into_drawing_area();
    if has_background {
        root.fill(&RGBColor(255, 255, 255)).expect("memory can be drawn to");
    }
    let mut rest = root.clone();
    for chart in charts {
        let (area, below) = rest.split_vertically(height(chart));
        draw_chart(&area, chart).expect("memory can be drawn to");
        rest = below;
    }
    root.present().expect("memory can be drawn to");
}

type Area<'s> = DrawingArea<SVGBackend<'s>, Shift>;

fn draw_chart(area: &Area<'_>, chart: &Chart) -> Result<(), Box<dyn std::error::Error>> {
    let place = |figure: f64| if chart.is_logarithmic { figure.log10() } else { figure };
    let figures = || chart.rows.iter().flat_map(|row| row.points.iter().copied().chain(row.bar));
    let most = figures().map(place).fold(f64::NEG_INFINITY, f64::max);
    let least = figures().map(place).fold(f64::INFINITY, f64::min);
    let (from, to) = match (chart.is_logarithmic, most.is_finite()) {
        (_, false) => (0.0, 1.0),
        (true, true) => (least.floor(), most.ceil().max(least.floor() + 1.0)),
        (false, true) => (0.0, if most > 0.0 { most * 1.05 } else { 1.0 }),
    };
    let count = chart.rows.len() as f64;
    let font = |size: i32| TextStyle::from(("sans-serif", size).into_font()).color(&INK_COLOR);
    area.draw(&Text::new(chart.title, (12, 14), font(16)))?;
    let mut builder = ChartBuilder::on(area);
    builder
        .margin_top(44)
        .margin_right(FIGURES_WIDTH)
        .set_label_area_size(LabelAreaPosition::Left, NAMES_WIDTH)
        .set_label_area_size(LabelAreaPosition::Bottom, 30);
    let mut plot = builder.build_cartesian_2d(from..to, 0.0..count)?;
    let show = |position: &f64| (chart.show)(if chart.is_logarithmic { 10_f64.powf(*position) } else { *position });
    plot.configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(RGBColor(0xff, 0xff, 0xff).mix(0.0))
        .bold_line_style(GRID_COLOR)
        .axis_style(GRID_COLOR)
        .x_labels(6)
        .x_label_formatter(&show)
        .x_label_style(font(12))
        .draw()?;
    for (number, row) in chart.rows.iter().enumerate() {
        let middle = count - number as f64 - 0.5;
        let color = if row.is_limit { LIMIT_BAR } else { BAR };
        let (line, full) = (ShapeStyle::from(&INK_COLOR).stroke_width(1), color.filled());
        if let Some(bar) = row.bar {
            plot.draw_series([Rectangle::new([(from, middle - 0.32), (place(bar), middle + 0.32)], full)])?;
        }
        if let Some(spread) = Spread::of(row.points.iter().map(|&point| place(point))) {
            let whisker = |ends: [(f64, f64); 2]| PathElement::new(ends.to_vec(), line);
            plot.draw_series([
                whisker([(spread.least, middle), (spread.greatest, middle)]),
                whisker([(spread.least, middle - 0.14), (spread.least, middle + 0.14)]),
                whisker([(spread.greatest, middle - 0.14), (spread.greatest, middle + 0.14)]),
            ])?;
        }
        if chart.is_logarithmic {
            plot.draw_series(row.points.iter().map(|&point| Circle::new((place(point), middle), 4, full)))?;
        }
        let (left, height) = plot.backend_coord(&(from, middle));
        let (right, _) = plot.backend_coord(&(to, middle));
        // The plot's coordinates are the whole picture's, the area's are its own.
        let (x, y) = area.get_base_pixel();
        let (left, right, height) = (left - x, right - x, height - y);
        area.draw(&Text::new(
            row.name.clone(),
            (left - 10, height),
            font(14).pos(Pos::new(HPos::Right, VPos::Center)),
        ))?;
        let words = if row.is_fault { font(13).color(&FAULT) } else { font(13) };
        area.draw(&Text::new(row.words.clone(), (right + 10, height), words.pos(Pos::new(HPos::Left, VPos::Center))))?;
    }
    Ok(())
}
