//! What was measured: figures of each round, their medians, floors, aims and checks, as Markdown and as JSON.

mod costs;
mod plot;
mod table;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

pub use self::plot::Plot;
use self::plot::{Bar, Curve};
use self::table::{number, table};
use crate::machine::Facts;
use crate::stats::{Times, median};

/// Figure of a case: what the product uses.
pub const PRODUCT: &str = "CPU, runtime + Postgres";

/// A scenario's results.
pub struct Report {
    scenario: &'static str,
    facts: Facts,
    figures: Vec<Figure>,
    checks: Vec<Check>,
    curves: Vec<Curve>,
    plot: Option<Plot>,
}

/// A figure is named by its case and what it tells of it.
pub type Name<'a> = (&'a str, &'a str);

struct Figure {
    case: String,
    name: String,
    unit: &'static str,
    rounds: Vec<f64>,
    comparisons: Vec<Comparison>,
    aim: Option<Aim>,
}

struct Comparison {
    with: String,
    value: f64,
    /// Median of the rounds' ratios: what disturbs a round disturbs both sides of it.
    ratio: f64,
}

/// What a figure should be. Ratios are those to the first figure that it is compared with.
#[derive(Debug, Clone, Copy)]
pub enum Aim {
    /// No less than this.
    AtLeast(f64),
    /// No more than this.
    AtMost(f64),
    /// No smaller part than this.
    RatioAtLeast(f64),
    /// No greater multiple than this.
    RatioAtMost(f64),
}

struct Check {
    what: String,
    held: bool,
}

impl Report {
    /// Nothing measured yet.
    pub fn new(scenario: &'static str, facts: Facts) -> Self {
        Report { scenario, facts, figures: Vec::new(), checks: Vec::new(), curves: Vec::new(), plot: None }
    }

    /// A fact that was learned on the way.
    pub fn fact(&mut self, name: &str, value: String) {
        self.facts.push((name.to_owned(), value));
    }

    /// A figure of this round. Figures are shown in the order in which they come first.
    pub fn add(&mut self, (case, name): Name<'_>, unit: &'static str, value: f64) {
        if let Some(figure) = self.find((case, name)) {
            figure.rounds.push(value);
            return;
        }
        let (case, name) = (case.to_owned(), name.to_owned());
        self.figures.push(Figure { case, name, unit, rounds: vec![value], comparisons: Vec::new(), aim: None });
    }

    /// Sets a figure beside another, its floor for example, round by round, or medians where one has more rounds. Absent
    /// figures are left out.
    pub fn compare(&mut self, figure: Name<'_>, with: Name<'_>) {
        let Some(other) = self.find(with).map(|other| other.rounds.clone()) else { return };
        let Some(figure) = self.find(figure) else { return };
        let ratio = if figure.rounds.len() == other.len() {
            median(&figure.rounds.iter().zip(&other).map(|(own, other)| own / other).collect::<Vec<_>>())
        } else {
            median(&figure.rounds) / median(&other)
        };
        let comparison = Comparison { with: with.0.to_owned(), value: median(&other), ratio };
        figure.comparisons.push(comparison);
    }

    /// A round's times for a plot of quantiles. Curves are shown in the order in which they come first.
    pub fn curve(&mut self, name: &str, times: &Times) {
        match self.curves.iter_mut().find(|curve| curve.name == name) {
            Some(curve) => curve.add(times),
            None => self.curves.push(Curve::new(name, times)),
        }
    }

    /// What the scenario's plot shows.
    pub fn plot(&mut self, plot: Plot) {
        self.plot = Some(plot);
    }

    /// What a figure should be.
    pub fn aim(&mut self, figure: Name<'_>, aim: Aim) {
        if let Some(figure) = self.find(figure) {
            figure.aim = Some(aim);
        }
    }

    /// Something that must hold, or the figures are worth nothing.
    pub fn check(&mut self, held: bool, what: impl Into<String>) {
        let what = what.into();
        if !held {
            eprintln!("DOES NOT HOLD: {what}");
        }
        self.checks.push(Check { what, held });
    }

    /// Whether all checks held.
    pub fn held(&self) -> bool {
        self.checks.iter().all(|check| check.held)
    }

    fn find(&mut self, (case, name): Name<'_>) -> Option<&mut Figure> {
        self.figures.iter_mut().find(|figure| figure.case == case && figure.name == name)
    }

