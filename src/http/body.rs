//! Reading a body: never more than its limit, never more than all bodies together may take.

use super::{BODY_PIECE_BYTES, State};
use crate::error::{Error, Kind, Result};
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use actix_web::{HttpRequest, web};
use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt;
use std::io::Read;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// A body and its share of the bound on all bodies, given back when it is dropped.
pub struct Body {
    pub bytes: Bytes,
    share: Option<OwnedSemaphorePermit>,
}

/// Reads and, if it is compressed, decompresses the body. `max`: it may be so long, both ways (bytes).
pub async fn read(state: &State, request: &HttpRequest, payload: web::Payload, max: usize) -> Result<Body> {
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > max) {
        return Err(too_large(max));
    }
    let mut body = collect(state, payload, announced, max).await?;
    match request.headers().get(CONTENT_ENCODING).map(|encoding| encoding.as_bytes().to_ascii_lowercase()) {
        None => Ok(body),
        Some(encoding) if encoding == b"identity" => Ok(body),
        Some(encoding) if encoding == b"gzip" => {
            let packed = body.bytes;
            // Unpacking takes the thread for as long as it lasts: not one that serves sockets.
            let unpacked = web::block(move || unpack(&packed, max)).await.map_err(Error::internal)??;
            reserve(state, &mut body.share, unpacked.len())?;
            body.bytes = unpacked;
            Ok(body)
        }
        Some(_) => {
            let message = "Only gzip is read as a Content-Encoding.";
            Err(Error::new(Kind::UnsupportedMediaType, message).at("http.content-encoding"))
        }
    }
}

async fn collect(state: &State, mut payload: web::Payload, announced: Option<usize>, max: usize) -> Result<Body> {
    let mut share = None;
    let mut bytes = BytesMut::with_capacity(announced.unwrap_or(0).min(1 << 20));
    loop {
        // Without this, a client that stops would hold its share of the bounds for ever.
        let waited = tokio::time::timeout(state.body_idle, payload.next()).await;
        let waited = waited.map_err(|_| {
            let message =
                format!("Nothing of the body came for {} s. Send the request again.", state.body_idle.as_secs());
            Error::new(Kind::Timeout, message)
        })?;
        let Some(piece) = waited else { break };
        let piece = piece.map_err(|fault| Error::invalid("The body broke off before its end.").caused_by(fault))?;
        if bytes.len() + piece.len() > max {
            return Err(too_large(max));
        }
        reserve(state, &mut share, bytes.len() + piece.len())?;
        bytes.extend_from_slice(&piece);
    }
    Ok(Body { bytes: bytes.freeze(), share })
}

/// Takes as much of the bound on all bodies as `length` bytes need beyond what is held.
fn reserve(state: &State, share: &mut Option<OwnedSemaphorePermit>, length: usize) -> Result<()> {
    let held = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let missing = (length / BODY_PIECE_BYTES).saturating_sub(held);
    if missing == 0 {
        return Ok(());
    }
    let wanted = u32::try_from(missing).map_err(Error::internal)?;
    let more = Arc::clone(&state.bodies).try_acquire_many_owned(wanted).map_err(|_| {
        Error::busy(1).caused_by("the bodies held at once would exceed BRASA_BODIES_IN_FLIGHT_BYTES_MAX")
    })?;
    match share {
        Some(held) => held.merge(more),
        None => *share = Some(more),
    }
    Ok(())
}

fn unpack(packed: &[u8], max: usize) -> Result<Bytes> {
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut unpacked = Vec::new();
    let read = MultiGzDecoder::new(packed).take(limit).read_to_end(&mut unpacked);
    read.map_err(|_| Error::invalid("The body is not gzip, though its Content-Encoding says so."))?;
    if unpacked.len() > max {
        return Err(too_large(max));
    }
    Ok(Bytes::from(unpacked))
}

fn too_large(max: usize) -> Error {
    Error::new(Kind::TooLarge, format!("The body is larger than {max} bytes, the most that is read here."))
}
