//! Which formats are read and written: FHIR's JSON, and JSON Patch beside it for patches. <https://hl7.org/fhir/R4/http.html#mime-type>

use crate::error::{Error, Kind, Result};
use crate::interaction::patch::{FHIRPATH_PATCH, JSON_PATCH, is_resource};
use crate::interaction::route::Interaction;

/// What is written.
pub const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

const JSON_NAMES: &[&str] =
    &["application/fhir+json", "application/json", "text/json", "application/json+fhir", "json"];

/// Whether FHIR's JSON is among what the client accepts. `_format` wins over `Accept`.
pub fn check_accept(format: Option<&str>, accept: Option<&str>) -> Result<()> {
    let (ranges, place) = match (format, accept) {
        (Some(format), _) => (format, "_format"),
        (None, Some(accept)) => (accept, "http.accept"),
        (None, None) => return Ok(()),
    };
    let ranges: Vec<&str> = if place == "_format" { vec![ranges] } else { ranges.split(',').collect() };
    if ranges.iter().any(|range| accepts_json(range)) {
        return Ok(());
    }
    let message = "Only application/fhir+json (4.0) is written here; ask for that, or for json.";
    Err(Error::new(Kind::NotAcceptable, message).at(place))
}

fn accepts_json(range: &str) -> bool {
    let (name, parameters) = split(range);
    let named = JSON_NAMES.contains(&name.as_str()) || ["*/*", "application/*", ""].contains(&name.as_str());
    let refused = parameters.iter().any(|(key, value)| key == "q" && value.parse::<f32>().is_ok_and(|q| q == 0.0));
    named && !refused && is_r4(&parameters)
}

/// Whether a body of this content type can be read for this interaction.
pub fn check_content_type(interaction: &Interaction, content_type: Option<&str>) -> Result<()> {
    let refused = |message: &str| Err(Error::new(Kind::UnsupportedMediaType, message).at("http.content-type"));
    let (names, read) = match interaction {
        Interaction::Patch(..) | Interaction::ConditionalPatch(_) => (
            &[JSON_PATCH, FHIRPATH_PATCH][..],
            "application/json-patch+json, or application/fhir+json for a FHIRPath Patch,",
        ),
        _ => (JSON_NAMES, "application/fhir+json"),
    };
    let Some(content_type) = content_type else {
        return refused(&format!("A body needs its Content-Type: {read}."));
    };
    let (name, parameters) = split(content_type);
    if !names.contains(&name.as_str()) {
        return refused(&format!("Only {read} is read here."));
    }
    let charset = parameters.iter().find(|(key, _)| key == "charset");
    if charset.is_some_and(|(_, value)| !["utf-8", "utf8", "us-ascii"].contains(&value.as_str())) {
        return refused("JSON is UTF-8; send it so and say charset=utf-8 or nothing.");
    }
    if !is_r4(&parameters) {
        return refused("Only FHIR R4 (fhirVersion=4.0) is read here.");
    }
    Ok(())
}

/// Whether a body that is a patch is what its content type says.
pub fn check_patch(interaction: &Interaction, content_type: Option<&str>, body: &[u8]) -> Result<()> {
    if !matches!(interaction, Interaction::Patch(..) | Interaction::ConditionalPatch(_)) || body.is_empty() {
        return Ok(());
    }
    let (name, _) = split(content_type.unwrap_or_default());
    let message = match (name == JSON_PATCH, is_resource(body)) {
        (true, true) => "A JSON Patch is an array of operations; this is an object.",
        (false, false) => "As application/fhir+json, a patch is a Parameters resource. A JSON Patch has its own type.",
        _ => return Ok(()),
    };
    Err(Error::invalid(message).at("patch"))
}

/// Whether the parameters of a search can be read from a body of this content type.
pub fn check_form(content_type: Option<&str>, has_body: bool) -> Result<()> {
    let name = content_type.map(|content_type| split(content_type).0);
    match name.as_deref() {
        Some("application/x-www-form-urlencoded") => Ok(()),
        None if !has_body => Ok(()),
        _ => {
            let message = "The parameters of a search are sent as application/x-www-form-urlencoded.";
            Err(Error::new(Kind::UnsupportedMediaType, message).at("http.content-type"))
        }
    }
}

