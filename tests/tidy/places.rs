//! Laws 2, 3, 4, 5, 7 and 11: what may stand only in certain rooms.

use crate::source::{Source, find_words, skip_space};

/// The store's one door to writing: staging and committing are methods of the transaction that it gives. Law 5 looks
/// for a call of it.
const COMMIT_CALL: &str = ".transaction(";
const COMMIT_CALLER: &str = "src/interaction/write.rs";

/// Law 2: statements, by how they begin and what follows.
const STATEMENTS: &[(&str, &str)] =
    &[("SELECT ", " FROM "), ("INSERT INTO ", ""), ("UPDATE ", " SET "), ("DELETE FROM ", ""), ("CREATE TABLE ", "")];

fn is_in(source: &Source, places: &[&str]) -> bool {
    places.iter().any(|place| match place.strip_suffix('/') {
        Some(_) => source.path.starts_with(place),
        None => source.path == *place,
    })
}

/// Whether a path is the item or lies under it: `std::fs::read` under `std::fs`.
fn is_under(path: &str, item: &str) -> bool {
    path.strip_prefix(item).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn looks_like_sql(literal: &str) -> bool {
    let line = literal.split(['\\', '\n', ' ', '\t']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    // In lower case "select … from" may be prose, unless the text begins with it.
    let begins = STATEMENTS.iter().any(|(head, rest)| {
        let upper = line.to_uppercase();
        upper.starts_with(head) && upper.contains(rest) && !line.starts_with(|c: char| c.is_uppercase())
    });
    let holds = |(head, rest): &(&str, &str)| line.split_once(head).is_some_and(|(_, tail)| tail.contains(rest));
    begins || STATEMENTS.iter().any(holds)
}

/// Law 2: SQL stands in `sql/` and `src/store`, and is put together in `src/store/search` alone.
pub fn sql(source: &Source) -> Vec<String> {
    let may_build = is_in(source, &["src/store/search/", "src/store/search.rs"]);
    if may_build {
        return Vec::new();
    }
    let in_store = is_in(source, &["src/store/"]);
    let mut faults = Vec::new();
    for (offset, literal) in source.live_strings() {
        let place = source.place(*offset);
        if !in_store && (looks_like_sql(literal) || literal.ends_with(".sql")) {
            faults.push(format!("{place}: SQL outside the store; move it to sql/ or src/store and call that"));
        }
        if in_store && looks_like_sql(literal) && literal.contains('{') && is_formatted(source, *offset) {
            faults.push(format!("{place}: SQL made by a format macro; bind the value as a parameter, or build it in src/store/search by push and bind"));
        }
    }
    faults
}

/// Whether a literal is an argument of `format!` or one of its kin.
fn is_formatted(source: &Source, offset: usize) -> bool {
    let mut depth = 0_usize;
    for (at, c) in source.live.iter().enumerate().take(offset).collect::<Vec<_>>().into_iter().rev() {
        match c {
            ')' | ']' | '}' => depth += 1,
            '[' | '{' if depth > 0 => depth -= 1,
            '(' if depth > 0 => depth -= 1,
            '(' => {
                let before: String = source.live.iter().take(at).collect();
                let kin = ["format!", "write!", "writeln!", "format_args!"];
                return kin.iter().any(|name| before.trim_end().ends_with(name));
            }
            '[' | '{' | ';' if depth == 0 => return false,
            _ => {}
        }
    }
    false
}

/// Law 3: the web framework and the database driver each have their rooms.
pub fn libraries(source: &Source) -> Vec<String> {
    const ROOMS: &[(&[&str], &[&str])] = &[
        (&["actix_web", "actix_http", "actix_rt", "actix_service"], &["src/http/", "src/console/", "src/app.rs"]),
        (&["tokio_postgres", "deadpool_postgres", "refinery"], &["src/store/"]),
        (&["lettre"], &["src/mail/"]),
    ];
    let mut faults = Vec::new();
    for (names, rooms) in ROOMS.iter().filter(|(_, rooms)| !is_in(source, rooms)) {
        for (offset, path) in source.paths() {
            if names.iter().any(|name| is_under(&path, name)) {
                let rooms = rooms.join(", ");
                faults.push(format!(
                    "{}: {path} belongs to {rooms}; give this room a plain value instead",
                    source.place(offset)
                ));
            }
        }
    }
    faults
}

/// Law 4: the pure rooms ask nothing of the world.
pub fn purity(source: &Source) -> Vec<String> {
    const PURE: &[&str] = &["src/fhir/", "src/fhirpath/", "src/search/", "src/validate/"];
    const WORLD: &[&str] = &[
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "tokio",
        "rand",
        "std::time::SystemTime",
        "SystemTime",
    ];
    const CLOCKS: &[&str] = &["Instant::now", "SystemTime::now", "Utc::now", "Local::now"];
    if !is_in(source, PURE) {
        return Vec::new();
    }
    let is_impure = |path: &str| {
        let reads_clock = |clock: &&str| path == *clock || path.ends_with(&format!("::{clock}"));
        WORLD.iter().any(|item| is_under(path, item)) || CLOCKS.iter().any(reads_clock)
    };
    let asked = source.paths().into_iter().filter(|(_, path)| is_impure(path));
    let said = |(offset, path): (usize, String)| {
        format!(
            "{}: {path} in a pure room; take the time, the bytes or the chance as an argument",
            source.place(offset)
        )
    };
    asked.map(said).collect()
}

/// Law 4's other half: only `src/config.rs` reads the environment.
pub fn environment(source: &Source) -> Vec<String> {
    const READERS: &[&str] = &["var", "var_os", "vars", "vars_os", "set_var", "remove_var", "home_dir", "temp_dir"];
    if is_in(source, &["src/config.rs", "src/config/"]) {
        return Vec::new();
    }
    // `use std::env` hides what is read behind `env::`, so the bare room is refused too.
    let reads = |path: &str| match path.strip_prefix("std::env").or_else(|| path.strip_prefix("env")) {
        Some(rest) => {
            rest.is_empty() && path.starts_with("std") || READERS.iter().any(|name| rest == format!("::{name}"))
        }
        None => false,
    };
    let found = source.paths().into_iter().filter(|(_, path)| reads(path));
    let said = |(offset, path): (usize, String)| {
        format!("{}: {path} reads the environment; make it a setting of src/config.rs", source.place(offset))
    };
    found.map(said).collect()
}

/// Law 5: every write goes through one function, and that is the only one that calls the store's.
pub fn commits(sources: &[Source]) -> Vec<String> {
    let outside_store = sources.iter().filter(|source| !is_in(source, &["src/store/"]));
    let mut calls: Vec<(&Source, usize)> = Vec::new();
    for source in outside_store {
        calls.extend(find_words(&source.live, COMMIT_CALL).into_iter().map(|offset| (source, offset)));
    }
    let mut faults = Vec::new();
    let (inside, outside): (Vec<_>, Vec<_>) = calls.into_iter().partition(|(source, _)| source.path == COMMIT_CALLER);
    for (source, offset) in outside.iter().chain(inside.iter().skip(1)) {
        faults.push(format!(
            "{}: a second way to write; hand the changes to the one function in {COMMIT_CALLER}",
            source.place(*offset)
        ));
    }
    if inside.is_empty() && sources.iter().any(|source| source.path == COMMIT_CALLER) {
        faults.push(format!("{COMMIT_CALLER}:1: no call of {COMMIT_CALL}; if the store's function has a new name, change COMMIT_CALL in tests/tidy/places.rs"));
    }
    faults
}

/// Who may ask `auth` for which grant: one that asks for more than it is given would open everything to everybody.
const GRANT_CALLERS: &[(&str, &[&str])] = &[
    // The server's own work, of which nothing is answered to anybody.
    (
        "of_server",
        &[
            "src/account/",
            "src/app/demo.rs",
            "src/background/",
            "src/cli/",
            "src/interaction/mod.rs",
            "src/interaction/operation/expunge.rs",
            "src/interaction/parameters.rs",
            "src/interaction/profiles.rs",
            "src/interaction/reindex.rs",
        ],
    ),
    ("without_accounts", &["src/http/fhir.rs"]),
    // What it opens is nothing: for the audit of who is not known.
    ("of_nobody", &["src/http/trail.rs", "src/http/auth/mod.rs"]),
    // `Grant::of`.
    ("of", &["src/account/authenticate.rs"]),
];

/// Law 7: only `auth` makes a `Grant`, and only some ask it for one.
pub fn grants(source: &Source) -> Vec<String> {
    if is_in(source, &["src/auth/", "src/auth.rs"]) {
        return Vec::new();
    }
    let mut faults = made_grants(source);
    for (word, callers) in GRANT_CALLERS {
        let is_call = |offset: &usize| {
            let before: String = source.live.iter().take(*offset).collect();
            *word != "of" || before.ends_with("Grant::")
        };
        let calls = find_words(&source.live, word).into_iter().filter(is_call);
        faults.extend(calls.filter(|_| !is_in(source, callers)).map(|offset| {
            format!("{}: {word} of auth is not for this file; take the grant of the request", source.place(offset))
        }));
    }
    faults
}

fn made_grants(source: &Source) -> Vec<String> {
    if is_in(source, &["src/auth/", "src/auth.rs"]) {
        return Vec::new();
    }
    let is_made = |offset: &usize| {
        let after = skip_space(&source.live, offset + "Grant".len());
        let before: String = source.live.iter().take(*offset).collect();
        let before = before.trim_end_matches(|c: char| c.is_alphanumeric() || ":_&' ".contains(c));
        // `-> Grant {` returns one that somebody made.
        source.live.get(after) == Some(&'{') && !before.ends_with("->")
    };
    let made = find_words(&source.live, "Grant").into_iter().filter(is_made);
    made.map(|offset| format!("{}: a Grant is made or opened outside src/auth; ask auth for one", source.place(offset)))
        .collect()
}

/// Law 11's door: what is printed past the log.
pub fn prints(source: &Source) -> Vec<String> {
    if is_in(source, &["src/cli/", "src/main.rs"]) {
        return Vec::new();
    }
    let printers = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];
    let found = printers.iter().flat_map(|name| find_words(&source.live, name).into_iter().map(move |at| (at, name)));
    found
        .map(|(at, name)| format!("{}: {name} outside src/cli; use tracing, or return the text", source.place(at)))
        .collect()
}

/// The migrations work without Citus, so no statement in them names it; a comment may.
pub fn citus_words(path: &str, text: &str) -> Vec<String> {
    let names = ["citus", "create_distributed_table", "create_reference_table", "pg_dist_"];
    let lines = text.lines().enumerate().filter(|(_, line)| {
        let line = line.split("--").next().unwrap_or_default().to_lowercase();
        names.iter().any(|name| line.contains(name))
    });
    lines.map(|(i, _)| format!("{path}:{}: a migration names Citus; move this to sql/citus", i + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> Source {
        Source::new(path, text)
    }

    #[test]
    fn sql_outside_the_store_is_found_and_prose_is_not() {
        let count = |literal: &str| sql(&file("src/http/fhir.rs", &format!("const S: &str = {literal};"))).len();
        for literal in [
            "\"SELECT id FROM resource\"",
            "r#\"WITH a AS (SELECT 1)\n DELETE FROM a\"#",
            "\"insert into resource values ($1)\"",
            "\"UPDATE resource\\n   SET x = 1\"",
            "include_str!(\"../../sql/read.sql\")",
        ] {
            assert_eq!(count(literal), 1, "{literal}");
        }
        for literal in ["\"Select a file from the list.\"", "\"an update of the set\"", "\"selects x from y\""] {
            assert_eq!(count(literal), 0, "{literal}");
        }
    }

    #[test]
    fn sql_made_by_a_format_macro_is_found() {
        let built = "fn f() { run(&format!(\"SELECT x FROM {table}\")); }";
        assert_eq!(sql(&file("src/store/read.rs", built)).len(), 1);
        assert_eq!(sql(&file("src/store/search/plan.rs", built)).len(), 0);
        let written = "fn f() { write!(out(1), \"DELETE FROM {}\", t); }";
        assert_eq!(sql(&file("src/store/read.rs", written)).len(), 1);
        let still = "fn f() { run(\"SELECT '{}'::jsonb FROM t\"); }";
        assert_eq!(sql(&file("src/store/read.rs", still)).len(), 0);
    }

    #[test]
    fn a_library_in_the_wrong_room_is_found() {
        let web = "use actix_web::HttpRequest;";
        assert_eq!(libraries(&file("src/interaction/read.rs", web)).len(), 1);
        assert_eq!(libraries(&file("src/http/fhir.rs", web)).len(), 0);
        let driver = "fn f(e: tokio_postgres::Error) {}";
        assert_eq!(libraries(&file("src/error.rs", driver)).len(), 1);
        assert_eq!(libraries(&file("src/store/embedded.rs", driver)).len(), 0);
    }

    #[test]
    fn a_look_at_the_world_in_a_pure_room_is_found() {
        for text in [
            "use std::{collections::BTreeMap, fs};",
            "fn f() { let t = chrono::Utc::now(); }",
            "use std::time::SystemTime;",
            "fn f() { Instant::now(); }",
            "fn f() { rand::random() }",
        ] {
            assert_eq!(purity(&file("src/fhir/id.rs", text)).len(), 1, "{text}");
            assert_eq!(purity(&file("src/store/read.rs", text)).len(), 0, "{text}");
        }
        assert_eq!(purity(&file("src/search/date.rs", "use chrono::{DateTime, Utc}; // tokio::spawn")).len(), 0);
    }

    #[test]
    fn a_reader_of_the_environment_is_found() {
        for text in
            ["fn f() { std::env::var(\"X\"); }", "use std::env;", "use std::{env, fs};", "fn f() { env::var_os(1) }"]
        {
            assert_eq!(environment(&file("src/store/embedded.rs", text)).len(), 1, "{text}");
            assert_eq!(environment(&file("src/config.rs", text)).len(), 0, "{text}");
        }
        let harmless = "fn f() { std::env::current_exe(); env!(\"CARGO_PKG_VERSION\"); std::env::args_os(); }";
        assert_eq!(environment(&file("src/cli/mod.rs", harmless)), Vec::<String>::new());
    }

    #[test]
    fn a_second_way_to_write_is_found() {
        let call = format!("fn f() {{ store{COMMIT_CALL}x) }}");
        let one = || file(COMMIT_CALLER, &call);
        assert_eq!(commits(&[one(), file("src/store/commit.rs", &call)]).len(), 0);
        assert_eq!(commits(&[one(), file("src/hospital/stock.rs", &call)]).len(), 1);
        assert_eq!(commits(&[file(COMMIT_CALLER, &call.repeat(2))]).len(), 1);
        assert_eq!(commits(&[file(COMMIT_CALLER, "")]).len(), 1);
    }

    #[test]
    fn a_grant_made_outside_auth_is_found() {
        let count = |text: &str| grants(&file("src/interaction/mod.rs", text)).len();
        assert_eq!(count("fn f() { let g = Grant { filter }; }"), 1);
        assert_eq!(count("fn f() { let g = auth::Grant{ filter }; }"), 1);
        assert_eq!(count("impl Grant { fn all() -> Self { } }"), 1);
        assert_eq!(count("fn f(g: &Grant) -> &auth::Grant { g }"), 0);
        assert_eq!(grants(&file("src/auth/mod.rs", "fn f() -> Grant { Grant { filter } }")).len(), 0);
        assert_eq!(count("fn f() { let g = auth::without_accounts(); }"), 1);
        assert_eq!(count("fn f(a: Access) { let g = Grant::of(a); }"), 1);
        assert_eq!(count("fn f() { let g = auth::of_server(); let p = Place::of(1); }"), 0);
        assert_eq!(grants(&file("src/interaction/read.rs", "fn f() { auth::of_server(); }")).len(), 1);
    }

    #[test]
    fn a_print_past_the_log_is_found() {
        assert_eq!(prints(&file("src/store/read.rs", "fn f() { println!(\"x\"); dbg!(1); }")).len(), 2);
        assert_eq!(prints(&file("src/cli/load.rs", "fn f() { println!(\"x\"); }")).len(), 0);
    }

    #[test]
    fn a_migration_that_names_citus_is_found() {
        assert_eq!(
            citus_words("sql/migrations/V1__a.sql", "-- not for Citus\nSET citus.x = 1;\n"),
            ["sql/migrations/V1__a.sql:2: a migration names Citus; move this to sql/citus"]
        );
    }
}
