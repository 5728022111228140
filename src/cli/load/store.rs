//! Storing one piece through the interactions, under its receipt.

use super::cut::{Content, Line, Piece};
use super::reject::{Position, Reject};
use super::report::Tally;
use crate::auth;
use crate::error::{Error, Kind, Result};
use crate::fhir::bundle::Entry;
use crate::fhir::json::{Json, Object, parse};
use crate::fhir::resource::Resource;
use crate::interaction::request::{Conditions, Prefer, Request, Return};
use crate::interaction::response::Response;
use crate::interaction::route::Interaction;
use crate::interaction::{Context, entry_request, handle_with_receipt, has_receipt, ping};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::time::Duration;

/// How often a piece is tried while the server is busy: about a quarter of a minute, enough for PostgreSQL to restart.
const ATTEMPTS_MAX: u32 = 6;
const WAIT_SECONDS_MAX: u32 = 8;

/// Stores pieces.
#[derive(Clone)]
pub struct Loader {
    pub context: Arc<Context>,
    /// Leave out what has a receipt.
    pub resume: bool,
}

/// What became of a piece.
#[derive(Debug, Default)]
pub struct Done {
    pub tally: Tally,
    pub rejects: Vec<Reject>,
    /// The database is gone: going on is of no use.
    pub lost: Option<Error>,
}

enum Answer {
    Stored(Response),
    /// By an earlier run, or by an attempt whose answer got lost.
    Already,
    Refused(Error),
    /// The database is gone, and this input's fate says nothing about the input.
    Lost(Error),
}

/// What is known of a request that may take several attempts.
#[derive(Default)]
struct Attempts {
    had_receipt: Option<bool>,
    /// An attempt may have been committed.
    in_doubt: bool,
}

impl Loader {
    pub async fn store(&self, piece: &Piece) -> Done {
        let mut done = Done::default();
        match &piece.content {
            Content::Refused(reject) => done.rejects.push(reject.clone()),
            Content::Bundle { text, line, entries } => {
                let answer = self.attempt(&bundle_request(text.clone()), &piece.key).await;
                done.add(answer, *entries, || Reject {
                    position: Position { line: *line, entry: None },
                    resource_type: Some("Bundle".to_owned()),
                    // A document is its own input; a line has to be cut out to be mended.
                    input: line.map(|_| text.clone()),
                    ..Reject::of_source(&piece.source, Error::invalid(""))
                });
            }
            Content::Batch { text, line, entries } => self.batch(piece, text, *line, entries, &mut done).await,
            Content::Lines(lines) => self.lines(piece, lines, &mut done).await,
        }
        done
    }

    /// All lines as one transaction; when that is refused, each as a transaction of its own.
    async fn lines(&self, piece: &Piece, lines: &[Line], done: &mut Done) {
        if let [line] = lines {
            let answer = self.line(line, &piece.key).await;
            return done.add(answer, 1, || refused_line(piece, line));
        }
        // Some may be stored by themselves already, so that the transaction would create them twice.
        if !(self.resume && self.is_stored_in_part(&piece.key, lines).await) {
            match self.attempt(&bundle_request(transaction(lines)), &piece.key).await {
                Answer::Refused(_) => {}
                answer => {
                    return done.add(answer, lines.len(), || Reject::of_source(&piece.source, Error::invalid("")));
                }
            }
        }
        let (mut waiting, mut running) = (lines.iter().enumerate(), FuturesUnordered::new());
        while done.lost.is_none() {
            while running.len() < self.at_once()
                && let Some((number, line)) = waiting.next()
            {
                let key = part_key(&piece.key, number);
                running.push(async move { (line, self.line(line, &key).await) });
            }
            let Some((line, answer)) = running.next().await else { break };
            done.add(answer, 1, || refused_line(piece, line));
        }
    }

    async fn line(&self, line: &Line, key: &str) -> Answer {
        // Read here first: a fault is then told by its place in the line, not in a Bundle that nobody sees.
        let depth_max = self.context.limits.json_depth_max;
        if let Err(invalid) = Resource::read(&line.text, 0..line.text.len(), depth_max) {
            return Answer::Refused(Error::from(invalid).within(line.resource_type.as_str()));
        }
        match self.attempt(&bundle_request(transaction(std::slice::from_ref(line))), key).await {
            Answer::Refused(error) => Answer::Refused(outside_bundle(error, line)),
            answer => answer,
        }
    }

