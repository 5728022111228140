//! Which compression an answer may have: gzip for those who take it, none for all others.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT_ENCODING, HeaderValue};
use actix_web::middleware::Next;

/// Leaves actix's compression only `gzip` or nothing to find in `Accept-Encoding`. It answers what it cannot serve with
/// a bare 406, without OperationOutcome or line in the log; RFC 9110 lets a server send its answer uncompressed instead.
pub async fn no_encoding_is_refused(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let takes_gzip = request.headers().get_all(ACCEPT_ENCODING).filter_map(|line| line.to_str().ok()).any(names_gzip);
    request.headers_mut().remove(ACCEPT_ENCODING);
    if takes_gzip {
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    next.call(request).await
}

fn names_gzip(line: &str) -> bool {
    line.split(',').any(|coding| {
        let mut parts = coding.split(';').map(|part| part.trim().to_ascii_lowercase());
        let is_gzip = parts.next().is_some_and(|name| name == "gzip" || name == "x-gzip");
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
        is_gzip && weight != Some(0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_by_name_unless_its_weight_is_nothing() {
        for line in ["gzip", "br, GZIP;q=0.5", "deflate, gzip;q=1.0, *;q=0", "x-gzip"] {
            assert!(names_gzip(line), "{line}");
        }
        for line in ["", "br", "gzip;q=0", "gzip; q=0.000", "*", "gzippy", "identity"] {
            assert!(!names_gzip(line), "{line}");
        }
    }
}
