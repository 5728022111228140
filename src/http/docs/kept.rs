//! Bytes that are the same for all: written once, compressed once, and not sent to who has them.

use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ContentEncoding, ETAG, HeaderValue,
    IF_NONE_MATCH, VARY,
};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Write as _;

/// Some bytes and what is said of them.
pub struct Kept {
    content_type: &'static str,
    /// Weak: the same for the compressed bytes.
    tag: String,
    plain: Bytes,
    gzip: Option<Bytes>,
}

impl Kept {
    pub fn new(content_type: &'static str, plain: Vec<u8>) -> Kept {
        let digest = Sha256::digest(&plain);
        let hex = digest.iter().take(16).fold(String::new(), |mut hex, byte| {
            // A text takes whatever is written to it.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let gzip = compressed(&plain).filter(|gzip| gzip.len() < plain.len()).map(Bytes::from);
        Kept { content_type, tag: format!("W/\"{hex}\""), plain: Bytes::from(plain), gzip }
    }

    pub fn respond(&self, request: &HttpRequest, policy: Option<&'static str>) -> HttpResponse {
        let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let known = header(IF_NONE_MATCH).unwrap_or_default();
        let is_known = known.split(',').any(|tag| tag.trim() == self.tag || tag.trim() == "*");
        let mut builder = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        builder.insert_header((ETAG, self.tag.as_str()));
        // It may be kept, and is asked for anew each time: a server that was updated shows what it does now.
        builder.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-cache")));
        builder.insert_header((VARY, HeaderValue::from_static("accept-encoding")));
        if let Some(policy) = policy {
            builder.insert_header((CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)));
        }
        if is_known {
            return builder.finish();
        }
        builder.content_type(self.content_type);
        // What clients take was looked at before: `encoding.rs` leaves gzip or nothing.
        match (&self.gzip, header(ACCEPT_ENCODING)) {
            (Some(gzip), Some("gzip")) => {
                builder.insert_header((CONTENT_ENCODING, ContentEncoding::Gzip));
                builder.body(gzip.clone())
            }
            _ => builder.body(self.plain.clone()),
        }
    }
}

fn compressed(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}
