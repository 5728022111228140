//! Which formats are read and written: FHIR's JSON and XML, and JSON Patch beside them for patches. <https://hl7.org/fhir/R4/http.html#mime-type>

use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::interaction::patch::{FHIRPATH_PATCH, JSON_PATCH, is_resource};
use crate::interaction::route::Interaction;
use memchr::memmem;

/// A form that resources are read and written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Json,
    Xml,
}

impl Format {
    /// What is said of a body that is written.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/fhir+json; charset=utf-8",
            Format::Xml => "application/fhir+xml; charset=utf-8",
        }
    }

    fn named(name: &str) -> Option<Format> {
        match name {
            "application/fhir+json" | "application/json" | "text/json" | "application/json+fhir" | "json" => {
                Some(Format::Json)
            }
            "application/fhir+xml" | "application/xml" | "text/xml" | "application/xml+fhir" | "xml" => {
                Some(Format::Xml)
            }
            _ => None,
        }
    }
}

/// The form that the client likes best: of those that are written here the one with the highest weight, of several the
/// first; JSON where it takes anything. `_format` wins over `Accept`. A browser asks for XML for the sake of pages, and
/// for anything: a person reads JSON more easily.
pub fn accepted(format: Option<&str>, accept: Option<&str>) -> Result<Format> {
    let (ranges, place) = match (format, accept) {
        (Some(format), _) => (format, "_format"),
        (None, Some(accept)) => (accept, "http.accept"),
        (None, None) => return Ok(Format::Json),
    };
    let ranges: Vec<&str> = if place == "_format" { vec![ranges] } else { ranges.split(',').collect() };
    let mut best: Option<(f32, Format)> = None;
    let is_browser = ranges.iter().any(|range| split(range).0 == "text/html");
    let for_pages = |range: &&str| is_browser && split(range).0 == "application/xml";
    // What the client excludes by name, and nowhere takes by name, it does not mean by a range that takes anything.
    let names = |format: Format, takes: bool| {
        let is_it =
            |range: &&str| acceptable(range, None).is_some_and(|(weight, of)| of == format && (weight > 0.0) == takes);
        ranges.iter().any(is_it)
    };
    let is_excluded = |format: &Format| names(*format, false) && !names(*format, true);
    let any = [Format::Json, Format::Xml].into_iter().find(|format| !is_excluded(format));
    let acceptable = ranges.iter().filter(|range| !for_pages(range)).filter_map(|range| acceptable(range, any));
    for (weight, format) in acceptable.filter(|(weight, _)| *weight > 0.0) {
        if best.is_none_or(|(heaviest, _)| weight > heaviest) {
            best = Some((weight, format));
        }
    }
    best.map(|(_, format)| format).ok_or_else(|| {
        let message =
            "Only application/fhir+json and application/fhir+xml (4.0) are written here; ask for one of them.";
        Error::new(Kind::NotAcceptable, message).at(place)
    })
}

/// Whether a read wants what a Binary holds: it asks for no form of FHIR by name. A browser that names XML wants pages.
pub fn wants_bare(interaction: &Interaction, format: Option<&str>, accept: Option<&str>) -> bool {
    let reads =
        matches!(interaction, Interaction::Read(of, _) | Interaction::Vread(of, ..) if *of == ResourceType::BINARY);
    let ranges: Vec<&str> = accept.unwrap_or_default().split(',').collect();
    let is_browser = ranges.iter().any(|range| split(range).0 == "text/html");
    let names_fhir = ranges.iter().any(|range| acceptable(range, None).is_some_and(|(weight, _)| weight > 0.0));
    reads && format.is_none() && (is_browser || !names_fhir)
}

/// What a body is that a write brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brought {
    Resource,
    /// What a Binary is to hold.
    Bare,
    /// In general JSON or XML, either of these.
    Either,
}

/// What pages send is no document.
const FORMS: [&str; 2] = ["application/x-www-form-urlencoded", "multipart/form-data"];

/// Whether any page may send a body of this type to any server without asking it first. <https://fetch.spec.whatwg.org/#simple-header>
pub fn needs_no_preflight(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|content_type| split(content_type).0 == "text/plain")
}

