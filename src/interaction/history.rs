//! The FHIR history interaction: of one resource, of a type, of the system. <https://hl7.org/fhir/R4/http.html#history>

use super::Context;
use super::audit::patients_of;
use super::request::Request;
use super::response::Response;
use crate::error::{Error, Result};
use crate::fhir::bundle::BundleWriter;
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::instant::{Interval, to_instant};
use crate::fhir::json::{Json, Object};
use crate::store::{HistoryKey, HistoryScope, HistoryWindow, Reader, Stored};
use chrono::{DateTime, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The parameter that carries where the next page starts.
const PAGE: &str = "_page";
const KNOWN: &[&str] = &["_count", "_since", "_at", PAGE, "_format", "_pretty"];

pub async fn answer(
    context: &Context,
    reader: Reader<'_>,
    request: &Request,
    scope: &HistoryScope,
) -> Result<Response> {
    request.refuse_unsupported(&["_list"])?;
    request.refuse_unknown(KNOWN)?;
    let window = window(context, request)?;
    let key = request.parameter(PAGE)?.map(read_key).transpose()?;
    // One more than the page tells whether there is a next one.
    let wider = HistoryWindow { count: window.count.saturating_add(1), ..window };
    let mut versions = match window.count {
        0 => Vec::new(),
        _ => reader.history(scope, &wider, key.as_ref()).await?,
    };
    if let HistoryScope::Instance(resource_type, id) = scope
        && versions.is_empty()
    {
        must_exist(reader, *resource_type, id).await?;
    }
    let page = usize::try_from(window.count).unwrap_or(usize::MAX);
    let more = versions.len() > page;
    versions.truncate(page);
    let total = match scope {
        HistoryScope::Instance(resource_type, id) => reader.count_versions(*resource_type, id, &window).await?,
        HistoryScope::Type(_) | HistoryScope::System => None,
    };
    let next = versions.last().filter(|_| more).map(HistoryKey::of);
    let patients = patients_of(context, &versions);
    Ok(Response { patients, ..Response::of_body(200, write(request, scope, &versions, total, next.as_ref())) })
}

async fn must_exist(reader: Reader<'_>, resource_type: ResourceType, id: &Id) -> Result<()> {
    match reader.current(resource_type, id).await? {
        Some(_) => Ok(()),
        None => Err(Error::not_found(format!("There is no {resource_type} with this id."))),
    }
}

fn window(context: &Context, request: &Request) -> Result<HistoryWindow> {
    let date = |name: &str| match request.parameter(name)? {
        Some(text) => Interval::parse(text).map(Some).map_err(|invalid| Error::from(invalid).at(name)),
        None => Ok(None),
    };
    let count = match request.parameter("_count")? {
        None => context.limits.page_count_default,
        Some(text) => text
            .parse::<u32>()
            .map_err(|_| Error::invalid("A whole number from 0 on was expected here.").at("_count"))?,
    };
    let since = date("_since")?.map(|interval| interval.start);
    Ok(HistoryWindow { since, at: date("_at")?, count: count.min(context.limits.page_count_max) })
}

fn write(
    request: &Request,
    scope: &HistoryScope,
    versions: &[Stored],
    total: Option<i64>,
    next: Option<&HistoryKey>,
) -> Vec<u8> {
    let mut head = Object::new().with_str("resourceType", "Bundle").with_str("type", "history");
    if let Some(total) = total {
        head = head.with("total", Json::from(total));
    }
    let address = address(request, scope);
    let mut links = vec![link("self", &with_parameters(&address, request, request.parameter(PAGE).ok().flatten()))];
    if let Some(next) = next {
        links.push(link("next", &with_parameters(&address, request, Some(&write_key(next)))));
    }
    let mut writer = BundleWriter::new(&head.with("link", Json::Array(links)));
    for stored in versions {
        let full_url = format!("{}/{}/{}", request.base, stored.resource_type, stored.id);
        writer.entry(Some(&full_url), stored.body.as_deref(), &request_and_response(stored));
    }
    writer.finish()
}

fn request_and_response(stored: &Stored) -> Object {
    let url = match stored.method.as_str() {
        "POST" => stored.resource_type.to_string(),
        _ => format!("{}/{}", stored.resource_type, stored.id),
    };
    let status = match (stored.method.as_str(), stored.version_id.0) {
        ("DELETE", _) => "204",
        (_, 1) => "201",
        _ => "200",
    };
    let request = Object::new().with_str("method", &stored.method).with_str("url", url);
    let response = Object::new()
        .with_str("status", status)
        .with_str("etag", format!("W/\"{}\"", stored.version_id))
        .with_str("lastModified", to_instant(stored.last_updated));
    Object::new().with("request", request.into()).with("response", response.into())
}

fn address(request: &Request, scope: &HistoryScope) -> String {
    match scope {
        HistoryScope::Instance(resource_type, id) => format!("{}/{resource_type}/{id}/_history", request.base),
        HistoryScope::Type(resource_type) => format!("{}/{resource_type}/_history", request.base),
        HistoryScope::System => format!("{}/_history", request.base),
    }
}

/// The address with the parameters that were used, so that a client sees what was understood.
fn with_parameters(address: &str, request: &Request, page: Option<&str>) -> String {
    let used = request.query.iter().filter(|(name, _)| KNOWN.contains(&name.as_str()) && name != PAGE);
    let mut parameters: Vec<(&str, &str)> = used.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    parameters.extend(page.map(|page| (PAGE, page)));
    let encoded: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    if encoded.is_empty() { address.to_owned() } else { format!("{address}?{}", encoded.join("&")) }
}

fn link(relation: &str, url: &str) -> Json {
    Json::Object(Object::new().with_str("relation", relation).with_str("url", url))
}

/// The key of a page as text. None of its parts can hold an underscore.
fn write_key(key: &HistoryKey) -> String {
    format!("{}_{}_{}_{}", key.last_updated.timestamp_millis(), key.resource_type, key.id, key.version_id)
}

fn read_key(text: &str) -> Result<HistoryKey> {
    let read = || {
        let mut parts = text.split('_');
        let last_updated: DateTime<Utc> = DateTime::from_timestamp_millis(parts.next()?.parse().ok()?)?;
        let resource_type = ResourceType::parse(parts.next()?)?.to_string();
        let id = Id::parse(parts.next()?).ok()?.as_str().to_owned();
        let version_id = parts.next()?.parse().ok()?;
        let key = HistoryKey { last_updated, resource_type, id, version_id };
        parts.next().is_none().then_some(key)
    };
    read().ok_or_else(|| Error::invalid("This is not a page that a history's `next` link names.").at(PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pages_key_survives_its_text_and_others_are_refused() {
        let last_updated = DateTime::from_timestamp_millis(1_795_000_000_123).unwrap();
        let key = HistoryKey { last_updated, resource_type: "Patient".into(), id: "a-b.c".into(), version_id: 7 };
        assert_eq!(read_key(&write_key(&key)).unwrap(), key);
        for bad in ["", "1_Patient_a", "x_Patient_a_1", "1_Pacient_a_1", "1_Patient_a_1_1", "1_Patient_é_1"] {
            assert!(read_key(bad).is_err(), "{bad}");
        }
    }
}
