//! What a scenario showed, as Markdown and as JSON.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::book::Notes;
use crate::judge::Verdict;
use crate::recovery::{Recovery, median_and_worst};

/// Cases of harm, and of repeats without a status, that are told one by one.
const TOLD: usize = 20;

/// A scenario's result.
pub struct Report {
    /// The scenario's name.
    pub scenario: &'static str,
    /// How it was run: build, number of nodes.
    pub facts: Vec<(&'static str, String)>,
    /// What was noted outside.
    pub notes: Notes,
    /// What became of it.
    pub verdict: Verdict,
    /// Times to recover.
    pub recovery: Recovery,
    /// From the end of the load until nothing was left to do.
    pub rest: Duration,
    checks: Vec<(String, bool)>,
    skipped: Option<&'static str>,
}

impl Report {
    /// With the checks that every scenario has.
    pub fn new(
        scenario: &'static str,
        facts: Vec<(&'static str, String)>,
        notes: Notes,
        verdict: Verdict,
        rest: Duration,
    ) -> Self {
        let recovery = Recovery::of(&notes, &verdict.replies);
        let mut report = Report { scenario, facts, notes, verdict, recovery, rest, checks: Vec::new(), skipped: None };
        let (verdict, notes) = (&report.verdict, &report.notes);
        let promised = verdict.acknowledged + verdict.sends;
        let checks = [
            ("something succeeded", verdict.delivered > 0),
            ("a fault came", !notes.faults.is_empty()),
            ("nothing that was acknowledged was lost", verdict.lost.is_empty()),
            ("nothing was repeated although statuses came, nor before the wait was over", verdict.repeated.is_empty()),
            ("Meta accepted nothing but replies and sends that are known", verdict.strange.is_empty()),
            ("every contact's order was kept", verdict.disorder.is_empty()),
            ("everything that was promised was delivered, with its statuses", verdict.delivered == promised),
            ("no answer was other than it may be", notes.odd.is_empty()),
            ("nothing stayed without an answer", notes.unanswered.is_empty()),
        ];
        let mostly_heard = verdict.is_mostly_heard();
        report.checks.extend(checks.map(|(what, held)| (what.to_owned(), held)));
        let why = if mostly_heard { "" } else { ": the machine or the simulator is too slow for the wait" };
        report.check(mostly_heard, format!("at most 1 % of what Meta accepted was repeated without a status{why}"));
        report
    }

    /// Something that must hold.
    pub fn check(&mut self, held: bool, what: impl Into<String>) {
        self.checks.push((what.into(), held));
    }

    /// What of the scenario could not run on this machine, and why.
    pub fn skip(&mut self, what: &'static str) {
        self.skipped = Some(what);
    }

    /// Whether something could not run on this machine.
    pub fn is_partial(&self) -> bool {
        self.skipped.is_some()
    }

    /// Whether all of it held.
    pub fn held(&self) -> bool {
        self.checks.iter().all(|(_, held)| *held)
    }

    /// Names and figures, in the order in which they are told.
    fn figures(&self) -> Vec<(&'static str, String)> {
        let verdict = &self.verdict;
        let mut figures: Vec<(&'static str, String)> = [
            ("faults", self.notes.faults.len()),
            ("messages acknowledged", verdict.acknowledged),
            ("sends accepted", verdict.sends),
            ("messages handled once", verdict.handled),
            ("delivered (replies and sends)", verdict.delivered),
            ("lost", verdict.lost.len()),
            ("repeated", verdict.repeated.len()),
            ("repeated without a status", verdict.unheard.len()),
            ("strange", verdict.strange.len()),
            ("out of order", verdict.disorder.len()),
        ]
        .map(|(name, count)| (name, count.to_string()))
        .into();
        for (name, times) in [
            ("fault to next acknowledgement, median / worst", &self.recovery.acknowledged),
            ("fault to next reply at Meta, median / worst", &self.recovery.replied),
        ] {
            if let Some((median, worst)) = median_and_worst(times) {
                figures.push((name, format!("{} / {}", seconds(median), seconds(worst))));
            }
        }
        figures.push(("end of load to rest", seconds(self.rest)));
        figures
    }

    /// For people.
    pub fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n", self.scenario);
        // Writing to a String cannot fail.
        for (name, value) in &self.facts {
            let _ = writeln!(text, "- {name}: {value}");
        }
        let mut faults: Vec<(&str, usize)> = Vec::new();
        for fault in &self.notes.faults {
            match faults.iter_mut().find(|(what, _)| *what == fault.what) {
                Some((_, times)) => *times += 1,
                None => faults.push((fault.what, 1)),
            }
        }
        let faults: Vec<String> = faults.iter().map(|(what, times)| format!("{times} x {what}")).collect();
        let answers: Vec<String> = self.notes.answers.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
        let _ = writeln!(text, "- faults: {}\n- answers: {}\n", faults.join(", "), answers.join(", "));
        let figures = self.figures();
        let width = figures.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let values = figures.iter().map(|(_, value)| value.len()).max().unwrap_or_default().max(6);
        let _ = writeln!(text, "| {:width$} | {:>values$} |", "figure", "value");
        let _ = writeln!(text, "|{}|{}:|", "-".repeat(width + 2), "-".repeat(values + 1));
        for (name, value) in figures {
            let _ = writeln!(text, "| {name:width$} | {value:>values$} |");
        }
        text.push('\n');
        for (what, held) in &self.checks {
            let _ = writeln!(text, "- {}: {what}", if *held { "holds" } else { "**DOES NOT HOLD**" });
        }
        if let Some(what) = self.skipped {
            let _ = writeln!(text, "- SKIPPED: {what}");
        }
        for case in self.harm().take(TOLD) {
            let _ = writeln!(text, "  - {case}");
        }
        if !self.verdict.unheard.is_empty() {
            let _ = writeln!(text, "- repeated without a status:");
        }
        for case in self.verdict.unheard.iter().take(TOLD) {
            let _ = writeln!(text, "  - {case}");
        }
        text
    }

