//! The verdicts, for a person and for a program.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::Probe;
use super::judge::seconds;

/// What was found of one probe, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    Ok,
    /// Not as it could be, and no reason not to switch.
    Note,
    /// A good answer that an application would see to be another's.
    Differs,
    Fails,
    /// Not asked, because nothing answered at all.
    Skipped,
}

/// One probe of one subject.
#[derive(Debug)]
pub struct Row {
    pub probe: Probe,
    pub word: Word,
    /// Why, in plain words.
    pub said: Vec<String>,
    pub first_token: Option<Duration>,
    pub total: Option<Duration>,
}

/// A target, or an environment.
#[derive(Debug)]
pub struct Subject {
    pub name: String,
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Targets,
    Environments,
}

/// One route, and what was compared behind it; the first subject is what the others stand in for.
#[derive(Debug)]
pub struct Comparison {
    pub route: String,
    pub sort: Sort,
    pub subjects: Vec<Subject>,
}

impl Word {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Differs => "differs",
            Self::Fails => "fails",
            Self::Skipped => "skipped",
        }
    }

    fn is_fine(self) -> bool {
        match self {
            Self::Ok | Self::Note => true,
            Self::Differs | Self::Fails | Self::Skipped => false,
        }
    }
}

impl Row {
    pub(super) fn skipped(probe: Probe) -> Self {
        Self {
            probe,
            word: Word::Skipped,
            said: Vec::new(),
            first_token: None,
            total: None,
        }
    }
}

impl Subject {
    /// Whether it can take the first one's place, or be the first.
    pub fn is_fine(&self) -> bool {
        self.rows.iter().all(|row| row.word.is_fine())
    }

    fn asked(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.word != Word::Skipped)
    }

    fn troubles(&self) -> Vec<&'static str> {
        self.rows
            .iter()
            .filter(|row| matches!(row.word, Word::Differs | Word::Fails))
            .map(|row| row.probe.name())
            .collect()
    }
}

impl Comparison {
    pub fn is_fine(&self) -> bool {
        self.subjects.iter().all(Subject::is_fine)
    }

    fn verdict(&self, place: usize, subject: &Subject) -> String {
        let troubles = subject.troubles().join(", ");
        match (place, self.sort, subject.is_fine()) {
            (0, _, true) => "the first".into(),
            (0, _, false) => format!("the first, and it FAILS: {troubles}"),
            (_, Sort::Targets, true) => "can stand in for the first".into(),
            (_, Sort::Targets, false) => format!("CANNOT STAND IN for the first: {troubles}"),
            (_, Sort::Environments, true) => "is like the first".into(),
            (_, Sort::Environments, false) => format!("DIFFERS from the first: {troubles}"),
        }
    }
}

/// A table for people.
///
/// # Errors
/// Those of `out`.
pub fn table(comparisons: &[Comparison], out: &mut impl Write) -> io::Result<()> {
    for comparison in comparisons {
        let what = match comparison.sort {
            Sort::Targets => "its targets",
            Sort::Environments => "its environments",
        };
        writeln!(out, "{}: {what}", comparison.route)?;
        for (place, subject) in comparison.subjects.iter().enumerate() {
            let verdict = comparison.verdict(place, subject);
            writeln!(out, "\n  {}: {verdict}", subject.name)?;
            for row in subject.asked() {
                row_line(row, out)?;
            }
            if subject.rows.iter().any(|row| row.word == Word::Skipped) {
                writeln!(out, "    the rest was not asked: there is nobody to answer")?;
            }
        }
        writeln!(out)?;
    }
    let fine = comparisons.iter().all(Comparison::is_fine);
    writeln!(out, "{}", if fine { "ok" } else { "not ok" })
}

fn row_line(row: &Row, out: &mut impl Write) -> io::Result<()> {
    let time = |time: Option<Duration>| time.map_or_else(String::new, seconds);
    let first_token = row
        .first_token
        .map_or_else(String::new, |time| format!("first token {}", seconds(time)));
    let line = format!(
        "    {:<15} {:<8} {:>8}  {:<19} {}",
        row.probe.name(),
        row.word.name(),
        time(row.total),
        first_token,
        row.said.join("; ")
    );
    writeln!(out, "{}", line.trim_end())
}

/// One JSON object for programs.
pub fn json(comparisons: &[Comparison]) -> Value {
    let of = |sort: Sort| -> Vec<Value> {
        let suiting = comparisons
            .iter()
            .filter(|comparison| comparison.sort == sort);
        suiting
            .map(|comparison| {
                let subjects: Vec<_> = comparison.subjects.iter().map(subject_json).collect();
                let fine = comparison.is_fine();
                match sort {
                    Sort::Targets => {
                        json!({ "route": comparison.route, "ok": fine, "targets": subjects })
                    }
                    Sort::Environments => {
                        json!({ "route": comparison.route, "ok": fine, "environments": subjects })
                    }
                }
            })
            .collect()
    };
    json!({
        "ok": comparisons.iter().all(Comparison::is_fine),
        "routes": of(Sort::Targets),
        "against": of(Sort::Environments),
    })
}

fn subject_json(subject: &Subject) -> Value {
    let millis = |time: Option<Duration>| {
        time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    };
    let probes: Vec<Value> = subject
        .rows
        .iter()
        .map(|row| {
            json!({
                "probe": row.probe.name(),
                "verdict": row.word.name(),
                "said": row.said,
                "first_token_ms": millis(row.first_token),
                "total_ms": millis(row.total),
            })
        })
        .collect();
    json!({ "name": subject.name, "ok": subject.is_fine(), "probes": probes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(probe: Probe, word: Word, said: &str) -> Row {
        Row {
            probe,
            word,
            said: vec![said.into()],
            first_token: None,
            total: Some(Duration::from_millis(120)),
        }
    }

    fn comparison() -> Comparison {
        let subject = |name: &str, rows| Subject {
            name: name.into(),
            rows,
        };
        Comparison {
            route: "chat".into(),
            sort: Sort::Targets,
            subjects: vec![
                subject("a/m", vec![row(Probe::Plain, Word::Ok, "")]),
                subject("b/m", vec![row(Probe::Tools, Word::Differs, "why")]),
                subject(
                    "c/m",
                    vec![
                        row(Probe::Plain, Word::Fails, "gone"),
                        Row::skipped(Probe::Stream),
                    ],
                ),
            ],
        }
    }

    #[test]
    fn a_person_reads_who_cannot_stand_in_and_why() {
        let mut out = Vec::new();
        table(&[comparison()], &mut out).unwrap();
        let said = String::from_utf8(out).unwrap();
        for line in [
            "  a/m: the first\n",
            "  b/m: CANNOT STAND IN for the first: tools\n",
            "    tools           differs    0.12 s                      why\n",
            "  c/m: CANNOT STAND IN for the first: plain\n",
            "    the rest was not asked: there is nobody to answer\n",
            "\nnot ok\n",
        ] {
            assert!(said.contains(line), "{line}{said}");
        }
    }

    #[test]
    fn a_program_reads_the_same() {
        let said = json(&[comparison()]);
        assert_eq!(said["ok"], false);
        let targets = &said["routes"][0]["targets"];
        assert_eq!(targets[0]["ok"], true);
        assert_eq!(targets[1]["probes"][0]["verdict"], "differs");
        assert_eq!(targets[1]["probes"][0]["total_ms"], 120);
        assert_eq!(targets[2]["probes"][1]["verdict"], "skipped");
        assert_eq!(said["against"], json!([]));
    }
}