    /// Whether an earlier run had to store the lines one by one.
    async fn is_stored_in_part(&self, key: &str, lines: &[Line]) -> bool {
        // The whole first: it answers for nearly all pieces of an interrupted load.
        if has_receipt(&self.context, key).await.unwrap_or(false) {
            return false;
        }
        let (mut waiting, mut running) = (0..lines.len(), FuturesUnordered::new());
        loop {
            while running.len() < self.at_once()
                && let Some(number) = waiting.next()
            {
                let key = part_key(key, number);
                running.push(async move { has_receipt(&self.context, &key).await });
            }
            match running.next().await {
                // When it cannot be told, the slower way is the safe one.
                Some(Ok(true) | Err(_)) => return true,
                Some(Ok(false)) => {}
                None => return false,
            }
        }
    }

    /// The entries of a batch, each with a receipt of its own.
    async fn batch(
        &self,
        piece: &Piece,
        text: &Bytes,
        line: Option<usize>,
        entries: &[(usize, Entry)],
        done: &mut Done,
    ) {
        let outer = &bundle_request(text.clone());
        let (mut waiting, mut running) = (entries.iter(), FuturesUnordered::new());
        while done.lost.is_none() {
            while running.len() < self.at_once()
                && let Some((number, entry)) = waiting.next()
            {
                let key = part_key(&piece.key, *number);
                running.push(async move { (*number, entry, self.entry(outer, entry, &key).await) });
            }
            let Some((number, entry, answer)) = running.next().await else { break };
            let answer = match answer {
                Answer::Refused(error) => Answer::Refused(error.within(&format!("Bundle.entry[{number}]"))),
                answer => answer,
            };
            done.add(answer, 1, || Reject {
                position: Position { line, entry: Some(number) },
                resource_type: entry_type(text, entry),
                input: Some(batch_of(text, entry)),
                ..Reject::of_source(&piece.source, Error::invalid(""))
            });
        }
    }

    async fn entry(&self, outer: &Request, entry: &Entry, key: &str) -> Answer {
        match entry_request(outer, entry) {
            Err(error) => Answer::Refused(error),
            Ok(Request { interaction: Interaction::Bundle, .. }) => {
                Answer::Refused(Error::invalid("A Bundle cannot be an entry's request.").at("request.url"))
            }
            Ok(request) => self.attempt(&request, key).await,
        }
    }

    /// Requests under way for one piece whose parts are stored by themselves.
    fn at_once(&self) -> usize {
        self.context.limits.batch_concurrency.max(1)
    }

    /// Handles a request, again and again while the server is busy.
    async fn attempt(&self, request: &Request, key: &str) -> Answer {
        let mut attempts = Attempts::default();
        let mut number = 1;
        loop {
            match self.attempt_once(request, key, &mut attempts).await {
                Ok(answer) => return answer,
                Err(Error { kind: Kind::Busy { retry_after_seconds }, .. }) if number < ATTEMPTS_MAX => {
                    let wait = 2_u32.saturating_pow(number - 1).max(retry_after_seconds).min(WAIT_SECONDS_MAX);
                    // Those that were refused together should not come back together.
                    let jitter_ms = rand::random_range(0..500);
                    let wait = Duration::from_secs(u64::from(wait)) + Duration::from_millis(jitter_ms);
                    tokio::time::sleep(wait).await;
                    number += 1;
                }
                Err(error) if error.kind.status() >= 500 && ping(&self.context).await.is_err() => {
                    return Answer::Lost(error);
                }
                Err(error) => return Answer::Refused(error),
            }
        }
    }

    async fn attempt_once(&self, request: &Request, key: &str, attempts: &mut Attempts) -> Result<Answer> {
        let had_receipt = match attempts.had_receipt {
            Some(known) => known,
            None => *attempts.had_receipt.insert(has_receipt(&self.context, key).await?),
        };
        if had_receipt && self.resume || attempts.in_doubt && has_receipt(&self.context, key).await? {
            return Ok(Answer::Already);
        }
        attempts.in_doubt = false;
        match handle_with_receipt(&self.context, &auth::of_server(), request, Some(key)).await {
            Ok(response) => Ok(Answer::Stored(response)),
            // The receipt commits with the resources, so it tells; unless it was there before.
            Err(error) if error.kind == Kind::UnknownOutcome && !had_receipt => {
                attempts.in_doubt = true;
                Err(Error { kind: Kind::Busy { retry_after_seconds: 1 }, ..error })
            }
            Err(error) => Err(error),
        }
    }
}

impl Done {
    /// `reject`: what to say of the input if it was refused; the error is put in.
    fn add(&mut self, answer: Answer, resources: usize, reject: impl Fn() -> Reject) {
        match answer {
            Answer::Stored(response) => self.tally.add_response(&response),
            Answer::Already => self.tally.already += resources,
            Answer::Refused(error) => self.rejects.push(Reject { error: Arc::new(error), ..reject() }),
            Answer::Lost(error) => self.lost = Some(error),
        }
    }
}

