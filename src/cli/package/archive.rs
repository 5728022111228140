//! A FHIR package as a file: gzip, tar, and in it a folder `package` with JSON. <https://confluence.hl7.org/display/FHIR/NPM+Package+Specification>
//!
//! It comes from anywhere: names that lead out of it, links, and what unpacks to more than the bounds are refused by name,
//! and nothing of it is ever written to a file.

use crate::error::{Error, Kind, Result};
use flate2::read::MultiGzDecoder;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;
use tar::{Archive, Entry, EntryType, PaxExtensions};

/// How much of a package is read.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// One file (bytes).
    pub file_bytes_max: u64,
    /// All of it, unpacked (bytes).
    pub package_bytes_max: u64,
    pub files_max: usize,
}

/// The largest code systems have some 20 MiB, and HL7's own packages up to 300 MiB.
pub const BOUNDS: Bounds = Bounds { file_bytes_max: 64 << 20, package_bytes_max: 1 << 30, files_max: 100_000 };

/// What says the name of a file whose name is long (bytes).
const NAME_BYTES_MAX: u64 = 64 << 10;

/// What takes a file by its name inside, and says whether there shall be more.
pub type Found<'f> = dyn FnMut(&str, Vec<u8>) -> Result<ControlFlow<()>> + 'f;

