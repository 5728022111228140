//! Where input comes from: files, folders and standard input, plain or gzip.

use crate::error::{Error, Kind, Result};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Folders within folders beyond this are refused (levels).
const FOLDER_DEPTH_MAX: usize = 64;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// What the name of an input says about its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One Bundle or resource.
    Document,
    /// One resource a line.
    Lines,
    /// The content has to tell.
    Unsaid,
}

/// One input, before it is opened.
#[derive(Debug)]
pub struct Source {
    /// As the operator knows it.
    pub name: Arc<str>,
    /// `None`: standard input.
    path: Option<PathBuf>,
    pub form: Form,
    /// As it lies on the disk; `None` for a stream.
    pub bytes: Option<u64>,
}

/// An input that cannot even be opened.
#[derive(Debug)]
pub struct Unreadable {
    pub name: Arc<str>,
    pub error: Error,
}

/// An open input.
pub struct Text {
    /// Its text, decompressed.
    pub reader: Box<dyn BufRead + Send>,
    /// How many of its bytes have been read, still compressed.
    pub raw_bytes: Arc<AtomicU64>,
}

/// All inputs that the paths name, in their order; a folder's by name, those of its folders among them.
pub fn find(paths: &[PathBuf]) -> Vec<std::result::Result<Source, Unreadable>> {
    let mut found = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            found.push(Ok(Source { name: "standard input".into(), path: None, form: Form::Unsaid, bytes: None }));
        } else if path.is_dir() {
            let before = found.len();
            walk(path, FOLDER_DEPTH_MAX, &mut found);
            if found.len() == before {
                let message = "The folder holds no file that ends in .json, .ndjson, .json.gz or .ndjson.gz.";
                found.push(Err(unreadable(path, Error::invalid(message))));
            }
        } else {
            found.push(file(path));
        }
    }
    found
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<std::result::Result<Source, Unreadable>>) {
    let listed = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut entries = match listed {
        Ok(entries) => entries,
        Err(fault) => return found.push(Err(unreadable(folder, refused("The folder cannot be read", &fault)))),
    };
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // A link to a folder may lead in a circle, so only files are followed.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => walk(&path, depth - 1, found),
            Ok(kind) if kind.is_dir() => {
                let message = format!("Folders nest deeper than {FOLDER_DEPTH_MAX} levels.");
                found.push(Err(unreadable(&path, Error::new(Kind::TooLarge, message))));
            }
            _ if form(&path) != Form::Unsaid && !path.is_dir() => found.push(file(&path)),
            _ => {}
        }
    }
}

fn file(path: &Path) -> std::result::Result<Source, Unreadable> {
    match std::fs::metadata(path) {
        Ok(facts) => {
            let name = path.display().to_string().into();
            let bytes = facts.is_file().then_some(facts.len());
            Ok(Source { name, path: Some(path.to_owned()), form: form(path), bytes })
        }
        Err(fault) => Err(unreadable(path, refused("The file cannot be read", &fault))),
    }
}

fn form(path: &Path) -> Form {
    let name = path.to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match name {
        name if name.ends_with(".ndjson") => Form::Lines,
        name if name.ends_with(".json") => Form::Document,
        _ => Form::Unsaid,
    }
}

fn unreadable(path: &Path, error: Error) -> Unreadable {
    Unreadable { name: path.display().to_string().into(), error }
}

/// What the operating system or the decompressor said about an input.
pub fn refused(what: &str, fault: &std::io::Error) -> Error {
    Error::invalid(format!("{what}: {fault}."))
}

impl Source {
    /// Whether this input is that file.
    pub fn is_file(&self, other: &Path) -> bool {
        let same =
            |path: &PathBuf| path.canonicalize().ok().is_some_and(|path| other.canonicalize().ok() == Some(path));
        self.path.as_ref().is_some_and(same)
    }

    /// Opens it; whether it is gzip is told by its first bytes, not by its name.
    pub fn open(&self) -> Result<Text> {
        let raw_bytes = Arc::new(AtomicU64::new(0));
        let raw: Box<dyn Read + Send> = match &self.path {
            None => Box::new(std::io::stdin()),
            Some(path) => Box::new(File::open(path).map_err(|fault| refused("The file cannot be read", &fault))?),
        };
        let mut raw = BufReader::new(Counted { raw, count: Arc::clone(&raw_bytes) });
        let mut magic = Vec::new();
        let read = raw.by_ref().take(2).read_to_end(&mut magic);
        read.map_err(|fault| refused("The input cannot be read", &fault))?;
        let is_gzip = magic == GZIP_MAGIC;
        let raw = Cursor::new(magic).chain(raw);
        let reader: Box<dyn BufRead + Send> =
            if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(raw))) } else { Box::new(raw) };
        Ok(Text { reader, raw_bytes })
    }
}

struct Counted {
    raw: Box<dyn Read + Send>,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.raw.read(buffer)?;
        self.count.fetch_add(u64::try_from(length).unwrap_or_default(), Ordering::Relaxed);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_told_by_the_name_with_or_without_gz() {
        for (name, expected) in [
            ("a.json", Form::Document),
            ("a.JSON.gz", Form::Document),
            ("a.ndjson", Form::Lines),
            ("a.ndjson.gz", Form::Lines),
            ("a.gz", Form::Unsaid),
            ("a.txt", Form::Unsaid),
        ] {
            assert_eq!(form(Path::new(name)), expected, "{name}");
        }
    }
}
