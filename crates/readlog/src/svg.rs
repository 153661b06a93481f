//! The histogram as a picture, an SVG that plotters draws.

use plotters::prelude::{
    ChartBuilder, Color, IntoDrawingArea, IntoFont, LabelAreaPosition, RGBColor, Rectangle, SVGBackend, Text, TextStyle,
};

use crate::histogram::{Histogram, time_of};

/// The picture's size, and the margins around the bars, in pixels.
const SIZE: (u32, u32) = (960, 360);
const MARGIN_TOP: u32 = 40;
const MARGIN_RIGHT: u32 = 24;
const COUNTS_WIDTH: u32 = 72;
const TIMES_HEIGHT: u32 = 44;

const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
const BAR: RGBColor = RGBColor(0x44, 0x77, 0xaa);
const WHITE: RGBColor = RGBColor(0xff, 0xff, 0xff);

/// The part of its interval that a bar fills.
const BAR_WIDTH: f64 = 0.9;
/// How many times are below the bars, and how many counts beside them.
const TIMES: usize = 6;
const COUNTS: usize = 5;

/// Draws a histogram.
pub(super) fn draw(histogram: &mut Histogram, services: &str) -> String {
    let mut svg = String::new();
    draw_to(&mut svg, histogram, services).expect("memory can be drawn to");
    svg
}

fn draw_to(svg: &mut String, histogram: &mut Histogram, services: &str) -> Result<(), Box<dyn std::error::Error>> {
    let bars = histogram.bars();
    let interval = histogram.interval();
    let most = bars.iter().map(|(_, lines)| *lines).max().unwrap_or(0).max(1) as f64;
    let count = bars.len().max(1) as f64;
    let font = |size: i32| TextStyle::from(("sans-serif", size).into_font()).color(&INK);
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let title = format!("{services}: lines per {}", length_of(interval));
    area.draw(&Text::new(title, (COUNTS_WIDTH.cast_signed(), 12), font(17)))?;
    let mut chart = ChartBuilder::on(&area)
        .margin_top(MARGIN_TOP)
        .margin_right(MARGIN_RIGHT)
        .set_label_area_size(LabelAreaPosition::Left, COUNTS_WIDTH)
        .set_label_area_size(LabelAreaPosition::Bottom, TIMES_HEIGHT)
        .build_cartesian_2d(0.0..count, 0.0..most)?;
    // A tick stands where the bar begins whose time it shows.
    let time = |position: &f64| match bars.get(position.floor() as usize) {
        Some((at, _)) if position.fract() == 0.0 => time_of(*at, interval),
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE.mix(0.0))
        .bold_line_style(GRID)
        .axis_style(INK)
        .x_labels(TIMES)
        .y_labels(COUNTS)
        .x_label_formatter(&time)
        .y_label_formatter(&|lines| format!("{lines:.0}"))
        .label_style(font(15))
        .draw()?;
    // A bar is at least a pixel wide and high: a single line can be seen.
    let (width, height) = chart.plotting_area().dim_in_pixel();
    let pixels = |size: u32| f64::from(size.saturating_sub(1).max(1));
    let bar_width = (count / pixels(width)).max(BAR_WIDTH);
    let bar_height_min = most / pixels(height);
    let bar = |(i, (_, lines)): (usize, &(i64, u64))| {
        let (left, top) = (i as f64, (*lines as f64).max(bar_height_min));
        Rectangle::new([(left, 0.0), (left + bar_width, top)], BAR.filled())
    };
    chart.draw_series(bars.iter().enumerate().filter(|(_, (_, lines))| *lines > 0).map(bar))?;
    area.present()?;
    Ok(())
}

/// An interval in words.
fn length_of(seconds: i64) -> String {
    for (unit, length) in [("day", 86_400), ("hour", 3600), ("minute", 60)] {
        match seconds / length {
            1 if seconds % length == 0 => return unit.to_owned(),
            count if seconds % length == 0 && count > 0 => return format!("{count} {unit}s"),
            _ => {}
        }
    }
    if seconds == 1 { "second".to_owned() } else { format!("{seconds} seconds") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Interval;

    /// How many bars there are, each at least a pixel wide and high.
    fn visible_bars(svg: &str) -> usize {
        let is_visible = |tag: &str| !tag.contains(" width=\"0\"") && !tag.contains(" height=\"0\"");
        svg.split('<').filter(|tag| tag.starts_with("rect ") && tag.contains("#4477AA") && is_visible(tag)).count()
    }

    #[test]
    fn the_picture_has_a_bar_for_each_count() {
        let mut histogram = Histogram::new(Some(Interval(3600)));
        histogram.count(Some(0), 4);
        histogram.count(Some(7200), 2);

        let svg = draw(&mut histogram, "a<b");

        assert_eq!(visible_bars(&svg), 2, "{svg}");
        assert!(svg.contains("a&lt;b: lines per hour"), "{svg}");
        assert!(svg.contains("1970-01-01 02:00"), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn every_bar_of_a_crowded_picture_can_be_seen() {
        let mut histogram = Histogram::new(Some(Interval(1)));
        (0..1500).for_each(|second| histogram.count(Some(second), if second == 0 { 100_000 } else { 1 }));

        assert_eq!(visible_bars(&draw(&mut histogram, "x")), 1500);
    }

    #[test]
    fn a_log_without_lines_has_a_picture_without_bars() {
        assert_eq!(visible_bars(&draw(&mut Histogram::new(None), "x")), 0);
    }
}
