//! A Binary in its own form: what it holds, and not the resource around it. <https://hl7.org/fhir/R4/binary.html#rest>

use super::response::Response;
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::json::{Json, Object, parse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The resource that holds what came as it is. `security`: the reference to the resource by which access is decided.
pub fn holding(bytes: &[u8], content_type: &str, id: Option<&Id>, security: Option<&str>) -> Vec<u8> {
    let mut binary = Object::new().with_str("resourceType", ResourceType::BINARY.as_str());
    if let Some(id) = id {
        binary = binary.with_str("id", id.as_str());
    }
    binary = binary.with_str("contentType", content_type.trim());
    if let Some(security) = security {
        binary.push("securityContext".into(), Json::Object(Object::new().with_str("reference", security)));
    }
    if !bytes.is_empty() {
        binary = binary.with_str("data", STANDARD.encode(bytes));
    }
    binary.to_bytes()
}

/// What a Binary holds; `None` where that is no base64. Empty where there is nothing.
pub fn held(binary: &Object) -> Option<Vec<u8>> {
    let mut data = binary.get_str("data").unwrap_or_default().to_owned();
    // FHIR allows space inside base64.
    data.retain(|letter| !letter.is_ascii_whitespace());
    STANDARD.decode(data).ok()
}

/// A Binary that was read, as what it holds. Where it holds nothing that can be read it stays a resource.
pub fn bare(response: Response) -> Response {
    let parsed = response.body.as_deref().filter(|_| response.status == 200).map(|body| parse(body, usize::MAX));
    let Some(Ok(Json::Object(binary))) = parsed else { return response };
    let (Some(content_type), Some(data)) = (binary.get_str("contentType"), binary.get("data").and(held(&binary)))
    else {
        return response;
    };
    let mut headers = response.headers;
    // A page or a script that somebody stored is nothing that a browser should run here.
    headers.push(("content-disposition", "attachment".to_owned()));
    let security = binary.get("securityContext").and_then(Json::as_object);
    if let Some(reference) = security.and_then(|security| security.get_str("reference")) {
        headers.push(("x-security-context", reference.to_owned()));
    }
    Response { body: Some(data), content_type: Some(content_type.to_owned()), headers, ..response }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_as_it_is_goes_as_it_is() {
        let id = Id::parse("b").unwrap();
        let stored = holding(b"\x00\xffabc", " image/png ", Some(&id), Some("Patient/p"));
        let expected = r#"{"resourceType":"Binary","id":"b","contentType":"image/png","securityContext":{"reference":"Patient/p"},"data":"AP9hYmM="}"#;
        assert_eq!(String::from_utf8(stored.clone()).unwrap(), expected);
        let read = bare(Response::of_body(200, stored));
        assert_eq!(
            (read.body.as_deref(), read.content_type.as_deref()),
            (Some(&b"\x00\xffabc"[..]), Some("image/png"))
        );
        assert!(read.headers.contains(&("x-security-context", "Patient/p".to_owned())));
        for other in [
            r#"{"resourceType":"Binary","contentType":"image/png"}"#,
            r#"{"resourceType":"Binary","contentType":"image/png","data":"*"}"#,
        ] {
            let stays = bare(Response::of_body(200, other.as_bytes().to_vec()));
            assert_eq!((stays.body.as_deref(), stays.content_type), (Some(other.as_bytes()), None));
        }
    }
}
