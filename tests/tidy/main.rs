//! The laws of `docs/ARCHITECTURE.md`, checked from source text, without a database. What breaks one says how to mend it.

mod pages;
mod places;
mod rooms;
mod sizes;
mod source;

use std::path::Path;

use source::{Source, files, rust_files};

/// Fails with all faults at once, so that one run shows what there is to mend.
#[track_caller]
fn none(law: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{law}\n{}\n", faults.join("\n"));
}

fn in_src(check: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    rust_files(&["src"]).iter().flat_map(check).collect()
}

fn everywhere(check: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    rust_files(&["src", "tests", "benches"]).iter().flat_map(check).collect()
}

#[test]
fn law_1_a_room_uses_only_what_its_row_allows() {
    none("Law 1: a room uses only rooms of its row.", &in_src(rooms::forbidden_uses));
}

#[test]
fn law_1_no_room_uses_itself_in_a_circle() {
    none("Law 1: no circles among rooms.", &rooms::circles(&rust_files(&["src"])));
}

#[test]
fn law_2_sql_stands_in_the_store_and_is_never_made_by_format() {
    none("Law 2: SQL lives in sql/ and src/store.", &in_src(places::sql));
}

#[test]
fn law_3_the_web_framework_and_the_database_driver_keep_to_their_rooms() {
    none("Law 3: actix_web and tokio_postgres have their rooms.", &in_src(places::libraries));
}

#[test]
fn law_4_the_pure_rooms_do_no_input_or_output_and_read_no_clock() {
    none("Law 4: fhir, fhirpath, search and validate are pure.", &in_src(places::purity));
}

#[test]
fn only_the_settings_read_the_environment() {
    none("Only src/config.rs reads the environment.", &in_src(places::environment));
}

#[test]
fn law_5_every_write_goes_through_one_function() {
    none("Law 5: one function writes.", &places::commits(&rust_files(&["src"])));
}

#[test]
fn law_7_only_auth_makes_a_grant() {
    none("Law 7: only auth makes a Grant.", &in_src(places::grants));
}

#[test]
fn law_11_nothing_is_printed_past_the_log() {
    none("Law 11: the log is the only way out.", &in_src(places::prints));
}

#[test]
fn law_12_functions_and_files_are_short() {
    let long: Vec<sizes::Long> = rust_files(&["src", "tests", "benches"]).iter().flat_map(sizes::long).collect();
    let exceptions = include_str!("../tidy-exceptions.txt");
    none("Law 12: functions and files are short.", &sizes::judge(&long, exceptions));
}

#[test]
fn law_12_every_file_opens_with_a_sentence_that_says_what_it_is() {
    none("Law 12: every file opens with a sentence.", &everywhere(sizes::first_line));
}

#[test]
fn no_work_is_put_off_in_the_code() {
    none("Unfinished work belongs into issues.", &everywhere(sizes::unfinished));
}

#[test]
fn the_migrations_run_on_plain_postgresql() {
    let migrations = files("sql/migrations");
    let faults: Vec<String> = migrations.iter().flat_map(|(path, text)| places::citus_words(path, text)).collect();
    none("Only sql/citus names Citus.", &faults);
}

#[test]
fn every_row_of_the_conformance_table_names_its_tests() {
    let all: Vec<_> = files("tests/it").into_iter().chain(files("src")).collect();
    let source = |path: &str| all.iter().find(|(file, _)| file == path).map(|(_, text)| text.clone());
    none("What the table says is shown by a test.", &pages::unshown(include_str!("../../docs/CONFORMANCE.md"), source));
}

#[test]
fn links_between_pages_lead_to_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = [("README.md".to_owned(), include_str!("../../README.md").to_owned())];
    let all = files("docs").into_iter().chain(readme);
    let dead = all.flat_map(|(path, page)| pages::dead_links(&path, &page, |to| root.join(to).exists()));
    none("Links between pages lead to files.", &dead.collect::<Vec<_>>());
}

#[test]
fn the_laws_are_checked_on_files_that_exist() {
    let count = rust_files(&["src"]).len();
    assert!(count > 10, "only {count} files under src: the checks look at the wrong place");
}
