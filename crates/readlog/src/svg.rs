//! The histogram as a picture: SVG, written by hand, as it is a frame, some rectangles and a few words.

use std::fmt::Write;

use crate::histogram::{Histogram, time_of};

/// The picture's size, and the margins around the bars.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 56.0;
/// How many times are written below the bars.
const TIMES: usize = 6;
/// How many lines help to read the height.
const LINES: u64 = 4;

/// Draws a histogram.
pub(super) fn draw(histogram: &mut Histogram, services: &str) -> String {
    let bars = histogram.bars();
    let interval = histogram.interval();
    let most = bars.iter().map(|(_, lines)| *lines).max().unwrap_or(0).max(1);
    let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    let mut svg = String::new();
    // Writing to memory does not fail.
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"14\">{}: lines per {}</text>",
        escape(services),
        length_of(interval)
    );
    for i in 0..=LINES {
        let y = TOP + height * (LINES - i) as f64 / LINES as f64;
        let lines = most as f64 * i as f64 / LINES as f64;
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{lines:.0}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0
        );
    }
    let step = width / bars.len().max(1) as f64;
    for (i, (at, lines)) in bars.iter().enumerate() {
        let bar = height * *lines as f64 / most as f64;
        let (x, y) = (LEFT + step * i as f64, TOP + height - bar);
        if *lines > 0 {
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{:.2}\" height=\"{bar:.2}\" fill=\"#4477aa\"><title>{}: {lines}</title></rect>",
                (step * 0.9).max(0.5),
                time_of(*at, interval)
            );
        }
        if i % bars.len().div_ceil(TIMES).max(1) == 0 {
            let _ = writeln!(
                svg,
                "<line x1=\"{x:.2}\" y1=\"{:.1}\" x2=\"{x:.2}\" y2=\"{:.1}\" stroke=\"#333\"/>\
                 <text x=\"{x:.2}\" y=\"{:.1}\">{}</text>",
                TOP + height,
                TOP + height + 6.0,
                TOP + height + 22.0,
                time_of(*at, interval)
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
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

    #[test]
    fn the_picture_has_a_bar_for_each_count() {
        let mut histogram = Histogram::new(Some(Interval(3600)));
        histogram.count(Some(0), 4);
        histogram.count(Some(7200), 2);

        let svg = draw(&mut histogram, "a<b");

        assert_eq!(svg.matches("fill=\"#4477aa\"").count(), 2);
        assert!(svg.contains("a&lt;b: lines per hour"), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }
}
