//! A scenario's plot, as an SVG that needs nothing else: bars of figures, or quantiles of times.

use std::fmt::Write;

use super::table::number;
use crate::stats::{Times, median};

const WIDTH: f64 = 900.0;
/// Of the head with the title.
const HEAD: f64 = 50.0;
/// Of a bar with its name above.
const ROW: f64 = 46.0;
/// Side margins.
const SIDE: f64 = 70.0;
/// Of the curves' area.
const HEIGHT: f64 = 340.0;
/// Apart also for those who see few colours; the first of each plot is the product's.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
/// Points of a curve for each digit of nines: 90 %, 99 %, 99.9 %, 99.99 %.
const STEPS: usize = 8;
const NINES: usize = 4;

/// What a plot shows, under a title.
pub enum Plot {
    /// Figures of one unit, by case and name: median as a bar, each round as a point, an absolute aim as a line.
    Bars(String, Vec<(String, String)>),
    /// The curves of the report.
    Quantiles(String),
}

impl Plot {
    /// Bars of these figures.
    pub fn bars<'a>(title: &str, figures: impl IntoIterator<Item = super::Name<'a>>) -> Self {
        let owned = figures.into_iter().map(|(case, name)| (case.to_owned(), name.to_owned()));
        Plot::Bars(title.to_owned(), owned.collect())
    }

    /// The report's curves.
    pub fn quantiles(title: &str) -> Self {
        Plot::Quantiles(title.to_owned())
    }

    /// Its title.
    pub fn title(&self) -> &str {
        match self {
            Plot::Bars(title, _) | Plot::Quantiles(title) => title,
        }
    }
}

/// A figure to show.
pub struct Bar {
    /// What it is.
    pub name: String,
    /// Its unit.
    pub unit: &'static str,
    /// Its values.
    pub rounds: Vec<f64>,
    /// What it should be.
    pub aim: Option<f64>,
}

/// Quantiles of times, for each round.
pub struct Curve {
    /// Of what.
    pub name: String,
    /// In ms, for each point of each round.
    rounds: Vec<Vec<f64>>,
}

impl Curve {
    /// Of one round.
    pub fn new(name: &str, times: &Times) -> Self {
        let mut curve = Curve { name: name.to_owned(), rounds: Vec::new() };
        curve.add(times);
        curve
    }

    /// A further round.
    pub fn add(&mut self, times: &Times) {
        self.rounds.push((0..=STEPS * NINES).map(|point| times.ms(share(point))).collect());
    }

    /// The rounds' median at each point.
    fn medians(&self) -> Vec<f64> {
        let at = |point: usize| median(&self.rounds.iter().map(|round| round[point]).collect::<Vec<_>>());
        (0..=STEPS * NINES).map(at).collect()
    }
}

/// 0, then ever closer to 1.
fn share(point: usize) -> f64 {
    1.0 - 0.1_f64.powf(point as f64 / STEPS as f64)
}