/// The type in lower case without its parameters, and the parameters. A '+' may arrive as a space from an URL.
fn split(text: &str) -> (String, Vec<(String, String)>) {
    let mut parts = text.split(';').map(|part| part.trim().to_ascii_lowercase());
    let name = parts.next().unwrap_or_default().replace(' ', "+");
    let pairs = parts.filter_map(|part| {
        part.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.trim().trim_matches('"').to_owned()))
    });
    (name, pairs.collect())
}

fn is_r4(parameters: &[(String, String)]) -> bool {
    parameters.iter().all(|(key, value)| key != "fhirversion" || value.starts_with("4.0"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::definitions::ResourceType;
    use crate::fhir::id::Id;

    #[test]
    fn json_is_written_to_all_who_accept_it_and_to_nobody_else() {
        for accept in [
            "application/fhir+json",
            "application/json;q=0.5",
            "*/*",
            "application/*",
            "text/html, */*;q=0.1",
            "application/fhir+xml, application/fhir+json; fhirVersion=4.0",
            "APPLICATION/JSON",
        ] {
            assert!(check_accept(None, Some(accept)).is_ok(), "{accept}");
        }
        for accept in
            ["application/fhir+xml", "text/html", "application/json;q=0", "application/fhir+json; fhirVersion=3.0"]
        {
            assert_eq!(check_accept(None, Some(accept)).unwrap_err().kind, Kind::NotAcceptable, "{accept}");
        }
        assert!(check_accept(Some("json"), Some("text/html")).is_ok());
        assert!(check_accept(Some("application/fhir json"), None).is_ok());
        assert_eq!(check_accept(Some("xml"), Some("*/*")).unwrap_err().expression.as_deref(), Some("_format"));
        assert!(check_accept(None, None).is_ok());
    }

    #[test]
    fn only_json_bodies_in_utf_8_of_r4_are_read() {
        for good in [
            "application/fhir+json",
            "application/json; charset=UTF-8",
            "text/json",
            "application/fhir+json;fhirVersion=4.0",
        ] {
            assert!(check_content_type(&Interaction::Bundle, Some(good)).is_ok(), "{good}");
        }
        let bad = [
            None,
            Some("application/fhir+xml"),
            Some("text/plain"),
            Some("application/json; charset=latin1"),
            Some("application/fhir+json; fhirVersion=5.0"),
            Some("application/x-www-form-urlencoded"),
        ];
        for bad in bad {
            let refused = check_content_type(&Interaction::Bundle, bad).unwrap_err();
            assert_eq!(refused.kind, Kind::UnsupportedMediaType, "{bad:?}");
        }
    }

    #[test]
    fn a_patch_is_json_patch_or_a_parameters_resource() {
        let patch = Interaction::Patch(ResourceType::PATIENT, Id::parse("p").unwrap());
        for good in ["application/json-patch+json", "Application/JSON-Patch+json; charset=utf-8"] {
            assert!(check_content_type(&patch, Some(good)).is_ok(), "{good}");
            assert!(check_content_type(&Interaction::Bundle, Some(good)).is_err(), "{good}");
            assert!(check_patch(&patch, Some(good), b" []").is_ok() && check_patch(&patch, Some(good), b"{}").is_err());
        }
        let parameters = Some("application/fhir+json; charset=utf-8");
        assert!(check_content_type(&patch, parameters).is_ok());
        assert!(check_patch(&patch, parameters, b"\n{}").is_ok() && check_patch(&patch, parameters, b"[]").is_err());
        for bad in [None, Some("application/fhir+xml"), Some("application/json"), Some("application/xml-patch+xml")] {
            let refused = check_content_type(&patch, bad).unwrap_err();
            assert_eq!(refused.kind, Kind::UnsupportedMediaType, "{bad:?}");
            assert!(refused.message.contains("application/json-patch+json"), "{refused}");
        }
    }
}
