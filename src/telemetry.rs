//! The log: its set-up, the id of a request, and the two lines that a request may write.
//!
//! Nothing clinical reaches it: a line holds ids of requests, types, counts and times, never an id of a
//! resource, a search value or a body (law 11 of `docs/ARCHITECTURE.md`).

use std::fmt;
use std::io::IsTerminal;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::{EnvFilter, Registry, filter};

use crate::config::{LogFormat, Settings};

/// Starts the log, on standard error, for the whole process. Call it once.
///
/// # Errors
/// A filter that cannot be read, or a log that was started before.
pub fn start(settings: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    let is_terminal = std::io::stderr().is_terminal();
    let as_text = match settings.log_format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => is_terminal,
    };
    let subscriber = subscriber(&settings.log, as_text, is_terminal, std::io::stderr)?;
    // Not `try_init`, which may also listen to the `log` crate: there tokio-postgres prints every
    // statement's parameters, and those are clinical.
    Ok(tracing::subscriber::set_global_default(subscriber)?)
}

fn subscriber<W>(
    log: &str,
    as_text: bool,
    with_colour: bool,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, filter::ParseError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let chosen = EnvFilter::try_new(log)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = if as_text {
        lines.with_ansi(with_colour).boxed()
    } else {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    };
    let lines = lines.with_filter(chosen).with_filter(filter::filter_fn(may_be_heard));
    Ok(Box::new(tracing_subscriber::registry().with(lines)))
}

/// Libraries print headers and frames below `info`, and with them tokens, and at `info` how many threads they start:
/// they are heard from `warn` up, whatever `BRASA_LOG` says.
fn may_be_heard(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    target == "brasa" || target.starts_with("brasa::") || *metadata.level() <= LevelFilter::WARN
}

/// What binds a request, its answer and its lines in the log: 1 to 64 of `A-Z a-z 0-9 . -`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

/// RFC 4648's base32 in lowercase: nothing in it is mistaken for something else when read aloud.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl RequestId {
    /// The client's id (header `X-Request-Id`), or a fresh one if there is none or it is not well formed.
    pub fn from_client(header: Option<&[u8]>) -> Self {
        header.and_then(Self::parse).unwrap_or_else(Self::fresh)
    }

    fn parse(header: &[u8]) -> Option<Self> {
        let is_sound =
            (1..=64).contains(&header.len()) && header.iter().all(|b| b.is_ascii_alphanumeric() || b".-".contains(b));
        is_sound.then(|| RequestId(header.iter().copied().map(char::from).collect()))
    }

    /// 16 letters of base32: 80 random bits.
    pub fn fresh() -> Self {
        let random: [u8; 16] = rand::random();
        let letter = |byte: u8| BASE32.get(usize::from(byte % 32)).copied().map(char::from);
        RequestId(random.into_iter().filter_map(letter).collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the log keeps of one request. The names are `'static` so that no text of a client can stand there.
#[derive(Debug, Clone)]
pub struct RequestLine<'a> {
    pub id: &'a RequestId,
    /// The method as sent; one that HTTP does not know is logged as `OTHER`.
    pub method: &'a str,
    /// FHIR's word: `read`, `create`, `transaction`, …; or `health`, `unknown` and the like.
    pub interaction: &'static str,
    pub resource_type: Option<&'static str>,
    pub status: u16,
    pub duration: Duration,
    pub response_bytes: u64,
}

/// Writes a request's one line: at `info`, whatever its status, since a failure's cause has a line of its own.
pub fn log_request(line: &RequestLine<'_>) {
    tracing::info!(
        target: "brasa::request",
        id = line.id.as_str(),
        method = known_method(line.method),
        interaction = line.interaction,
        // Absent, the field is left out of the line.
        resource_type = line.resource_type,
        status = line.status,
        duration_ms = milliseconds(line.duration),
        response_bytes = line.response_bytes,
    );
}

/// Writes the cause of a 5xx answer, once, at the edge. `cause` never holds anything clinical.
pub fn log_failure(id: &RequestId, cause: &str) {
    tracing::error!(target: "brasa::request", id = id.as_str(), cause, "the request failed");
}

fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("OTHER")
}

/// With three decimals: a microsecond is the finest that means anything here.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic while writing").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: &str, as_text: bool, act: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let subscriber = subscriber(log, as_text, false, move || writer.clone()).expect("a sound filter");
        tracing::subscriber::with_default(subscriber, act);
        let bytes = page.0.lock().expect("no panic while writing").clone();
        String::from_utf8(bytes).expect("text")
    }

    fn line<'a>(id: &'a RequestId, method: &'a str) -> RequestLine<'a> {
        RequestLine {
            id,
            method,
            interaction: "read",
            resource_type: Some("Patient"),
            status: 200,
            duration: Duration::from_nanos(1_234_567),
            response_bytes: 99,
        }
    }

    #[test]
    fn a_request_has_one_json_line_with_its_numbers_as_numbers() {
        let id = RequestId::from_client(Some(b"abc"));
        let text = logged("info", false, || log_request(&line(&id, "GET")));
        assert_eq!(text.lines().count(), 1, "{text}");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            (&json["id"], &json["method"], &json["interaction"]),
            (&"abc".into(), &"GET".into(), &"read".into())
        );
        assert_eq!((&json["resource_type"], &json["status"]), (&"Patient".into(), &200.into()));
        assert_eq!((&json["duration_ms"], &json["response_bytes"]), (&1.235.into(), &99.into()));
    }

    #[test]
    fn a_request_without_a_type_leaves_the_field_out() {
        let id = RequestId::fresh();
        let text = logged("info", true, || log_request(&RequestLine { resource_type: None, ..line(&id, "GET") }));
        assert!(text.contains("interaction=\"read\" status=200"), "{text}");
    }

    #[test]
    fn a_method_that_a_client_made_up_is_not_repeated_in_the_log() {
        let id = RequestId::fresh();
        let text = logged("info", true, || log_request(&line(&id, "JOHNSMITH")));
        assert!(text.contains("OTHER") && !text.contains("JOHNSMITH"), "{text}");
    }

    #[test]
    fn libraries_are_not_heard_below_info_even_at_trace() {
        let text = logged("trace", true, || {
            tracing::debug!(target: "h2::frame", "a header with a token");
            tracing::warn!(target: "h2::frame", "a warning");
            tracing::debug!(target: "brasa::store", "our own");
        });
        assert!(!text.contains("token") && text.contains("a warning") && text.contains("our own"), "{text}");
    }

    #[test]
    fn the_filter_is_obeyed() {
        let text = logged("warn,brasa::store=debug", true, || {
            tracing::info!(target: "brasa::http", "unheard");
            tracing::debug!(target: "brasa::store", "heard");
            log_failure(&RequestId::fresh(), "the disk is full");
        });
        assert!(!text.contains("unheard") && text.contains("heard") && text.contains("the disk is full"), "{text}");
    }

    #[test]
    fn a_clients_request_id_is_kept_if_it_is_harmless_and_replaced_otherwise() {
        assert_eq!(RequestId::from_client(Some(b"Trace-1.2")).as_str(), "Trace-1.2");
        let long = [b'a'; 65];
        for bad in [&b""[..], &long, b"a b", b"a\nb", b"a_b", b"<x>", b"\xff"] {
            let id = RequestId::from_client(Some(bad));
            assert_eq!(id.as_str().len(), 16);
            assert!(id.as_str().bytes().all(|b| BASE32.contains(&b)), "{id}");
        }
        assert_ne!(RequestId::from_client(None), RequestId::from_client(None));
    }
}
