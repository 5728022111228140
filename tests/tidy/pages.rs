//! The pages of `docs/`: what a row of the conformance table names as its test is one, and links lead to files.

use std::path::Path;

/// Rows of the conformance table without a test, and tests that do not exist, in `path::name`.
pub fn unshown(table: &str, source: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (number, row) in table.lines().enumerate().filter(|(_, line)| is_row(line)) {
        let tests: Vec<(&str, &str)> = row.split('`').filter_map(|word| word.split_once("::")).collect();
        let place = format!("docs/CONFORMANCE.md:{}", number + 1);
        if tests.is_empty() {
            faults.push(format!("{place}: the row names no test; write `tests/it/….rs::name` in its last column"));
        }
        let missing = tests.iter().filter(|(path, name)| !source(path).is_some_and(|text| is_test(&text, name)));
        faults.extend(missing.map(|(path, name)| format!("{place}: {path} has no test {name}")));
    }
    faults
}

/// A row that states a feature: not the head of a table, nor the line under it.
fn is_row(line: &str) -> bool {
    line.starts_with("| ") && !line.starts_with("| feature |")
}

fn is_test(source: &str, name: &str) -> bool {
    let before = |head: &str| source.find(&format!("{head}{name}()")).and_then(|at| source.get(..at));
    let Some(before) = before("\nasync fn ").or_else(|| before("\nfn ")) else { return false };
    let attribute = before.lines().last().unwrap_or_default();
    attribute.starts_with("#[tokio::test") || attribute.starts_with("#[test")
}

/// Links of a page, at `path`, to files that do not exist.
pub fn dead_links(path: &str, page: &str, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
    let local =
        targets.filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"));
    local.filter(|to| !exists(&folder.join(to))).map(|to| format!("{path}: there is no {to}")).collect()
}

mod tests {
    use super::*;

    #[test]
    fn a_row_without_a_test_that_exists_is_found() {
        let table = "| feature | status | tests |\n|---|---|---|\n| a | yes | `x.rs::a` |\n| b | yes | `x.rs::b` |\n| c | yes | |\n";
        let source = |path: &str| (path == "x.rs").then(|| "#[test]\nfn a() {}\n\nfn b() {}\n".to_owned());
        assert_eq!(unshown(table, source).len(), 2);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let page = "[a](A.md#there) [b](https://b.org) [c](decisions/0001.md) [d](#here)";
        assert_eq!(
            dead_links("docs/X.md", page, |path| path.ends_with("A.md")),
            ["docs/X.md: there is no decisions/0001.md"]
        );
    }
}
