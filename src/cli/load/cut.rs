//! Cutting inputs into pieces that are stored each at once: a transaction, a part of a batch, some hundred lines.

use super::lines::{LineRead, read_line};
use super::reject::{Position, Reject};
use super::source::{Form, Source, Text, refused};
use crate::error::{Error, Kind};
use crate::fhir::bundle::{Bundle, Entry};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::invalid::{Invalid, Result};
use crate::fhir::json::{Json, Parser};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use smol_str::SmolStr;
use std::collections::HashSet;
use std::io::{BufRead, Cursor, Read};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::Ordering;

// These three decide where pieces begin and end. They are no settings: with other numbers `--resume` would not know
// the pieces that an earlier run stored.
/// Lines of one transaction: enough that a commit's cost does not show, few enough that a bad line costs little.
const CHUNK_LINES_MAX: usize = 500;
const CHUNK_BYTES_MAX: usize = 8 * 1024 * 1024;
const BATCH_ENTRIES_MAX: usize = 100;

/// What is stored at once, under one receipt or under receipts derived from it.
#[derive(Debug)]
pub struct Piece {
    pub source: Arc<str>,
    /// Made from the SHA-256 of the text up to the piece's end and the piece's number. Text and not the bytes on the
    /// disk: gzip or not, and a file that has grown since, are known again, and nothing has to be read twice.
    pub key: String,
    pub content: Content,
    /// How much of the source, as it lies on the disk, this piece took.
    pub raw_bytes: u64,
}

#[derive(Debug)]
pub enum Content {
    /// A Bundle that is answered as a whole.
    Bundle {
        text: Bytes,
        line: Option<usize>,
        entries: usize,
    },
    /// Some entries of a batch, each with its position.
    Batch {
        text: Bytes,
        line: Option<usize>,
        entries: Vec<(usize, Entry)>,
    },
    Lines(Vec<Line>),
    Refused(Reject),
}

/// A resource that is to be stored by itself.
#[derive(Debug, Clone)]
pub struct Line {
    pub position: Position,
    pub resource_type: ResourceType,
    /// With one it is PUT, without it is POSTed.
    pub id: Option<Id>,
    pub text: Bytes,
}

/// Bounds on one input.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// A Bundle or a line, decompressed.
    pub text_bytes_max: usize,
    pub json_depth_max: usize,
    pub bundle_entries_max: usize,
}

/// Why cutting a source ended early.
enum Halt {
    /// Nobody wants further pieces.
    Stopped,
    /// The rest of the source cannot be read.
    Refused(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Halt {
        Halt::Refused(error)
    }
}

type Cut = std::result::Result<(), Halt>;

/// Cuts one source; `emit` takes the pieces in order and says whether it wants more.
pub fn cut(source: &Source, bounds: Bounds, emit: &mut dyn FnMut(Piece) -> ControlFlow<()>) -> ControlFlow<()> {
    let mut raw_before = 0;
    let opened = source.open();
    let raw_bytes = opened.as_ref().map(|text| Arc::clone(&text.raw_bytes)).unwrap_or_default();
    let mut measured = |mut piece: Piece| {
        let raw = raw_bytes.load(Ordering::Relaxed);
        piece.raw_bytes = raw.saturating_sub(std::mem::replace(&mut raw_before, raw));
        emit(piece)
    };
    let mut cutter = Cutter { source: &source.name, bounds, emit: &mut measured };
    let halted = match opened {
        Ok(text) => cutter.whole(source.form, text),
        Err(error) => Err(error.into()),
    };
    match halted {
        Ok(()) => ControlFlow::Continue(()),
        Err(Halt::Stopped) => ControlFlow::Break(()),
        Err(Halt::Refused(error)) => {
            let content = Content::Refused(Reject::of_source(&source.name, error));
            measured(Piece { source: Arc::clone(&source.name), key: String::new(), content, raw_bytes: 0 })
        }
    }
}

struct Cutter<'a> {
    source: &'a Arc<str>,
    bounds: Bounds,
    emit: &'a mut dyn FnMut(Piece) -> ControlFlow<()>,
}

/// Lines that will be one transaction.
#[derive(Default)]
struct Chunk {
    lines: Vec<Line>,
    bytes: usize,
    /// All text up to the last line.
    digest: Sha256,
    ids: HashSet<(ResourceType, Id)>,
}

