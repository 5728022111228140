//! Random texts of `_filter`.

use super::asker::Asker;
use super::question::type_of;
use super::values::{TEXTS, date_time};
use super::world::KINDS;
use brasa::fhir::definitions::ResourceType;
use brasa::search::registry::ParameterKind;

impl Asker<'_> {
    pub fn filter(&mut self, on: ResourceType, depth: usize) -> String {
        match self.random.below(10) {
            0 if depth > 0 => format!("not ({})", self.filter(on, depth - 1)),
            1 | 2 if depth > 0 => format!("({}) and {}", self.filter(on, depth - 1), self.comparison(on, 0)),
            3 if depth > 0 => format!("{} or {}", self.comparison(on, 0), self.filter(on, depth - 1)),
            4 if depth > 0 => {
                format!("{} and {} or {}", self.comparison(on, 0), self.comparison(on, 0), self.comparison(on, 0))
            }
            _ => self.comparison(on, 0),
        }
    }

    fn comparison(&mut self, on: ResourceType, links: usize) -> String {
        let linked = match self.random.below(12) {
            0 | 1 if links < 2 => self.filter_chain(on, links),
            2 if links < 2 => self.filter_has(on, links),
            3 => Some(self.of_the_row()),
            _ => None,
        };
        linked.or_else(|| self.filter_leaf(on)).unwrap_or_else(|| "_id ne x".to_owned())
    }

    fn filter_chain(&mut self, on: ResourceType, links: usize) -> Option<String> {
        let references: Vec<_> =
            self.used(on).iter().filter(|one| one.0.kind == ParameterKind::Reference).cloned().collect();
        if references.is_empty() {
            return None;
        }
        let reference = self.random.pick(&references).clone();
        let targets: Vec<&str> = KINDS.iter().map(|(name, ..)| *name).filter(|name| reference.leads_to(name)).collect();
        if targets.is_empty() {
            return None;
        }
        let target = type_of(self.random.pick::<&str>(&targets));
        let condition =
            if self.random.chance(20) { format!("[{}]", self.comparison(target, 2)) } else { String::new() };
        Some(format!("{}:{target}{condition}.{}", reference.code(), self.comparison(target, links + 1)))
    }

    fn filter_has(&mut self, on: ResourceType, links: usize) -> Option<String> {
        let (source, code) = self.referring(on)?;
        Some(format!("_has:{source}:{code}:{}", self.comparison(type_of(source), links + 1)))
    }

    fn of_the_row(&mut self) -> String {
        match self.random.below(3) {
            0 => format!("_id {} {}", self.random.pick(&["eq", "ne"]), 1 + self.random.below(60)),
            1 => {
                let value = self.last_updated();
                let digits = value.trim_start_matches(|c: char| c.is_ascii_alphabetic()).to_owned();
                format!("_lastUpdated {} {digits}", self.random.pick(&["eq", "ne", "gt", "le", "po", "co"]))
            }
            _ => format!("_content {} blood", self.random.pick(&["eq", "ne"])),
        }
    }

    fn filter_leaf(&mut self, on: ResourceType) -> Option<String> {
        let used = self.used(on).to_vec();
        let parameter = if used.is_empty() { return None } else { self.random.pick(&used).clone() };
        let code = parameter.code();
        if self.random.chance(10) {
            return Some(format!("{code} pr {}", self.random.pick(&["true", "false"])));
        }
        let ordered = ["eq", "ne", "gt", "lt", "ge", "le", "ap", "sa", "eb"];
        Some(match parameter.0.kind {
            ParameterKind::String => {
                let operator = *self.random.pick(&["eq", "ne", "co", "sw", "ew"]);
                let text: Vec<char> = self.random.pick(TEXTS).chars().collect();
                let skipped = if self.random.chance(60) { 0 } else { self.random.below(text.len()) };
                let text: String = text.into_iter().skip(skipped).collect();
                format!("{code} {operator} {}", serde_json::json!(text))
            }
            ParameterKind::Date => {
                let operators = [&ordered[..], &["po", "co"]].concat();
                format!("{code} {} {}", self.random.pick(&operators), date_time(self.random))
            }
            ParameterKind::Number | ParameterKind::Quantity => {
                let value = self.value(&parameter.0, "");
                let value = value.trim_start_matches(|c: char| c.is_ascii_alphabetic());
                format!("{code} {} {value}", self.random.pick(&ordered))
            }
            _ => {
                let operator = *self.random.pick(&["eq", "eq", "ne"]);
                let value = self.value(&parameter.0, "");
                let is_plain = !value.contains(|c: char| c.is_whitespace() || matches!(c, ')' | ']' | '"'));
                let value = if is_plain { value } else { serde_json::json!(value).to_string() };
                format!("{code} {operator} {value}")
            }
        })
    }
}
