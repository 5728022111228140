//! A Rust file as the laws read it: its code without comments, literals and tests, and its string literals apart.

use std::path::{Path, PathBuf};

/// One file. `code` and `live` have a character for each of `text`, so an offset holds in all three.
pub struct Source {
    /// From the root of the repository, with `/`.
    pub path: String,
    pub text: Vec<char>,
    /// The text with comments and the insides of literals blanked.
    pub code: Vec<char>,
    /// The code with what only tests compile blanked as well.
    pub live: Vec<char>,
    /// The string literals, by the offset of their first quote.
    pub strings: Vec<(usize, String)>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let text: Vec<char> = text.chars().collect();
        let (code, strings) = strip(&text);
        let is_test_file = path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/");
        let live = if is_test_file { blank(&code, 0, code.len()) } else { without_tests(&code) };
        Source { path: path.to_owned(), text, code, live, strings }
    }

    /// `file:line` of an offset, for a message.
    pub fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.path, self.line(offset))
    }

    /// The line of an offset, from 1.
    pub fn line(&self, offset: usize) -> usize {
        1 + self.text.iter().take(offset).filter(|c| **c == '\n').count()
    }

    /// The string literals outside tests.
    pub fn live_strings(&self) -> impl Iterator<Item = &(usize, String)> {
        self.strings.iter().filter(|(offset, _)| self.live.get(*offset) == Some(&'"'))
    }

    /// Every path outside tests, such as `std::fs::read`, with the groups of a `use` spelled out.
    pub fn paths(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.live.len() {
            if is_word_start(&self.live, at) {
                at = read_path(&self.live, at, "", &mut found);
            } else {
                at += 1;
            }
        }
        found
    }
}

/// All Rust files under the folders, in order.
pub fn rust_files(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    folders.iter().for_each(|folder| walk(&root.join(folder), &mut found));
    found.sort();
    let rust = found.iter().filter(|file| file.extension().is_some_and(|end| end == "rs"));
    rust.map(|file| Source::new(&relative(root, file), &read(file))).collect()
}

/// Path and text of all files under a folder; none if it does not exist.
pub fn files(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&root.join(folder), &mut found);
    found.sort();
    found.iter().map(|file| (relative(root, file), read(file))).collect()
}

fn relative(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).to_string_lossy().replace('\\', "/")
}

fn read(file: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).into_owned()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

pub fn is_word(c: Option<&char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || *c == '_')
}

fn is_word_start(code: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|i| code.get(i));
    is_word(code.get(at)) && !is_word(before) && !code.get(at).is_some_and(char::is_ascii_digit)
}

/// The offsets where `words` stands in the code, not as a part of a longer word.
pub fn find_words(code: &[char], words: &str) -> Vec<usize> {
    let words: Vec<char> = words.chars().collect();
    let ends_open = |at: usize| is_word(words.last()) && is_word(code.get(at + words.len()));
    let starts_open = |at: usize| is_word(words.first()) && at > 0 && is_word(code.get(at - 1));
    let windows = code.windows(words.len().max(1)).enumerate();
    windows.filter(|(at, w)| *w == words && !starts_open(*at) && !ends_open(*at)).map(|(at, _)| at).collect()
}

/// The offset of the first character from `at` on that is no white space.
pub fn skip_space(code: &[char], at: usize) -> usize {
    at + code.iter().skip(at).take_while(|c| c.is_whitespace()).count()
}

/// The word at an offset; empty if there is none.
pub fn word_at(code: &[char], at: usize) -> String {
    code.iter().skip(at).take_while(|c| is_word(Some(*c))).collect()
}

fn starts(code: &[char], at: usize, words: &str) -> bool {
    words.chars().enumerate().all(|(i, c)| code.get(at + i) == Some(&c))
}

/// Reads a path and the groups in it; gives the offset after it.
fn read_path(code: &[char], start: usize, prefix: &str, found: &mut Vec<(usize, String)>) -> usize {
    let mut path = prefix.to_owned();
    let mut at = start;
    loop {
        let word = word_at(code, at);
        at += word.chars().count();
        path = if path.is_empty() { word } else { format!("{path}::{word}") };
        if !starts(code, at, "::") {
            break;
        }
        let next = skip_space(code, at + 2);
        if code.get(next) == Some(&'{') {
            return read_group(code, next + 1, &path, found);
        }
        if !is_word(code.get(next)) {
            at = next;
            break;
        }
        at = next;
    }
    found.push((start, path));
    at
}

fn read_group(code: &[char], start: usize, prefix: &str, found: &mut Vec<(usize, String)>) -> usize {
    let mut at = start;
    while let Some(c) = code.get(at) {
        match c {
            '}' => return at + 1,
            // Whole: `use a::{b::*}` brings in what `b` holds, `{self}` the room itself.
            _ if is_word_start(code, at) && word_at(code, at) == "as" => {
                at = skip_space(code, at + 2);
                at += word_at(code, at).chars().count();
            }
            _ if is_word_start(code, at) => at = read_path(code, at, prefix, found),
            _ => at += 1,
        }
    }
    at
}

