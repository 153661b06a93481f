//! The history as a picture: for each series of reports a chart with one line for each subject, on a logarithmic scale.

use plotters::coord::Shift;
use plotters::element::PathElement;
use plotters::prelude::{
    ChartBuilder, Circle, Color, DrawingArea, IntoDrawingArea, IntoFont, LabelAreaPosition, RGBColor, SVGBackend, Text,
    TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::history::Series;

const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
/// Paul Tol's bright colours, which people with any colour vision can tell apart.
const COLORS: [RGBColor; 7] = [
    RGBColor(0x44, 0x77, 0xaa),
    RGBColor(0xee, 0x66, 0x77),
    RGBColor(0x22, 0x88, 0x33),
    RGBColor(0xcc, 0xbb, 0x44),
    RGBColor(0x66, 0xcc, 0xee),
    RGBColor(0xaa, 0x33, 0x77),
    RGBColor(0x77, 0x77, 0x77),
];

/// In pixels.
const WIDTH: u32 = 860;
const HEIGHT: u32 = 320;
const NAMES_WIDTH: u32 = 150;
const NAME_HEIGHT: i32 = 15;

/// The picture, as an SVG file.
pub(crate) fn draw(all: &[Series]) -> String {
    let mut svg = String::new();
    let height = HEIGHT * u32::try_from(all.len().max(1)).unwrap_or(1);
    let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    root.fill(&RGBColor(255, 255, 255)).expect("memory can be drawn to");
    let mut rest = root.clone();
    for series in all {
        let (area, below) = rest.split_vertically(HEIGHT);
        draw_series(&area, series).expect("memory can be drawn to");
        rest = below;
    }
    root.present().expect("memory can be drawn to");
    drop(rest);
    drop(root);
    svg
}

type Area<'s> = DrawingArea<SVGBackend<'s>, Shift>;

fn draw_series(area: &Area<'_>, series: &Series) -> Result<(), Box<dyn std::error::Error>> {
    let entries = &series.entries;
    let logarithms = entries.iter().flat_map(|entry| &entry.figures).map(|(_, figure)| figure.max(1e-6).log10());
    let (least, most) = logarithms
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), figure| (least.min(figure), most.max(figure)));
    let (least, most) =
        if least.is_finite() { (least.floor(), most.ceil().max(least.floor() + 1.0)) } else { (0.0, 1.0) };
    let last = entries.len() - 1;
    let font = |size: i32| TextStyle::from(("sans-serif", size).into_font()).color(&INK);
    area.draw(&Text::new(series.conditions.title(), (12, 10), font(16)))?;
    area.draw(&Text::new(series.conditions.unit(), (12, 30), font(12)))?;
    let mut builder = ChartBuilder::on(area);
    builder
        .margin_top(54)
        .margin_right(NAMES_WIDTH)
        .set_label_area_size(LabelAreaPosition::Left, 50)
        .set_label_area_size(LabelAreaPosition::Bottom, 30);
    let mut plot = builder.build_cartesian_2d(-0.3..last as f64 + 0.3, least..most)?;
    // A label at each report, which lies at a whole number.
    let day = |position: &f64| {
        let entry = entries.get(position.round().max(0.0) as usize);
        let is_whole = (position - position.round()).abs() < 1e-6;
        entry.filter(|_| is_whole).map_or_else(String::new, |entry| entry.moment.chars().take(10).collect())
    };
    plot.configure_mesh()
        .disable_x_mesh()
        .light_line_style(RGBColor(0xff, 0xff, 0xff).mix(0.0))
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_labels(entries.len().min(8))
        .x_label_formatter(&day)
        .y_labels((most - least) as usize + 1)
        .y_label_formatter(&|logarithm| format!("{}", 10_f64.powf(*logarithm)))
        .label_style(font(12))
        .draw()?;
    // The names stand behind the ends of their lines, at least one line of text apart.
    let mut names = Vec::new();
    for (name, color) in series.names().into_iter().zip(COLORS.into_iter().cycle()) {
        let points: Vec<(f64, f64)> = entries
            .iter()
            .enumerate()
            .filter_map(|(place, entry)| Some((place as f64, entry.figure(name)?.max(1e-6).log10())))
            .collect();
        plot.draw_series([PathElement::new(points.clone(), color.stroke_width(2))])?;
        plot.draw_series(points.iter().map(|&point| Circle::new(point, 3, color.filled())))?;
        if let Some(&(_, end)) = points.last() {
            let (x, y) = plot.backend_coord(&(last as f64 + 0.3, end));
            let (base_x, base_y) = area.get_base_pixel();
            names.push((y - base_y, x - base_x, name, color));
        }
    }
    names.sort_by_key(|&(y, ..)| y);
    let mut free = i32::MIN;
    for (y, x, name, color) in names {
        let y = y.max(free);
        free = y + NAME_HEIGHT;
        let style = font(13).color(&color).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(name.to_owned(), (x + 8, y), style))?;
    }
    Ok(())
}
