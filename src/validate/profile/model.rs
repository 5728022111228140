//! A profile, read once: a tree of rules beside the elements that they are about. <https://hl7.org/fhir/R4/elementdefinition.html>

use crate::fhir::json::Json;
use crate::fhirpath::Expression;
use smol_str::SmolStr;

/// A StructureDefinition that constrains a resource type or a datatype.
#[derive(Debug)]
pub struct Profile {
    /// Without its version.
    pub url: SmolStr,
    /// `Patient`, `Extension`, `Quantity`.
    pub of: SmolStr,
    pub root: Rule,
    /// What of it is not checked here, one sentence each.
    pub gaps: Vec<String>,
    /// What the regular expressions of its constraints take (bytes, compiled).
    pub pattern_bytes: usize,
}

/// What a profile says of one element, beyond the base definition.
#[derive(Debug, Default)]
pub struct Rule {
    /// The last part of its path: `coding`, `value[x]`, `valueQuantity`.
    pub name: SmolStr,
    pub slice: Option<SmolStr>,
    /// At least so many; 0 where the base demands as many.
    pub min: usize,
    /// At most so many; `None` where the base allows no more.
    pub max: Option<usize>,
    pub types: Vec<TypeRule>,
    /// Whether `types` says more than the base does.
    pub narrows: bool,
    pub fixed: Option<Json>,
    pub pattern: Option<Json>,
    pub limits: Vec<Limit>,
    /// Characters of a text.
    pub length_max: Option<usize>,
    pub bindings: Vec<Binding>,
    pub constraints: Vec<Constraint>,
    pub slicing: Option<Slicing>,
    pub slices: Vec<Rule>,
    pub children: Vec<Rule>,
    /// The path of the element whose children are meant, from the root's name on: `Questionnaire.item`.
    pub content: Option<SmolStr>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TypeRule {
    /// `Quantity`, `Reference`.
    pub code: SmolStr,
    /// The element conforms to one of these.
    pub profiles: Vec<SmolStr>,
    /// What is referred to conforms to one of these.
    pub targets: Vec<SmolStr>,
}

/// `minValue[x]` or `maxValue[x]`.
#[derive(Debug)]
pub struct Limit {
    pub is_least: bool,
    pub value: Json,
    /// `Quantity`, `date`: of the value.
    pub kind: SmolStr,
}

#[derive(Debug, Clone)]
pub struct Binding {
    /// Else a code from elsewhere is told as a warning.
    pub is_required: bool,
    pub value_set: SmolStr,
}

#[derive(Debug)]
pub struct Constraint {
    pub key: SmolStr,
    pub human: SmolStr,
    pub is_error: bool,
    pub expression: Expression,
}

#[derive(Debug, Default)]
pub struct Slicing {
    pub discriminators: Vec<Discriminator>,
    pub is_ordered: bool,
    pub others: Others,
}

/// Where what is in no slice may stand.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    #[default]
    Anywhere,
    AtEnd,
    Nowhere,
}

/// What tells slices apart. <https://hl7.org/fhir/R4/profiling.html#discriminator>
#[derive(Debug, Clone, PartialEq)]
pub struct Discriminator {
    pub kind: DiscriminatorKind,
    pub path: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscriminatorKind {
    /// `pattern` means the same in R4.
    Value,
    Exists,
    Type,
    Profile,
}

/// A step of a discriminator's path; `$this` is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Child(SmolStr),
    Extension(SmolStr),
    Resolve,
    OfType(SmolStr),
}

impl Rule {
    /// The name without the sign of a choice.
    pub fn plain_name(&self) -> &str {
        self.name.strip_suffix("[x]").unwrap_or(&self.name)
    }

    /// Whether it says nothing that the base does not.
    pub fn is_idle(&self) -> bool {
        self.min == 0
            && self.max.is_none()
            && !self.narrows
            && self.fixed.is_none()
            && self.pattern.is_none()
            && self.limits.is_empty()
            && self.length_max.is_none()
            && self.bindings.is_empty()
            && self.constraints.is_empty()
            && self.slices.is_empty()
            && self.children.is_empty()
            && self.content.is_none()
    }
}

impl Step {
    /// The steps of a path in the restricted FHIRPath of discriminators.
    ///
    /// # Errors
    /// What is no such step.
    pub fn path(text: &str) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        for part in parts(text) {
            steps.push(match part {
                "$this" | "" => continue,
                "resolve()" => Step::Resolve,
                _ => match part.split_once('(') {
                    None => Step::Child(SmolStr::new(part.strip_suffix("[x]").unwrap_or(part))),
                    Some(("extension", rest)) => {
                        let url = rest.trim_end_matches(')').trim_matches(['\'', '"']);
                        Step::Extension(SmolStr::new(url))
                    }
                    Some(("ofType", rest)) => Step::OfType(SmolStr::new(rest.trim_end_matches(')').trim())),
                    Some(_) => return Err(format!("a discriminator has no step `{part}`")),
                },
            });
        }
        Ok(steps)
    }
}

/// Parts between dots that are in no brackets.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut found) = (0_usize, Vec::new());
    let is_end = |letter: char| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == '.' && depth == 0
    };
    found.extend(text.split(is_end).map(str::trim));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_discriminator_is_read_step_by_step() {
        let child = |name: &str| Step::Child(SmolStr::new(name));
        for (text, expected) in [
            ("$this", vec![]),
            ("code.coding", vec![child("code"), child("coding")]),
            ("$this.resolve().code", vec![Step::Resolve, child("code")]),
            ("value.ofType(Coding).code", vec![child("value"), Step::OfType("Coding".into()), child("code")]),
            ("extension('http://a.b/c').value", vec![Step::Extension("http://a.b/c".into()), child("value")]),
        ] {
            assert_eq!(Step::path(text), Ok(expected), "{text}");
        }
        assert!(Step::path("code.where(x)").is_err());
    }
}