fn blank(code: &[char], from: usize, to: usize) -> Vec<char> {
    let blanked = |(i, c): (usize, &char)| if (from..to).contains(&i) && *c != '\n' { ' ' } else { *c };
    code.iter().enumerate().map(blanked).collect()
}

/// Blanks every item under `#[cfg(test)]`.
fn without_tests(code: &[char]) -> Vec<char> {
    let mut live = code.to_vec();
    for start in find_words(code, "#[cfg(test)]") {
        live = blank(&live, start, item_end(code, start + "#[cfg(test)]".len()));
    }
    live
}

/// The offset after the item that begins at `start`: after its `;`, or after the brace that closes it.
pub fn item_end(code: &[char], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.iter().enumerate().skip(start) {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Blanks comments and the insides of literals, and collects the string literals.
fn strip(text: &[char]) -> (Vec<char>, Vec<(usize, String)>) {
    let mut code = text.to_vec();
    let mut strings = Vec::new();
    let mut at = 0;
    while let Some(c) = text.get(at) {
        let end = match c {
            '/' if starts(text, at, "//") => line_end(text, at),
            '/' if starts(text, at, "/*") => comment_end(text, at),
            '"' => string_end(text, at),
            'r' if !is_word(at.checked_sub(1).and_then(|i| text.get(i)))
                || starts(text, at.saturating_sub(1), "br") =>
            {
                raw_string_end(text, at).unwrap_or(at)
            }
            '\'' => char_end(text, at).unwrap_or(at),
            _ => at,
        };
        if end == at {
            at += 1;
            continue;
        }
        code = blank_in(code, at, end);
        if let Some(quote) = (at..end).find(|i| text.get(*i) == Some(&'"')).filter(|_| matches!(c, '"' | 'r')) {
            let hashes = quote - at.min(quote) - usize::from(*c == 'r');
            let inside = text.iter().take(end.saturating_sub(1 + hashes)).skip(quote + 1);
            strings.push((quote, inside.collect()));
            // The quote stays, so that a look at the code shows that a literal begins here.
            if let Some(kept) = code.get_mut(quote) {
                *kept = '"';
            }
        }
        at = end;
    }
    (code, strings)
}

fn blank_in(mut code: Vec<char>, from: usize, to: usize) -> Vec<char> {
    for c in code.iter_mut().take(to).skip(from).filter(|c| **c != '\n') {
        *c = ' ';
    }
    code
}

fn line_end(text: &[char], start: usize) -> usize {
    start + text.iter().skip(start).take_while(|c| **c != '\n').count()
}

fn comment_end(text: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while at < text.len() {
        if starts(text, at, "/*") {
            depth += 1;
            at += 2;
        } else if starts(text, at, "*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string_end(text: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(c) = text.get(at) {
        match c {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// The end of `r"…"` or `r#"…"#`; nothing if it is a plain word.
fn raw_string_end(text: &[char], start: usize) -> Option<usize> {
    let hashes = text.iter().skip(start + 1).take_while(|c| **c == '#').count();
    if text.get(start + 1 + hashes) != Some(&'"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let end = (start + 2 + hashes..text.len()).find(|at| starts(text, *at, &close));
    Some(end.map_or(text.len(), |at| at + 1 + hashes))
}

/// The end of a character literal; nothing if the quote opens a lifetime.
fn char_end(text: &[char], start: usize) -> Option<usize> {
    if text.get(start + 1) == Some(&'\\') {
        let close = text.iter().skip(start + 3).position(|c| *c == '\'')?;
        return Some(start + 3 + close + 1);
    }
    (text.get(start + 2) == Some(&'\'')).then_some(start + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_literals_and_tests_are_not_code() {
        let text = r####"
            // fn a() {
            /* { /* nested */ { */
            const S: &str = "fn b() { \" }"; const R: &str = r#"a " { "#; const B: &[u8] = br"{";
            const C: [char; 3] = ['{', '\'', '\u{7b}']; fn f<'a>(x: &'a str) {}
            #[cfg(test)]
            mod tests { fn t() { std::fs::read("x"); } }
            fn g() {}
        "####;
        let source = Source::new("src/a.rs", text);
        let live: String = source.live.iter().collect();
        assert_eq!(live.matches('{').count(), 2, "{live}");
        assert!(live.contains("fn f<'a>(x: &'a str)") && live.contains("fn g()"), "{live}");
        let literals: Vec<&str> = source.live_strings().map(|(_, literal)| literal.as_str()).collect();
        assert_eq!(literals, ["fn b() { \\\" }", "a \" { ", "{"]);
    }

    #[test]
    fn paths_are_spelled_out_with_their_groups() {
        let text = "use crate::{auth::Grant, fhir::{self, Id as I}, store::*}; fn f() { a::b::<T>(c.d::<u8>()) }";
        let paths: Vec<String> = Source::new("src/a.rs", text).paths().into_iter().map(|(_, path)| path).collect();
        for path in ["crate::auth::Grant", "crate::fhir::self", "crate::fhir::Id", "crate::store", "a::b"] {
            assert!(paths.iter().any(|found| found == path), "{path} is not in {paths:?}");
        }
        assert!(!paths.iter().any(|found| found.ends_with("::I")), "{paths:?}");
    }
}