/// What the content type of a write says of its body. <https://hl7.org/fhir/R4/binary.html#rest>
pub fn brought(interaction: &Interaction, content_type: Option<&str>) -> Brought {
    let writes =
        matches!(interaction, Interaction::Create(of) | Interaction::Update(of, _) if *of == ResourceType::BINARY);
    let Some(content_type) = content_type.filter(|_| writes) else { return Brought::Resource };
    let (name, _) = split(content_type);
    match Format::named(&name) {
        _ if !name.contains('/') || FORMS.contains(&name.as_str()) => Brought::Resource,
        None => Brought::Bare,
        Some(_) if name.contains("fhir") => Brought::Resource,
        Some(_) => Brought::Either,
    }
}

/// Whether JSON or XML is a resource, as far as its beginning and the names in it tell.
pub fn is_resource_of_fhir(body: &[u8]) -> bool {
    match body.trim_ascii_start().first() {
        Some(b'{') => memmem::find(body, b"\"resourceType\"").is_some(),
        Some(b'<' | 0xef) => {
            memmem::find(body, b"\"http://hl7.org/fhir\"").or(memmem::find(body, b"'http://hl7.org/fhir'")).is_some()
        }
        _ => false,
    }
}

/// The weight of a range and the form that it takes, which is `any` where it takes anything; none where nothing is written for
/// it.
fn acceptable(range: &str, any: Option<Format>) -> Option<(f32, Format)> {
    let (name, parameters) = split(range);
    let takes_any = ["*/*", "application/*", ""].contains(&name.as_str());
    let format = Format::named(&name).or(any.filter(|_| takes_any))?;
    let weight = parameters.iter().find(|(key, _)| key == "q").and_then(|(_, value)| value.parse().ok()).unwrap_or(1.0);
    is_r4(&parameters).then_some((weight, format))
}

