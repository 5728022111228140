//! What a validation found: each fault with its code, its place and a sentence.

use crate::fhir::invalid::{Fault, Invalid};

/// More findings than this are only counted.
pub const FINDINGS_MAX: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
    Information,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Information => "information",
        }
    }
}

/// One thing that is wrong, or worth saying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// Of <https://hl7.org/fhir/R4/valueset-issue-type.html>.
    pub code: &'static str,
    /// From the resource on, without its type; empty for the resource itself.
    pub expression: String,
    /// What was expected, and what stands there instead. No value of the resource is in it but codes and names.
    pub message: String,
}

/// All findings about one resource, up to a bound.
#[derive(Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
    left_off: usize,
    errors: usize,
}

impl Report {
    pub fn add(&mut self, finding: Finding) {
        self.errors += usize::from(finding.severity == Severity::Error);
        match self.findings.len() < FINDINGS_MAX {
            true => self.findings.push(finding),
            false => self.left_off += 1,
        }
    }

    /// Nothing more needs to be looked for: what else there is would only be counted.
    pub fn is_full(&self) -> bool {
        self.findings.len() >= FINDINGS_MAX
    }

    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The findings, and at the end that there are more, if there are.
    pub fn into_findings(mut self) -> Vec<Finding> {
        if self.is_full() {
            self.findings.push(Finding {
                severity: Severity::Information,
                code: "too-costly",
                expression: String::new(),
                message: format!(
                    "Only the first {FINDINGS_MAX} issues are told; at least {} more were met. Mend these first.",
                    self.left_off
                ),
            });
        }
        self.findings
    }
}

impl From<&Finding> for Invalid {
    fn from(finding: &Finding) -> Invalid {
        let (expression, message) = (finding.expression.clone(), finding.message.clone());
        Invalid { fault: Fault::Unprocessable, expression, message }
    }
}
