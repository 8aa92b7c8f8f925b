//! What a check found, and how all of it is printed.

use serde::Serialize;

use crate::cli::table::{Look, Tone, printable};

/// How bad it is; the worse the larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Grade {
    Ok,
    Warn,
    Fail,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: &'static str,
    /// How it is.
    pub(super) grade: Grade,
    /// What there is.
    pub(super) found: String,
    /// What to do about it; none when it is well.
    pub(super) advice: Option<String>,
}

/// All that was found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The worst of all.
    pub(super) grade: Grade,
    pub(super) findings: Vec<Finding>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Finding {
        Finding {
            check,
            grade: Grade::Ok,
            found: found.into(),
            advice: None,
        }
    }

    pub(super) fn warn(
        check: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        Finding {
            grade: Grade::Warn,
            advice: Some(advice.into()),
            ..Finding::ok(check, found)
        }
    }

    pub(super) fn fail(
        check: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        Finding {
            grade: Grade::Fail,
            ..Finding::warn(check, found, advice)
        }
    }
}

impl Grade {
    fn word(self) -> (&'static str, Tone) {
        match self {
            Grade::Ok => ("ok", Tone::Good),
            Grade::Warn => ("warn", Tone::Warning),
            Grade::Fail => ("fail", Tone::Bad),
        }
    }
}

impl Report {
    pub(super) fn new(findings: Vec<Finding>) -> Report {
        let worst = findings.iter().map(|finding| finding.grade).max();
        Report {
            grade: worst.unwrap_or(Grade::Ok),
            findings,
        }
    }

    /// `fail  udp       n2: ...`, below it what to do, and at the end how many there are of each.
    pub(super) fn lines(&self, look: Look) -> Vec<String> {
        let mut lines = Vec::new();
        for finding in &self.findings {
            let (word, tone) = finding.grade.word();
            let word = look.paint(&format!("{word:<4}"), tone);
            let check = look.paint(&format!("{:<9}", finding.check), Tone::Strong);
            lines.push(format!("{word}  {check}  {}", printable(&finding.found)));
            if let Some(advice) = &finding.advice {
                lines.push(format!("{:17}-> {}", "", printable(advice)));
            }
        }
        let count = |grade| {
            let with = self
                .findings
                .iter()
                .filter(|finding| finding.grade == grade);
            with.count()
        };
        lines.push(String::new());
        lines.push(format!(
            "{} ok, {} warn, {} fail",
            count(Grade::Ok),
            count(Grade::Warn),
            count(Grade::Fail)
        ));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, Grade, Report};
    use crate::cli::table::Look;

    #[test]
    fn a_report_has_a_line_for_each_check_its_advice_below_and_the_worst_of_all() {
        let report = Report::new(vec![
            Finding::ok("clock", "fine"),
            Finding::warn("mtu", "n2: \u{1b}1000 bytes", "raise it"),
        ]);
        assert_eq!(report.grade, Grade::Warn);
        assert_eq!(
            report.lines(Look::PLAIN),
            [
                "ok    clock      fine",
                "warn  mtu        n2: \u{fffd}1000 bytes",
                "                 -> raise it",
                "",
                "1 ok, 1 warn, 0 fail",
            ]
        );
        assert!(Grade::Fail > Grade::Warn && Grade::Warn > Grade::Ok);
        assert_eq!(Report::new(Vec::new()).grade, Grade::Ok);
    }
}