/// In which form a body of this content type is read for this interaction.
pub fn check_content_type(interaction: &Interaction, content_type: Option<&str>) -> Result<Format> {
    let refused = |message: &str| Err(Error::new(Kind::UnsupportedMediaType, message).at("http.content-type"));
    let is_patch = matches!(interaction, Interaction::Patch(..) | Interaction::ConditionalPatch(_));
    let read = match is_patch {
        true => "application/json-patch+json, or application/fhir+json or application/fhir+xml for a FHIRPath Patch,",
        false => "application/fhir+json or application/fhir+xml",
    };
    let Some(content_type) = content_type else {
        return refused(&format!("A body needs its Content-Type: {read}."));
    };
    let (name, parameters) = split(content_type);
    // For patches JSON has several types: of FHIR's only those that say that it is FHIR.
    let format = match is_patch {
        true if name == JSON_PATCH || name == FHIRPATH_PATCH => Some(Format::Json),
        true => Format::named(&name).filter(|format| *format == Format::Xml),
        false => Format::named(&name),
    };
    let Some(format) = format else { return refused(&format!("Only {read} is read here.")) };
    let charset = parameters.iter().find(|(key, _)| key == "charset");
    if charset.is_some_and(|(_, value)| !["utf-8", "utf8", "us-ascii"].contains(&value.as_str())) {
        return refused("FHIR is UTF-8; send it so and say charset=utf-8 or nothing.");
    }
    if !is_r4(&parameters) {
        return refused("Only FHIR R4 (fhirVersion=4.0) is read here.");
    }
    Ok(format)
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
    use crate::fhir::id::Id;

    #[test]
    fn what_is_written_is_what_the_client_likes_best() {
        for (accept, format) in [
            ("application/fhir+json", Format::Json),
            ("application/json;q=0.5", Format::Json),
            ("*/*", Format::Json),
            ("application/*", Format::Json),
            ("text/html, */*;q=0.1", Format::Json),
            ("APPLICATION/JSON", Format::Json),
            ("application/fhir+xml", Format::Xml),
            ("text/xml; fhirVersion=4.0", Format::Xml),
            ("application/fhir+xml, application/fhir+json", Format::Xml),
            ("application/fhir+json, application/fhir+xml", Format::Json),
            ("application/fhir+json;q=0.8, application/fhir+xml;q=0.9", Format::Xml),
            ("application/fhir+json;q=0, application/fhir+xml;q=0.1", Format::Xml),
            ("*/*;q=0.1, application/xml", Format::Xml),
            ("application/fhir+json;q=0, */*", Format::Xml),
            ("*/*, application/json;q=0, application/fhir+json", Format::Json),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", Format::Json),
        ] {
            assert_eq!(accepted(None, Some(accept)).unwrap(), format, "{accept}");
        }
        for accept in ["text/html", "application/json;q=0", "*/*;q=0", "json;q=0, xml;q=0, */*", "text/turtle"] {
            assert_eq!(accepted(None, Some(accept)).unwrap_err().kind, Kind::NotAcceptable, "{accept}");
        }
        assert_eq!(accepted(Some("json"), Some("text/html")).unwrap(), Format::Json);
        assert_eq!(accepted(Some("xml"), Some("application/json")).unwrap(), Format::Xml);
        assert_eq!(accepted(Some("application/fhir xml"), None).unwrap(), Format::Xml);
        assert_eq!(accepted(Some("ttl"), Some("*/*")).unwrap_err().expression.as_deref(), Some("_format"));
        assert_eq!(accepted(None, None).unwrap(), Format::Json);
    }

    #[test]
    fn a_binary_comes_and_goes_bare_unless_fhir_is_named() {
        let id = Id::parse("b").unwrap();
        let (read, create) =
            (Interaction::Read(ResourceType::BINARY, id.clone()), Interaction::Create(ResourceType::BINARY));
        for (accept, is_bare) in [
            (None, true),
            (Some("*/*"), true),
            (Some("image/png"), true),
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), true),
            (Some("application/fhir+json"), false),
            (Some("image/png, application/json;q=0.1"), false),
            (Some("application/json;q=0, image/png"), true),
        ] {
            assert_eq!(wants_bare(&read, None, accept), is_bare, "{accept:?}");
            assert!(!wants_bare(&read, Some("json"), accept) && !wants_bare(&create, None, accept));
            assert!(!wants_bare(&Interaction::Read(ResourceType::PATIENT, id.clone()), None, accept));
        }
        for (content_type, expected) in [
            ("image/png", Brought::Bare),
            ("application/fhir+xml", Brought::Resource),
            ("application/json; charset=utf-8", Brought::Either),
            ("text/xml", Brought::Either),
            ("nonsense", Brought::Resource),
            ("multipart/form-data; boundary=x", Brought::Resource),
        ] {
            assert_eq!(brought(&create, Some(content_type)), expected, "{content_type}");
            assert_eq!(brought(&Interaction::Create(ResourceType::PATIENT), Some(content_type)), Brought::Resource);
        }
        assert!(is_resource_of_fhir(b" {\"resourceType\":\"Binary\"}"));
        assert!(is_resource_of_fhir(b"<Binary xmlns='http://hl7.org/fhir'/>"));
        assert!(!is_resource_of_fhir(b"<ClinicalDocument xmlns=\"urn:hl7-org:v3\"/>") && !is_resource_of_fhir(b"[1]"));
    }

    #[test]
    fn only_bodies_of_r4_in_utf_8_are_read() {
        for (good, format) in [
            ("application/fhir+json", Format::Json),
            ("application/json; charset=UTF-8", Format::Json),
            ("text/json", Format::Json),
            ("application/fhir+json;fhirVersion=4.0", Format::Json),
            ("application/fhir+xml; charset=utf-8", Format::Xml),
            ("text/xml", Format::Xml),
        ] {
            assert_eq!(check_content_type(&Interaction::Bundle, Some(good)).unwrap(), format, "{good}");
        }
        let bad = [
            None,
            Some("text/plain"),
            Some("application/json; charset=latin1"),
            Some("application/xml; charset=iso-8859-1"),
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
        assert_eq!(check_content_type(&patch, Some("application/fhir+xml")).unwrap(), Format::Xml);
        for bad in [None, Some("application/json"), Some("application/xml-patch+xml")] {
            let refused = check_content_type(&patch, bad).unwrap_err();
            assert_eq!(refused.kind, Kind::UnsupportedMediaType, "{bad:?}");
            assert!(refused.message.contains("application/json-patch+json"), "{refused}");
        }
    }
}