    fn harm(&self) -> impl Iterator<Item = &String> {
        let Verdict { lost, repeated, strange, disorder, .. } = &self.verdict;
        lost.iter().chain(repeated).chain(strange).chain(disorder).chain(&self.notes.odd).chain(&self.notes.unanswered)
    }

    fn json(&self) -> Value {
        let millis = |times: &[Duration]| times.iter().map(|time| time.as_millis() as u64).collect::<Vec<_>>();
        let facts: serde_json::Map<String, Value> =
            self.facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let checks: Vec<Value> = self.checks.iter().map(|(what, held)| json!({ "what": what, "held": held })).collect();
        json!({
            "scenario": self.scenario,
            "facts": facts,
            "faults": self.notes.faults.iter().map(|fault| fault.what).collect::<Vec<_>>(),
            "answers": self.notes.answers,
            "acknowledged": self.verdict.acknowledged,
            "sends": self.verdict.sends,
            "handled": self.verdict.handled,
            "delivered": self.verdict.delivered,
            "lost": self.verdict.lost.len(),
            "accepted": self.verdict.accepted,
            "repeated": self.verdict.repeated.len(),
            "repeated_without_status": self.verdict.unheard.len(),
            "strange": self.verdict.strange.len(),
            "out_of_order": self.verdict.disorder.len(),
            "harm": self.harm().collect::<Vec<_>>(),
            "without_status": self.verdict.unheard,
            "recovery_ms": {
                "acknowledged": millis(&self.recovery.acknowledged),
                "replied": millis(&self.recovery.replied),
            },
            "rest_ms": self.rest.as_millis() as u64,
            "checks": checks,
            "skipped": self.skipped,
        })
    }

    /// Writes `<scenario>.json` and `<scenario>.md` into a folder.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for (ending, text) in [("json", format!("{:#}\n", self.json())), ("md", self.markdown())] {
            let path = folder.join(self.scenario).with_extension(ending);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::book::Fault;

    #[test]
    fn a_run_in_which_nothing_happened_does_not_hold() {
        let report = Report::new("kill", Vec::new(), Notes::default(), Verdict::default(), Duration::ZERO);
        assert!(!report.held());
        assert!(report.markdown().contains("**DOES NOT HOLD**: something succeeded"), "{}", report.markdown());
    }

    #[test]
    fn what_could_not_run_is_told() {
        let mut report = Report::new("postgres", Vec::new(), Notes::default(), Verdict::default(), Duration::ZERO);
        assert!(!report.is_partial() && report.json()["skipped"].is_null());
        assert!(!report.markdown().contains("SKIPPED"), "{}", report.markdown());
        report.skip("the server was not stopped");
        assert!(report.is_partial() && report.json()["skipped"] == "the server was not stopped");
        assert!(report.markdown().contains("- SKIPPED: the server was not stopped\n"), "{}", report.markdown());
    }

    #[test]
    fn what_was_repeated_without_a_status_is_told_and_is_a_failure_only_when_it_is_much() {
        for (unheard, held) in [(0, true), (1, true), (2, false)] {
            let notes = Notes { faults: vec![Fault { what: "a fault", since: Instant::now() }], ..Notes::default() };
            let unheard_cases = vec!["a message came again".to_owned(); unheard];
            let verdict =
                Verdict { sends: 1, delivered: 1, accepted: 100, unheard: unheard_cases, ..Verdict::default() };
            let report = Report::new("nodes", Vec::new(), notes, verdict, Duration::ZERO);
            let text = report.markdown();
            assert_eq!(report.held(), held, "{text}");
            assert_eq!(text.contains("too slow for the wait"), !held, "{text}");
            let row = text.lines().find(|line| line.starts_with("| repeated without a status ")).unwrap_or_default();
            assert!(row.contains(&format!(" {unheard} |")), "{text}");
            assert_eq!(text.matches("a message came again").count(), unheard, "{text}");
            let json = report.json();
            assert_eq!(json["repeated_without_status"], unheard);
            assert_eq!(json["without_status"].as_array().map(Vec::len), Some(unheard));
        }
    }
}
