//! Law 12: short functions, short files, a first line that says what a file is; and no unfinished work.

use crate::source::{Source, find_words, item_end, skip_space, word_at};

pub const FUNCTION_LINES_MAX: usize = 70;
pub const FILE_LINES_MAX: usize = 500;

/// A function or a file that is too long.
#[derive(Debug, PartialEq)]
pub struct Long {
    /// As it stands in `tests/tidy-exceptions.txt`: `function src/a.rs name` or `file src/a.rs`.
    pub name: String,
    pub place: String,
    pub lines: usize,
}

/// All functions and files beyond the bounds.
pub fn long(source: &Source) -> Vec<Long> {
    let lines = source.line(source.text.len()) - usize::from(source.text.last() == Some(&'\n'));
    let mut found = Vec::new();
    if lines > FILE_LINES_MAX {
        found.push(Long { name: format!("file {}", source.path), place: source.place(0), lines });
    }
    for start in find_words(&source.code, "fn") {
        let name = word_at(&source.code, skip_space(&source.code, start + 2));
        // `fn(u8) -> u8` is a type.
        if name.is_empty() {
            continue;
        }
        let end = item_end(&source.code, start).saturating_sub(1);
        let lines = source.line(end) - source.line(start) + 1;
        if lines > FUNCTION_LINES_MAX {
            found.push(Long { name: format!("function {} {name}", source.path), place: source.place(start), lines });
        }
    }
    found
}

/// What is too long and not excepted, and every exception that is no longer needed as it stands.
pub fn judge(long: &[Long], exceptions: &str) -> Vec<String> {
    let entries: Vec<&str> =
        exceptions.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let allowed = |name: &str| {
        entries.iter().find_map(|entry| entry.rsplit_once(' ').filter(|(of, _)| *of == name)?.1.parse::<usize>().ok())
    };
    let mut faults = Vec::new();
    for one in long {
        match allowed(&one.name) {
            Some(lines) if one.lines < lines => faults.push(format!(
                "tests/tidy-exceptions.txt: `{}` has shrunk to {} lines; lower the entry",
                one.name, one.lines
            )),
            Some(lines) if one.lines == lines => {}
            _ => faults.push(format!(
                "{}: {} has {} lines (functions at most {FUNCTION_LINES_MAX}, files {FILE_LINES_MAX}); cut it where one part can be named",
                one.place, one.name, one.lines
            )),
        }
    }
    let is_needed = |entry: &&&str| long.iter().any(|one| entry.rsplit_once(' ').is_some_and(|(of, _)| of == one.name));
    for entry in entries.iter().filter(|entry| !is_needed(entry)) {
        faults.push(format!("tests/tidy-exceptions.txt: `{entry}` is no longer needed; delete the line"));
    }
    faults
}

/// A file's first line is `//!` and its first paragraph holds a sentence.
pub fn first_line(source: &Source) -> Vec<String> {
    let text: String = source.text.iter().collect();
    let paragraph = text.lines().map_while(|line| line.strip_prefix("//! ")).collect::<Vec<_>>().join(" ");
    let is_sentence = paragraph.ends_with(['.', '?', '!']) || paragraph.contains(". ");
    if is_sentence {
        return Vec::new();
    }
    vec![format!("{}:1: the file does not open with `//! ` and a sentence; say what the file is for", source.path)]
}

/// Words that put work off.
pub fn unfinished(source: &Source) -> Vec<String> {
    // Put together here, so that this file does not find itself.
    let in_text = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let in_code = [concat!("to", "do!"), concat!("unimplem", "ented!"), concat!("#[ig", "nore")];
    let texts = in_text.iter().flat_map(|word| find_words(&source.text, word).into_iter().map(move |at| (at, word)));
    let codes = in_code.iter().flat_map(|word| find_words(&source.code, word).into_iter().map(move |at| (at, word)));
    let said = |(at, word)| format!("{}: {word}; finish it, or open an issue and delete the word", source.place(at));
    texts.chain(codes).map(said).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(lines: usize) -> Source {
        let body = "    let s = \"}\"; // }\n".repeat(lines - 2);
        Source::new("src/a.rs", &format!("type F = fn(u8);\nfn long(x: [u8; 4]) {{\n{body}}}\n"))
    }

    #[test]
    fn a_long_function_is_found_and_measured_by_its_braces() {
        assert_eq!(long(&function(70)), []);
        let name = "function src/a.rs long".to_owned();
        assert_eq!(long(&function(71)), [Long { name, place: "src/a.rs:2".to_owned(), lines: 71 }]);
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(long(&Source::new("src/a.rs", &"\n".repeat(500))).len(), 0);
        assert_eq!(long(&Source::new("src/a.rs", &"\n".repeat(501))).len(), 1);
    }

    #[test]
    fn an_exception_holds_for_its_number_and_may_only_shrink() {
        let found = long(&function(80));
        assert_eq!(judge(&found, "# why\nfunction src/a.rs long 80\n").len(), 0);
        assert_eq!(judge(&found, "").len(), 1);
        assert_eq!(judge(&found, "function src/a.rs long 79").len(), 1);
        assert!(judge(&found, "function src/a.rs long 81").concat().contains("lower the entry"));
        assert!(judge(&[], "file src/b.rs 600").concat().contains("delete the line"));
    }

    #[test]
    fn a_file_that_does_not_say_what_it_is_is_found() {
        for text in ["", "use std::fs;\n", "//! (to be written)\n", "// Not a doc.\n", "//!\n//! Late.\n"] {
            assert_eq!(first_line(&Source::new("src/a.rs", text)).len(), 1, "{text}");
        }
        for text in ["//! The update interaction. <https://hl7.org>\n", "//! Two lines\n//! of one sentence.\n\nuse x;"]
        {
            assert_eq!(first_line(&Source::new("src/a.rs", text)).len(), 0, "{text}");
        }
    }

    #[test]
    fn unfinished_work_is_found() {
        for word in [concat!("// TO", "DO later"), concat!("fn f() { to", "do!() }"), concat!("#[ig", "nore = \"x\"]")]
        {
            assert_eq!(unfinished(&Source::new("src/a.rs", word)).len(), 1, "{word}");
        }
        assert_eq!(unfinished(&Source::new("src/a.rs", "// a toad; fn f() { methodo!() }")).len(), 0);
    }
}
