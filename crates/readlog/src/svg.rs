//! The histogram as a picture, an SVG that plotters draws.

use plotters::prelude::{
    ChartBuilder, Color, IntoDrawingArea, IntoFont, LabelAreaPosition, RGBColor, Rectangle, SVGBackend, Text, TextStyle,
};

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

use crate::histogram::{Histogram, time_of};

/// The picture's size, and the margins around the bars, in pixels.
const SIZE: (u32, u32) = (960, 360);
const MARGIN_TOP: u32 = 40;
// Half of a time is on either side of its tick, and a tick may be at either end.
const MARGIN_RIGHT: u32 = 80;
const COUNTS_WIDTH: u32 = 80;
const TIMES_HEIGHT: u32 = 44;

const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
const BAR: RGBColor = RGBColor(0x44, 0x77, 0xaa);
const WHITE: RGBColor = RGBColor(0xff, 0xff, 0xff);

/// The part of its interval that a bar fills.
const BAR_WIDTH: f64 = 0.9;
/// How many times are below the bars, and how many counts beside them.
const TIMES: i64 = 4;
const COUNTS: u64 = 5;

/// The times between two ticks to choose from, in seconds, and those beyond them in days.
const STEPS: [i64; 20] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];

/// An axis from 0 on, with ticks that are given: plotters would choose them by the number of bars, not by their times.
struct Axis {
    end: f64,
    ticks: Vec<f64>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        // Both ends of the limits are pixels of the picture.
        let pixel = f64::from(to - from) * value / self.end;
        from + pixel.round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        0.0..self.end
    }
}

/// Draws a histogram.
pub(super) fn draw(histogram: &mut Histogram, services: &str) -> String {
    let mut svg = String::new();
    draw_to(&mut svg, histogram, services).expect("memory can be drawn to");
    svg
}

fn draw_to(svg: &mut String, histogram: &mut Histogram, services: &str) -> Result<(), Box<dyn std::error::Error>> {
    let bars = histogram.bars();
    let interval = histogram.interval();
    let most_lines = bars.iter().map(|(_, lines)| *lines).max().unwrap_or(0).max(1);
    let most = most_lines as f64;
    let step = time_step(&bars, interval);
    let times: Vec<f64> = time_ticks(&bars, step).into_iter().map(|bar| bar as f64).collect();
    let counts: Vec<f64> = count_ticks(most_lines).into_iter().map(|lines| lines as f64).collect();
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
        .build_cartesian_2d(Axis { end: count, ticks: times }, Axis { end: most, ticks: counts })?;
    // A tick stands where the bar begins whose time it shows.
    let time = |position: &f64| bars.get(*position as usize).map_or_else(String::new, |(at, _)| time_of(*at, step));
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE.mix(0.0))
        .bold_line_style(GRID)
        .axis_style(INK)
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

/// The time between two ticks: a round one, and a multiple of the interval.
fn time_step(bars: &[(i64, u64)], interval: i64) -> i64 {
    let (Some((first, _)), Some((last, _))) = (bars.first(), bars.last()) else { return interval };
    // If stretches without lines are left out, the bars take less room than their time.
    let time = last.saturating_sub(*first).min(interval.saturating_mul(bars.len() as i64));
    let fits = |step: &i64| step % interval == 0 && time / step <= TIMES;
    STEPS.into_iter().find(fits).unwrap_or_else(|| {
        let per_tick = (time / TIMES).max(1);
        (per_tick / interval + i64::from(per_tick % interval > 0)).max(1).saturating_mul(interval)
    })
}

/// The bars with a tick: those that begin where a step does; or, if there are gaps, first after that.
fn time_ticks(bars: &[(i64, u64)], step: i64) -> Vec<usize> {
    let mut ticks: Vec<usize> = Vec::new();
    let between = bars.len() / (TIMES as usize + 1);
    for (i, (at, _)) in bars.iter().enumerate() {
        let is_first = i == 0 || bars[i - 1].0.div_euclid(step) != at.div_euclid(step);
        let has_room = ticks.last().is_none_or(|last| i - last >= between);
        if is_first && has_room && (i > 0 || at.rem_euclid(step) == 0) {
            ticks.push(i);
        }
    }
    // A chart without any time would say nothing.
    if ticks.is_empty() && !bars.is_empty() {
        ticks.push(0);
    }
    ticks
}

/// Counts of lines with a tick: multiples of 1, 2 or 5, with zeros.
fn count_ticks(most: u64) -> Vec<u64> {
    let mut power = 1_u64;
    let step = loop {
        if let Some(step) =
            [1, 2, 5].map(|digit| power.saturating_mul(digit)).into_iter().find(|step| most / step <= COUNTS)
        {
            break step;
        }
        power = power.saturating_mul(10);
    };
    (0..=most / step).map(|tick| tick * step).collect()
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

    /// Where each text of the picture stands, and how wide it is at most.
    fn texts(svg: &str) -> Vec<(String, f64, f64)> {
        let text = |tag: &str| {
            let x = tag.split("x=\"").nth(1)?.split('"').next()?.parse::<f64>().ok()?;
            let text = tag.split_once('>')?.1.trim().to_owned();
            let width = text.len() as f64 * 8.0;
            let left = if tag.contains("middle") { x - width / 2.0 } else { x };
            Some((text, left, left + width))
        };
        svg.split('<').filter(|tag| tag.starts_with("text ") && !tag.contains("\"end\"")).filter_map(text).collect()
    }

    #[test]
    fn times_are_round_and_within_the_picture() {
        for (interval, from, to) in [
            (600, 1_795_300_000, 1_795_356_000),
            (1, 0, 59),
            (3600, 0, 86_400 * 9),
            (10, 7, 7),
            (60, 86_340, 90_000),
            (86_400, 0, 86_400 * 60),
        ] {
            let mut histogram = Histogram::new(Some(Interval(interval)));
            histogram.count(Some(from), 4);
            histogram.count(Some(to), 2);

            let texts = texts(&draw(&mut histogram, "x"));

            let times: Vec<_> =
                texts.iter().filter(|(text, ..)| text.starts_with("19") || text.starts_with("20")).collect();
            assert!((1..=7).contains(&times.len()), "{interval}: {times:?}");
            assert!(times.iter().all(|(_, left, right)| *left >= 0.0 && *right <= 960.0), "{interval}: {times:?}");
            assert!(times.windows(2).all(|pair| pair[0].2 <= pair[1].1), "{interval}: they overlap: {times:?}");
        }
        assert_eq!(time_step(&[(1_795_299_600, 1), (1_795_356_000, 1)], 600), 600);
        let bars: Vec<(i64, u64)> = (0..100).map(|bar| (1_795_299_600 + bar * 600, 1)).collect();
        let step = time_step(&bars, 600);
        assert_eq!(step, 21_600);
        assert!(time_ticks(&bars, step).iter().all(|bar| bars[*bar].0 % step == 0));
    }

    #[test]
    fn counts_are_round() {
        for (most, ticks) in [
            (1, &[0, 1][..]),
            (3, &[0, 1, 2, 3]),
            (7, &[0, 2, 4, 6]),
            (114, &[0, 20, 40, 60, 80, 100]),
            (6000, &[0, 2000, 4000, 6000]),
        ] {
            assert_eq!(count_ticks(most), ticks, "{most}");
        }
        assert_eq!(count_ticks(u64::MAX).len(), 4);
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
