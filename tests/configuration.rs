//! Keeps `docs/CONFIGURATION.md` complete, and every other file from naming a setting that does not exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use brasa::config::table;

/// What reads settings besides the page itself: files, and folders with all they hold.
const READERS: &[&str] = &["README.md", "docker-compose.yml", "Dockerfile", "k8s", "scripts", "docs", ".ci"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every `BRASA_…` word of a text. A prefix such as `BRASA_*` or `BRASA_TEST_*` names no single setting.
fn words(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    text.split(|c: char| !is_name(c) && !c.is_ascii_alphanumeric())
        .filter(|word| word.starts_with("BRASA_") && !word.ends_with('_') && word.chars().all(is_name))
        .collect()
}

/// The words of a text that are neither settings nor the tests' own.
fn unknown(text: &str) -> Vec<&str> {
    let is_known = |word: &str| table().iter().any(|setting| setting.name == word);
    words(text).into_iter().filter(|word| !is_known(word) && !word.starts_with("BRASA_TEST_")).collect()
}

fn files_under(place: &Path, found: &mut Vec<PathBuf>) {
    if place.is_file() {
        found.push(place.to_owned());
    }
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        files_under(&entry.path(), found);
    }
}

#[test]
fn the_page_has_one_line_for_every_setting_with_its_default_and_bounds() {
    let page = std::fs::read_to_string(root().join("docs/CONFIGURATION.md")).expect("the page exists");
    let missing: Vec<String> =
        table().iter().map(|setting| setting.markdown_row()).filter(|row| !page.lines().any(|l| l == row)).collect();
    assert!(missing.is_empty(), "docs/CONFIGURATION.md lacks these lines:\n{}", missing.join("\n"));
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, table().len(), "docs/CONFIGURATION.md has a line for a setting that is gone, or one twice");
}

#[test]
fn no_page_script_or_manifest_names_a_setting_that_does_not_exist() {
    let mut files = Vec::new();
    READERS.iter().for_each(|place| files_under(&root().join(place), &mut files));
    let mut strangers = Vec::new();
    for file in files {
        // What is not text (an image, a dictionary) names nothing.
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let place = file.strip_prefix(root()).expect("under the root").display();
        strangers.extend(unknown(&text).iter().map(|word| format!("{place}: {word}")));
    }
    assert!(strangers.is_empty(), "not settings (src/config/table.rs lists them):\n{}", strangers.join("\n"));
}

#[test]
fn a_name_that_is_no_setting_is_noticed() {
    assert_eq!(unknown("export BRASA_LISTN=1 BRASA_LISTEN=2 ${BRASA_TEST_CITUS} BRASA_* _BRASA_X"), ["BRASA_LISTN"]);
}