fn refused_line(piece: &Piece, line: &Line) -> Reject {
    Reject {
        position: line.position,
        resource_type: Some(line.resource_type.as_str().to_owned()),
        input: line.position.line.map(|_| line.text.clone()),
        ..Reject::of_source(&piece.source, Error::invalid(""))
    }
}

/// The key of one line or entry of a piece.
fn part_key(key: &str, number: usize) -> String {
    format!("{key}/{number}")
}

/// A Bundle as if it had been posted, answered as briefly as possible.
fn bundle_request(body: Bytes) -> Request {
    Request {
        interaction: Interaction::Bundle,
        query: Vec::new(),
        conditions: Conditions::default(),
        prefer: Prefer { returns: Some(Return::Minimal), strict: false },
        base: String::new(),
        body,
        id: "load".to_owned(),
    }
}

/// Lines as one transaction: with an id as PUT, without as POST.
fn transaction(lines: &[Line]) -> Bytes {
    let length = lines.iter().map(|line| line.text.len() + 160).sum();
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(br#"{"resourceType":"Bundle","type":"transaction","entry":["#);
    for (number, line) in lines.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        let request = match &line.id {
            Some(id) => format!(r#","request":{{"method":"PUT","url":"{}/{id}"}}}}"#, line.resource_type),
            None => format!(r#","request":{{"method":"POST","url":"{}"}}}}"#, line.resource_type),
        };
        out.extend_from_slice(br#"{"resource":"#);
        out.extend_from_slice(&line.text);
        out.extend_from_slice(request.as_bytes());
    }
    out.extend_from_slice(b"]}");
    Bytes::from(out)
}

/// The place of a fault within the line, not within the Bundle that was made around it.
fn outside_bundle(mut error: Error, line: &Line) -> Error {
    error.expression = error.expression.and_then(|expression| {
        let inner = expression.strip_prefix("Bundle.entry[0]").unwrap_or(&expression);
        let inner = inner.trim_start_matches('.');
        let inner = inner.strip_prefix("resource").unwrap_or(inner).trim_start_matches('.');
        (!inner.is_empty()).then(|| format!("{}.{inner}", line.resource_type))
    });
    error
}

fn entry_type(text: &Bytes, entry: &Entry) -> Option<String> {
    let span = entry.resource.clone()?;
    let resource = Resource::read(text, span, usize::MAX).ok()?;
    Some(resource.resource_type().as_str().to_owned())
}

/// A refused entry as a batch of its own, which can be loaded as it is.
fn batch_of(text: &Bytes, entry: &Entry) -> Bytes {
    let mut out = br#"{"resourceType":"Bundle","type":"batch","entry":[{"#.to_vec();
    if let Some(url) = &entry.full_url {
        out.extend_from_slice(b"\"fullUrl\":");
        out.extend_from_slice(&Json::string(url).to_bytes());
        out.push(b',');
    }
    if let Some(resource) = entry.resource.clone().and_then(|span| text.get(span)) {
        out.extend_from_slice(b"\"resource\":");
        out.extend_from_slice(resource);
        out.push(b',');
    }
    let mut request = Object::new();
    if let Some(asked) = &entry.request {
        for (name, value) in [
            ("method", &asked.method),
            ("url", &asked.url),
            ("ifNoneMatch", &asked.if_none_match),
            ("ifModifiedSince", &asked.if_modified_since),
            ("ifMatch", &asked.if_match),
            ("ifNoneExist", &asked.if_none_exist),
        ] {
            if let Some(value) = value {
                request = request.with_str(name, value);
            }
        }
    }
    out.extend_from_slice(b"\"request\":");
    out.extend_from_slice(&request.to_bytes());
    out.extend_from_slice(b"}]}");
    Bytes::from(out)
}

impl Tally {
    /// Counts what was answered: one write, or the entries of a Bundle.
    fn add_response(&mut self, response: &Response) {
        let bundle = response.body.as_deref().and_then(|body| parse(body, usize::MAX).ok());
        let bundle = bundle.as_ref().and_then(Json::as_object);
        let Some(entries) = bundle.filter(|_| response.location.is_none()) else {
            return self.add(response.status, response.location.as_deref());
        };
        for entry in entries.get("entry").map(Json::items).unwrap_or_default() {
            let told = entry.as_object().and_then(|entry| entry.get("response")).and_then(Json::as_object);
            let member = |name: &str| told.and_then(|told| told.get_str(name));
            let status = member("status").and_then(|text| text.split(' ').next()).and_then(|code| code.parse().ok());
            self.add(status.unwrap_or_default(), member("location"));
        }
    }
}