impl Cutter<'_> {
    fn whole(&mut self, form: Form, text: Text) -> Cut {
        match form {
            Form::Document => self.document(text.reader),
            Form::Lines => self.lines(text.reader),
            Form::Unsaid => self.unsaid(text.reader),
        }
    }

    /// A first line that is a whole object and not all there is makes it NDJSON.
    fn unsaid(&mut self, mut reader: impl BufRead) -> Cut {
        let mut first = Vec::new();
        while first.iter().all(u8::is_ascii_whitespace) {
            match read_line(&mut reader, &mut first, self.bounds.text_bytes_max)? {
                LineRead::Line => {}
                LineRead::TooLong => return Err(self.too_large("The input").into()),
                LineRead::End => break,
            }
        }
        let is_whole = Head::read(&first, 0..first.len(), self.bounds.json_depth_max).is_ok();
        let rest = reader.fill_buf().map_err(|fault| refused("The input cannot be read", &fault))?;
        let has_rest = !rest.is_empty();
        let all = Cursor::new(first).chain(reader);
        if is_whole && has_rest { self.lines(all) } else { self.document(all) }
    }

    fn document(&mut self, reader: impl Read) -> Cut {
        let mut text = Vec::new();
        let most = u64::try_from(self.bounds.text_bytes_max).unwrap_or(u64::MAX);
        let read = reader.take(most.saturating_add(1)).read_to_end(&mut text);
        read.map_err(|fault| refused("The input cannot be read", &fault))?;
        if text.len() > self.bounds.text_bytes_max {
            return Err(self.too_large("The input").into());
        }
        if text.iter().all(u8::is_ascii_whitespace) {
            return Err(Error::invalid("The input is empty.").into());
        }
        let digest = Sha256::new_with_prefix(&text);
        let text = without_mark(Bytes::from(text));
        match self.content(text, Position::WHOLE, true) {
            Ok(content) => self.send(key(digest, 0), content),
            // The source is the input: it need not be repeated beside the reason.
            Err(reject) => self.send(String::new(), Content::Refused(Reject { input: None, ..reject })),
        }
    }

    fn lines(&mut self, mut reader: impl BufRead) -> Cut {
        let (mut digest, mut chunk, mut is_empty) = (Sha256::new(), Chunk::default(), true);
        for number in 1.. {
            let mut line = Vec::new();
            let read = read_line(&mut reader, &mut line, self.bounds.text_bytes_max);
            if read.is_err() {
                self.flush(&mut chunk)?;
            }
            let read = read.map_err(|error| Error::invalid(format!("From line {number} on: {}", error.message)))?;
            digest.update(&line);
            match read {
                LineRead::End => break,
                LineRead::Line if line.iter().all(u8::is_ascii_whitespace) => continue,
                LineRead::Line => {}
                LineRead::TooLong => {
                    let reject = self.reject(Position::line(number), self.too_large("The line"), None);
                    self.send(String::new(), Content::Refused(reject))?;
                    continue;
                }
            }
            is_empty = false;
            self.line(number, Bytes::from(line), &digest, &mut chunk)?;
        }
        self.flush(&mut chunk)?;
        if is_empty { Err(Error::invalid("The input is empty.").into()) } else { Ok(()) }
    }

    /// Adds one line to the chunk; a Bundle is a piece of its own.
    fn line(&mut self, number: usize, text: Bytes, digest: &Sha256, chunk: &mut Chunk) -> Cut {
        let text = if number == 1 { without_mark(text) } else { text };
        let content = match self.content(text, Position::line(number), false) {
            Ok(Content::Lines(lines)) => {
                for line in lines {
                    self.add(line, digest, chunk)?;
                }
                return Ok(());
            }
            Ok(content) => content,
            Err(reject) => Content::Refused(reject),
        };
        self.flush(chunk)?;
        self.send(key(digest.clone(), number), content)
    }

    fn add(&mut self, line: Line, digest: &Sha256, chunk: &mut Chunk) -> Cut {
        // A transaction writes each resource once: the second version of one goes into the next.
        let is_second = line.id.as_ref().is_some_and(|id| chunk.ids.contains(&(line.resource_type, id.clone())));
        let is_full = chunk.lines.len() >= CHUNK_LINES_MAX || chunk.bytes + line.text.len() > CHUNK_BYTES_MAX;
        if is_second || is_full {
            self.flush(chunk)?;
        }
        chunk.ids.extend(line.id.clone().map(|id| (line.resource_type, id)));
        chunk.bytes += line.text.len();
        chunk.lines.push(line);
        chunk.digest = digest.clone();
        Ok(())
    }

    fn flush(&mut self, chunk: &mut Chunk) -> Cut {
        let Chunk { lines, digest, .. } = std::mem::take(chunk);
        let Some(first) = lines.first().and_then(|line| line.position.line) else { return Ok(()) };
        self.send(key(digest, first), Content::Lines(lines))
    }

    /// What a text is; one that cannot be stored is refused here with the place of the fault.
    fn content(&self, text: Bytes, position: Position, is_document: bool) -> std::result::Result<Content, Reject> {
        let head = Head::read(&text, 0..text.len(), self.bounds.json_depth_max);
        let mut text = text;
        let head = head.and_then(|head| match head.input.clone().filter(|_| head.type_name.is_none()) {
            // A line of the file of refused inputs: what was refused, mended by now.
            Some(input) => {
                text = text.slice(input);
                Head::read(&text, 0..text.len(), self.bounds.json_depth_max)
            }
            None => Ok(head),
        });
        let refuse = |invalid: Invalid| self.reject(position, invalid.into(), Some(text.clone()));
        let head = head.map_err(refuse)?;
        let kind = head.kind.as_deref();
        let processed = matches!(kind, Some("transaction" | "batch"));
        if head.type_name.as_deref() != Some("Bundle") || !(is_document || processed) {
            let (resource_type, id) = head.names().map_err(refuse)?;
            return Ok(Content::Lines(vec![Line { position, resource_type, id, text }]));
        }
        let bundle = Bundle::read(&text, self.bounds.json_depth_max, self.bounds.bundle_entries_max).map_err(refuse)?;
        let line = position.line;
        if kind == Some("batch") {
            let entries = (0..).zip(bundle.entries).collect();
            return Ok(Content::Batch { text, line, entries });
        }
        Ok(Content::Bundle { text, line, entries: bundle.entries.len() })
    }

    /// Hands a piece on; a batch in parts, so that several tasks share it.
    fn send(&mut self, key: String, content: Content) -> Cut {
        let piece = |key, content| Piece { source: Arc::clone(self.source), key, content, raw_bytes: 0 };
        let mut flow = ControlFlow::Continue(());
        match content {
            Content::Batch { text, line, entries } if entries.len() > BATCH_ENTRIES_MAX => {
                let mut entries = entries.into_iter().peekable();
                while entries.peek().is_some() && flow.is_continue() {
                    let part: Vec<_> = entries.by_ref().take(BATCH_ENTRIES_MAX).collect();
                    let content = Content::Batch { text: text.clone(), line, entries: part };
                    flow = (self.emit)(piece(key.clone(), content));
                }
            }
            content => flow = (self.emit)(piece(key, content)),
        }
        if flow.is_continue() { Ok(()) } else { Err(Halt::Stopped) }
    }

    fn reject(&self, position: Position, error: Error, input: Option<Bytes>) -> Reject {
        Reject { position, input, ..Reject::of_source(self.source, error) }
    }

    fn too_large(&self, what: &str) -> Error {
        let most = self.bounds.text_bytes_max;
        Error::new(
            Kind::TooLarge,
            format!("{what} is larger than {most} bytes when it is decompressed (BRASA_BODY_BYTES_MAX)."),
        )
    }
}

