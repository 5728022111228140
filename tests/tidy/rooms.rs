//! Law 1: a room uses only what its row of the table allows, and no room uses itself in a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;

/// A row of the table in `docs/ARCHITECTURE.md`: a room and the rooms that it may use.
type Row = (&'static str, &'static [&'static str]);

/// Stands for every other room.
const ALL: &[&str] = &["*"];

/// Bottom to top. A room that is listed need not exist yet; one that exists must be listed.
const ROOMS: &[Row] = &[
    ("fhir", &[]),
    ("error", &["fhir"]),
    ("fhirpath", &["fhir", "error"]),
    ("search", &["fhir", "fhirpath", "error"]),
    ("validate", &["fhir", "fhirpath", "error"]),
    ("config", &[]),
    ("telemetry", &["config", "error"]),
    ("auth", &["fhir", "error", "config"]),
    ("audit", &["fhir", "auth", "error"]),
    ("store", &["fhir", "search", "auth", "audit", "error", "config"]),
    ("mail", &["error", "config"]),
    ("account", &["fhir", "auth", "store", "mail", "error", "config"]),
    ("interaction", &["fhir", "fhirpath", "search", "validate", "auth", "audit", "store", "error"]),
    ("hospital", &["fhir", "interaction", "store", "auth", "error"]),
    (
        "background",
        &["fhir", "search", "auth", "audit", "account", "store", "interaction", "hospital", "error", "config"],
    ),
    ("http", &["account", "audit", "interaction", "hospital", "auth", "fhir", "error", "config", "telemetry"]),
    ("console", &["http", "interaction", "hospital", "auth", "fhir", "error"]),
    ("cli", ALL),
    ("app", ALL),
    ("main", ALL),
    ("lib", ALL),
];

/// What a room may take from another one, where that is less than all: the first name after the room's.
const ONLY: &[(&str, &str, &[&str])] = &[("store", "auth", &["Grant", "membership", "policy", "sight"])];

/// The room that a file belongs to: `src/store/embedded.rs` to `store`, `src/error.rs` to `error`.
fn room_of(path: &str) -> Option<&str> {
    path.strip_prefix("src/")?.split('/').next()?.split('.').next()
}

/// How many modules deep a file is: 1 for `src/error.rs` and `src/fhir/mod.rs`, 2 for `src/fhir/id.rs`.
fn depth(path: &str) -> usize {
    let is_root = matches!(path, "src/lib.rs" | "src/main.rs");
    if is_root { 0 } else { path.matches('/').count() - usize::from(path.ends_with("/mod.rs")) }
}

/// The room that a path leads to, and what it takes from it.
fn used(file: &str, path: &str) -> Option<(String, String)> {
    let mut names = path.split("::").peekable();
    let mut supers = 0;
    while names.next_if_eq(&"super").is_some() {
        supers += 1;
    }
    let from_root = names.next_if(|name| ["crate", "brasa"].contains(name)).is_some();
    if !from_root && (supers == 0 || supers < depth(file)) {
        return None;
    }
    let room = names.next().filter(|name| ROOMS.iter().any(|row| row.0 == *name))?;
    Some((room.to_owned(), names.next().unwrap_or_default().to_owned()))
}

/// Each use that a row of the table does not allow.
pub fn forbidden_uses(source: &Source) -> Vec<String> {
    let Some(room) = room_of(&source.path) else { return Vec::new() };
    let Some((_, allowed)) = ROOMS.iter().find(|row| row.0 == room) else {
        return vec![format!(
            "{}:1: src/{room} is no room of the table; add a row to ROOMS in tests/tidy/rooms.rs and to docs/ARCHITECTURE.md, with the reason",
            source.path
        )];
    };
    let mut faults = Vec::new();
    for (offset, path) in source.paths() {
        let Some((other, item)) = used(&source.path, &path) else { continue };
        let is_allowed = other == room || *allowed == ALL || allowed.contains(&other.as_str());
        let only = ONLY.iter().find(|(user, from, _)| *user == room && *from == other);
        if !is_allowed {
            faults.push(format!(
                "{}: the room {room} may not use {other} ({path}); move what is needed down into a room of its row, or hand it in as an argument",
                source.place(offset)
            ));
        } else if let Some((_, _, items)) = only.filter(|(_, _, items)| !items.contains(&item.as_str())) {
            faults.push(format!(
                "{}: the room {room} may use only {} of {other} ({path})",
                source.place(offset),
                items.join(", ")
            ));
        }
    }
    faults
}

/// The circles among the rooms as they are used; empty if there is none.
pub fn circles(sources: &[Source]) -> Vec<String> {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        // The root of the library names all rooms in order to declare them.
        let Some(room) = room_of(&source.path).filter(|room| *room != "lib") else { continue };
        for (_, path) in source.paths() {
            if let Some((other, _)) = used(&source.path, &path).filter(|(other, _)| other != room) {
                uses.entry(room.to_owned()).or_default().insert(other);
            }
        }
    }
    let reaches_itself = |room: &String| {
        let mut open: Vec<&String> = uses.get(room).into_iter().flatten().collect();
        let mut seen = BTreeSet::new();
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                open.extend(uses.get(next).into_iter().flatten());
            }
        }
        seen.contains(room)
    };
    let circular: Vec<&String> = uses.keys().filter(|room| reaches_itself(room)).collect();
    let said = |room: &&String| {
        format!("src/{room}: uses itself by way of {:?}; turn one of the arrows round", uses.get(*room))
    };
    circular.iter().map(said).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> usize {
        forbidden_uses(&Source::new(path, text)).len()
    }

    #[test]
    fn a_use_upwards_is_found_however_it_is_written() {
        for text in [
            "use crate::store::Pool;",
            "use crate::{error::Error, store};",
            "fn f() { crate::store::open(); }",
            "use super::super::store::Pool;",
            "pub(in crate::store) fn f() {}",
        ] {
            assert_eq!(faults("src/search/token.rs", text), 1, "{text}");
        }
    }

    #[test]
    fn an_allowed_use_a_test_and_a_comment_are_left_alone() {
        let text = "use crate::fhir::Id; use super::parse; // crate::store\n#[cfg(test)]\nmod tests { use crate::store::Pool; }";
        assert_eq!(faults("src/search/token.rs", text), 0);
        assert_eq!(faults("src/cli/serve.rs", "use crate::store::Pool;"), 0);
    }

    #[test]
    fn the_store_takes_nothing_but_grant_from_auth() {
        assert_eq!(faults("src/store/read.rs", "use crate::auth::Grant;"), 0);
        assert_eq!(faults("src/store/read.rs", "use crate::auth::{Grant, Account};"), 1);
        assert_eq!(faults("src/store/read.rs", "use crate::auth;"), 1);
    }

    #[test]
    fn a_room_without_a_row_is_found() {
        assert_eq!(faults("src/utils/mod.rs", ""), 1);
    }

    #[test]
    fn a_circle_is_found() {
        let file = |path, text| Source::new(path, text);
        let sources = [file("src/app.rs", "use crate::cli::Flags;"), file("src/cli/mod.rs", "use crate::app;")];
        assert_eq!(circles(&sources).len(), 2);
        assert_eq!(circles(&sources[1..]).len(), 0);
    }

    #[test]
    fn the_table_allows_no_circle() {
        for (position, (room, allowed)) in ROOMS.iter().enumerate() {
            let below: Vec<&str> = ROOMS.iter().take(position).map(|row| row.0).collect();
            let upward = allowed.iter().find(|other| **other != "*" && !below.contains(other));
            assert_eq!(upward, None, "{room} may use a room that does not stand above it in the table");
        }
    }
}