/// Calls `found` with the name and the bytes of each JSON file that is directly in the folder `package`.
///
/// # Errors
/// What cannot be read, is refused or is beyond a bound, by the name of the file inside; and what `found` says.
pub fn each(path: &Path, bounds: Bounds, found: &mut Found<'_>) -> Result<()> {
    let Bounds { file_bytes_max, package_bytes_max, files_max } = bounds;
    let shown = path.display();
    let file = File::open(path).map_err(|fault| Error::invalid(format!("{shown} cannot be opened: {fault}.")))?;
    let count = Rc::new(Cell::new(0));
    let unpacked =
        Counted { inner: MultiGzDecoder::new(BufReader::new(file)), count: Rc::clone(&count), max: package_bytes_max };
    let mut archive = Archive::new(unpacked);
    let unreadable = |fault: io::Error| match count.get() > package_bytes_max {
        true => too_large(format!("{shown} unpacks to more than {package_bytes_max} bytes, the most that is read.")),
        false => Error::invalid(format!("{shown} is no package (tar and gzip): {fault}.")),
    };
    // Raw: what says a long name is read here, within a bound.
    let entries = archive.entries().map_err(unreadable)?.raw(true);
    let (mut files, mut long_name) = (0, None);
    for entry in entries {
        let mut entry = entry.map_err(unreadable)?;
        files += 1;
        if files > files_max {
            return Err(too_large(format!("{shown} has more than {files_max} files, the most that is read.")));
        }
        match entry.header().entry_type() {
            EntryType::XGlobalHeader => continue,
            EntryType::XHeader | EntryType::GNULongName => {
                long_name = name_told(&mut entry).map_err(unreadable)?.or(long_name);
                continue;
            }
            _ => {}
        }
        let name = match long_name.take() {
            Some(name) => name,
            None => entry.path_bytes().into_owned(),
        };
        let name = checked(&name).map_err(|why| Error::invalid(format!("{shown}: {why}.")))?;
        match entry.header().entry_type() {
            EntryType::Directory => continue,
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Symlink | EntryType::Link => {
                return Err(Error::invalid(format!("{shown}: {name} is a link, which a package has not.")));
            }
            _ => return Err(Error::invalid(format!("{shown}: {name} is neither a file nor a folder."))),
        }
        if entry.size() > file_bytes_max {
            let message =
                format!("{shown}: {name} has more than {file_bytes_max} bytes, the most that is read of one file.");
            return Err(too_large(message));
        }
        if !is_meant(&name) {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(unreadable)?;
        if found(&name, bytes)?.is_break() {
            return Ok(());
        }
    }
    Ok(())
}

fn too_large(message: String) -> Error {
    Error::new(Kind::TooLarge, message)
}

/// Directly in `package`: what is in folders beside it are examples and pages.
fn is_meant(name: &str) -> bool {
    let file = name.strip_prefix("package/").unwrap_or_default();
    file.ends_with(".json") && !file.contains('/') && !file.starts_with('.')
}

/// The name that an entry before a file says for it.
fn name_told<R: Read>(entry: &mut Entry<'_, R>) -> io::Result<Option<Vec<u8>>> {
    let mut told = Vec::new();
    let is_pax = entry.header().entry_type() == EntryType::XHeader;
    entry.take(NAME_BYTES_MAX).read_to_end(&mut told)?;
    if !is_pax {
        let end = told.iter().position(|byte| *byte == 0).unwrap_or(told.len());
        told.truncate(end);
        return Ok(Some(told));
    }
    for extension in PaxExtensions::new(&told) {
        let extension = extension?;
        if extension.key_bytes() == b"path" {
            return Ok(Some(extension.value_bytes().to_vec()));
        }
    }
    Ok(None)
}

/// # Errors
/// A name that leads out of the package.
fn checked(name: &[u8]) -> std::result::Result<String, String> {
    let shown = String::from_utf8_lossy(name);
    let Ok(text) = std::str::from_utf8(name) else { return Err(format!("the name `{shown}` is not UTF-8")) };
    let text = text.strip_prefix("./").unwrap_or(text);
    if text.starts_with('/') || text.contains(['\\', '\0', ':']) {
        return Err(format!("the name `{}` is no relative name of a file", shown.escape_debug()));
    }
    if text.split('/').any(|part| part == "..") {
        return Err(format!("the name `{shown}` leads out of the package"));
    }
    Ok(text.to_owned())
}

/// Counts what is unpacked, and fails beyond the bound.
struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
    /// Bytes.
    max: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.count.set(self.count.get().saturating_add(u64::try_from(length).unwrap_or(u64::MAX)));
        match self.count.get() > self.max {
            true => Err(io::Error::other("too much is unpacked")),
            false => Ok(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_are_refused_and_only_definitions_are_meant() {
        for name in ["/etc/passwd", "../x", "package/../../x", "package/..", "package\\x", "C:x", "a\0b"] {
            assert!(checked(name.as_bytes()).is_err(), "{name}");
        }
        assert!(checked(b"package/\xff.json").is_err());
        assert_eq!(checked(b"./package/..a.json").as_deref(), Ok("package/..a.json"));
        for (name, expected) in [
            ("package/ValueSet-a.json", true),
            ("package/.index.json", false),
            ("package/example/Patient-a.json", false),
            ("other/ValueSet-a.json", false),
            ("package/readme.md", false),
        ] {
            assert_eq!(is_meant(name), expected, "{name}");
        }
    }

    fn packed(files: &[(String, usize)]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let gzip = flate2::write::GzEncoder::new(file.reopen().unwrap(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        for (name, size) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(*size as u64);
            tar.append_data(&mut header, name, vec![b' '; *size].as_slice()).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap();
        file
    }

    #[test]
    fn what_unpacks_to_more_than_the_bounds_is_refused_and_long_names_are_read() {
        let bounds = Bounds { file_bytes_max: 2_000, package_bytes_max: 100_000, files_max: 20 };
        let read = |files: &[(String, usize)]| {
            let (file, mut names) = (packed(files), Vec::new());
            let read = each(file.path(), bounds, &mut |name, bytes| {
                names.push(format!("{name} {}", bytes.len()));
                Ok(ControlFlow::Continue(()))
            });
            read.map(|()| names).map_err(|error| (error.kind, error.message))
        };
        let long = format!("package/{}.json", "a".repeat(200));
        assert_eq!(read(&[(long.clone(), 7)]), Ok(vec![format!("{long} 7")]));
        let of = |name: &str, count: usize, size: usize| -> Vec<(String, usize)> {
            (0..count).map(|number| (format!("{name}{number}.json"), size)).collect()
        };
        let (kind, message) = read(&of("package/a", 1, 2_001)).unwrap_err();
        assert!(kind == Kind::TooLarge && message.contains("package/a0.json has more than 2000 bytes"), "{message}");
        let (kind, message) = read(&of("package/a", 21, 1)).unwrap_err();
        assert!(kind == Kind::TooLarge && message.contains("more than 20 files"), "{message}");
        // Also of what is only passed over.
        let small = Bounds { package_bytes_max: 10_000, ..bounds };
        let file = packed(&of("other/a", 15, 1_900));
        let refused = each(file.path(), small, &mut |_, _| Ok(ControlFlow::Continue(()))).unwrap_err();
        assert!(refused.message.contains("unpacks to more than 10000 bytes"), "{}", refused.message);
    }
}