/// Lying bars, one below the other.
pub fn bars(title: &str, bars: &[Bar]) -> String {
    let values = bars.iter().flat_map(|bar| bar.rounds.iter().copied().chain(bar.aim));
    let most = values.fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| SIDE + value / most * (WIDTH - 2.0 * SIDE);
    let mut drawing = String::new();
    for (place, bar) in bars.iter().enumerate() {
        let (top, middle) = (HEAD + place as f64 * ROW, median(&bar.rounds));
        let colour = COLOURS[place % COLOURS.len()];
        let aim = bar.aim.map_or(String::new(), |aim| format!(" (aim {})", number(aim)));
        let label = format!("{}: {} {}{aim}", bar.name, number(middle), bar.unit);
        text(&mut drawing, (SIDE, top + 12.0), "start", &label);
        let (width, bottom) = (x(middle) - SIDE, top + 36.0);
        add(
            &mut drawing,
            format_args!(r#"<rect x="{SIDE}" y="{:.1}" width="{width:.1}" height="18" fill="{colour}"/>"#, top + 18.0),
        );
        for value in &bar.rounds {
            let at = x(*value);
            add(
                &mut drawing,
                format_args!(r##"<circle cx="{at:.1}" cy="{:.1}" r="3" fill="#fff" stroke="#222"/>"##, top + 27.0),
            );
        }
        if let Some(aim) = bar.aim {
            line(&mut drawing, (x(aim), top + 14.0), (x(aim), bottom + 4.0), "#222", "4 3");
        }
    }
    document(title, HEAD + bars.len() as f64 * ROW + 20.0, &drawing)
}

/// Curves over the share of all, from half to nearly all; times on a logarithmic scale.
pub fn quantiles(title: &str, curves: &[Curve]) -> String {
    let medians: Vec<Vec<f64>> = curves.iter().map(Curve::medians).collect();
    let positive = || medians.iter().flatten().copied().filter(|value| *value > 0.0);
    let lowest = positive().fold(f64::INFINITY, f64::min).min(1e6).log10().floor();
    let highest = positive().fold(f64::MIN_POSITIVE, f64::max).log10().ceil().max(lowest + 1.0);
    let x = |point: usize| SIDE + point as f64 / (STEPS * NINES) as f64 * (WIDTH - 2.0 * SIDE);
    let y = |value: f64| {
        let share = (value.max(f64::MIN_POSITIVE).log10().max(lowest) - lowest) / (highest - lowest);
        HEAD + HEIGHT - share * HEIGHT
    };
    let mut drawing = String::new();
    for power in lowest as i32..=highest as i32 {
        let value = 10_f64.powi(power);
        line(&mut drawing, (SIDE, y(value)), (WIDTH - SIDE, y(value)), "#ccc", "");
        text(&mut drawing, (SIDE - 6.0, y(value) + 4.0), "end", &format!("{value} ms"));
    }
    for (nines, label) in ["0 %", "90 %", "99 %", "99.9 %", "99.99 %"].into_iter().enumerate() {
        let at = x(nines * STEPS);
        line(&mut drawing, (at, HEAD), (at, HEAD + HEIGHT), "#ccc", "");
        text(&mut drawing, (at, HEAD + HEIGHT + 18.0), "middle", label);
    }
    for (place, (curve, medians)) in curves.iter().zip(&medians).enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        let points: Vec<String> =
            medians.iter().enumerate().map(|(point, value)| format!("{:.1},{:.1}", x(point), y(*value))).collect();
        let points = points.join(" ");
        add(
            &mut drawing,
            format_args!(r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>"#),
        );
        let legend = HEAD + 14.0 + place as f64 * 18.0;
        line(&mut drawing, (SIDE + 12.0, legend - 4.0), (SIDE + 34.0, legend - 4.0), colour, "");
        text(&mut drawing, (SIDE + 40.0, legend), "start", &curve.name);
    }
    document(title, HEAD + HEIGHT + 40.0, &drawing)
}

fn document(title: &str, height: f64, drawing: &str) -> String {
    let mut head = String::new();
    text(&mut head, (SIDE, 26.0), "start", title);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="13" fill="#222">
<rect width="100%" height="100%" fill="#fff"/>
<g font-size="17" font-weight="bold">
{head}</g>
{drawing}</svg>
"##
    )
}

fn text(drawing: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    add(drawing, format_args!(r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#));
}

fn line(drawing: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, dashes: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let place = format!(r#"x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}""#);
    add(drawing, format_args!(r#"<line {place} stroke="{colour}" stroke-dasharray="{dashes}"/>"#));
}

fn add(drawing: &mut String, element: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(drawing, "{element}");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_longest_bar_is_as_wide_as_the_plot_and_others_in_proportion() {
        let bar = |rounds: &[f64], aim| Bar { name: "a < b".to_owned(), unit: "1/s", rounds: rounds.to_vec(), aim };
        let svg = bars("Rates", &[bar(&[90.0, 100.0, 110.0], Some(200.0)), bar(&[50.0], None)]);
        let widths: Vec<&str> =
            svg.lines().filter_map(|line| line.split("width=\"").nth(1)?.split('"').next()).collect();
        assert!(widths.contains(&"380.0") && widths.contains(&"190.0"), "{widths:?}");
        assert!(svg.contains("a &lt; b: 100 1/s") && svg.contains("(aim 200)"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 4);
    }

    #[test]
    fn a_curve_is_the_median_of_its_rounds() {
        let times = |ms: u64| Times::new(vec![Duration::from_millis(ms); 10]);
        let mut curve = Curve::new("acks", &times(1));
        curve.add(&times(100));
        curve.add(&times(10));
        assert!(curve.medians().iter().all(|value| (value - 10.0).abs() < 1e-9));
        let svg = quantiles("Times", &[curve]);
        assert!(svg.contains("<polyline") && svg.contains("99.99 %") && svg.contains(">acks<"), "{svg}");
    }
}