    /// For people: facts, a table that is readable as it is, checks.
    pub fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n", self.scenario);
        for (name, value) in &self.facts {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "- {name}: {value}");
        }
        text.push('\n');
        let header =
            ["case", "figure", "unit", "median", "lowest to highest", "floor", "ratio", "aim"].map(str::to_owned);
        text.push_str(&table(header, self.figures.iter().map(Figure::row).collect()));
        text.push('\n');
        for Check { what, held } in &self.checks {
            let _ = writeln!(text, "- {}: {what}", if *held { "holds" } else { "**DOES NOT HOLD**" });
        }
        if let Some(plot) = &self.plot {
            let _ = writeln!(text, "\n![{}]({}.svg)", plot.title(), self.scenario);
        }
        text
    }

    fn json(&self) -> Value {
        let facts: serde_json::Map<String, Value> =
            self.facts.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let checks: Vec<Value> =
            self.checks.iter().map(|check| json!({ "what": check.what, "held": check.held })).collect();
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        json!({ "scenario": self.scenario, "facts": facts, "figures": figures, "checks": checks })
    }

    fn svg(&self) -> Option<String> {
        Some(match self.plot.as_ref()? {
            Plot::Quantiles(title) => plot::quantiles(title, &self.curves),
            Plot::Bars(title, names) => {
                let find = |(case, name): &(String, String)| {
                    self.figures.iter().find(|figure| figure.case == *case && figure.name == *name)
                };
                plot::bars(title, &names.iter().filter_map(find).map(Figure::bar).collect::<Vec<_>>())
            }
        })
    }

    /// Writes `<scenario>.json`, `<scenario>.md` and, if there is a plot, `<scenario>.svg` into a folder.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let texts = [("json", format!("{:#}\n", self.json())), ("md", self.markdown())];
        for (ending, text) in texts.into_iter().chain(self.svg().map(|svg| ("svg", svg))) {
            let path = folder.join(self.scenario).with_extension(ending);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

impl Figure {
    /// Text of the aim, and whether it is met.
    fn judged(&self) -> Option<(String, bool)> {
        let (value, ratio) = (median(&self.rounds), self.comparisons.first().map_or(f64::NAN, |first| first.ratio));
        Some(match self.aim? {
            Aim::AtLeast(aim) => (format!(">= {}", number(aim)), value >= aim),
            Aim::AtMost(aim) => (format!("<= {}", number(aim)), value <= aim),
            Aim::RatioAtLeast(aim) => (format!("ratio >= {}", number(aim)), ratio >= aim),
            Aim::RatioAtMost(aim) => (format!("ratio <= {}", number(aim)), ratio <= aim),
        })
    }

    fn row(&self) -> [String; 8] {
        let join = |parts: Vec<String>| parts.join(" / ");
        let floors = self.comparisons.iter().map(|other| format!("{} ({})", number(other.value), other.with)).collect();
        let ratios = self.comparisons.iter().map(|other| number(other.ratio)).collect();
        let aim = self.judged().map(|(text, met)| format!("{text}: {}", if met { "met" } else { "missed" }));
        let (lowest, highest) = self.range();
        [
            self.case.clone(),
            self.name.clone(),
            self.unit.to_owned(),
            number(median(&self.rounds)),
            format!("{} to {}", number(lowest), number(highest)),
            join(floors),
            join(ratios),
            aim.unwrap_or_default(),
        ]
    }

    fn bar(&self) -> Bar {
        let aim = match self.aim {
            Some(Aim::AtLeast(aim) | Aim::AtMost(aim)) => Some(aim),
            _ => None,
        };
        Bar { name: format!("{}: {}", self.case, self.name), unit: self.unit, rounds: self.rounds.clone(), aim }
    }

    fn range(&self) -> (f64, f64) {
        self.rounds
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
    }

    fn json(&self) -> Value {
        let comparisons: Vec<Value> = self
            .comparisons
            .iter()
            .map(|other| json!({ "with": other.with, "median": other.value, "ratio": other.ratio }))
            .collect();
        let aim = self.judged().map(|(text, met)| json!({ "text": text, "met": met }));
        json!({
            "case": self.case, "name": self.name, "unit": self.unit, "median": median(&self.rounds),
            "rounds": self.rounds, "floors": comparisons, "aim": aim,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_stands_beside_its_floor_and_aim() {
        let mut report = Report::new("example", Facts::new());
        for (own, floor) in [(50.0, 100.0), (30.0, 40.0), (60.0, 120.0)] {
            report.add(("load", "rate"), "1/s", own);
            report.add(("floor", "rate"), "1/s", floor);
        }
        report.compare(("load", "rate"), ("floor", "rate"));
        report.aim(("load", "rate"), Aim::RatioAtLeast(0.6));
        let row = report.figures[0].row();
        assert_eq!(row[3..], ["50.0", "30.0 to 60.0", "100 (floor)", "0.500", "ratio >= 0.600: missed"]);
        report.check(true, "nothing was lost");
        assert!(report.held());
        report.check(false, "nothing was repeated");
        assert!(!report.held() && report.markdown().contains("**DOES NOT HOLD**: nothing was repeated"));
    }
}