fn key(digest: Sha256, number: usize) -> String {
    let hex: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}/{number}")
}

/// A byte order mark is no part of a text that goes into another one.
fn without_mark(text: Bytes) -> Bytes {
    if text.starts_with(b"\xEF\xBB\xBF") { text.slice(3..) } else { text }
}

/// What decides how an object is loaded, read without reading the rest.
#[derive(Debug, Default)]
struct Head {
    type_name: Option<SmolStr>,
    id: Option<Json>,
    kind: Option<SmolStr>,
    input: Option<Range<usize>>,
}

impl Head {
    fn read(text: &[u8], span: Range<usize>, depth_max: usize) -> Result<Head> {
        let mut parser = Parser::at(text, span.start, depth_max);
        let mut head = Head::default();
        parser.each_member(|parser, name| {
            match name.as_str() {
                "resourceType" => head.type_name = parser.value()?.as_str().map(SmolStr::new),
                "id" => head.id = Some(parser.value()?),
                "type" => head.kind = parser.value()?.as_str().map(SmolStr::new),
                "input" => head.input = Some(parser.skip()?),
                _ => {
                    parser.skip()?;
                }
            }
            Ok(())
        })?;
        parser.end()?;
        Ok(head)
    }

    fn names(&self) -> Result<(ResourceType, Option<Id>)> {
        let Some(name) = &self.type_name else {
            return Err(Invalid::structure("resourceType", "A resource says its type in `resourceType`."));
        };
        let resource_type = ResourceType::parse(name).ok_or_else(|| {
            Invalid::structure("resourceType", "This is not one of R4's resource types. Names are case-sensitive.")
        })?;
        let at = |invalid: Invalid| Invalid { expression: format!("{resource_type}.id"), ..invalid };
        let id = match &self.id {
            None => None,
            Some(Json::String(text)) => Some(Id::parse(text).map_err(at)?),
            Some(_) => return Err(at(Invalid::structure("", "An id is a string."))),
        };
        Ok((resource_type, id))
    }
}
