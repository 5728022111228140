//! The narrative of a summary: tables in XHTML of what the entries say, every word of theirs escaped.
//! <https://hl7.org/fhir/R4/narrative.html>

use super::Listed;
use crate::fhir::json::{Json, Object};

/// The longest text of a resource's that a cell shows (characters).
const CELL_MAX: usize = 200;

/// `Narrative` with this as its content, which is XHTML already.
pub fn narrative(inner: &str) -> Json {
    let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{inner}</div>");
    Object::new().with_str("status", "generated").with_str("div", div).into()
}

/// Text as XHTML shows it. Characters that XML has not are left out.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars().take(CELL_MAX) {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// A table of what is listed: what it is, its value, when, and how it stands.
pub fn table(listed: &[Listed], shared: &[Listed]) -> String {
    let mut rows =
        String::from("<table><thead><tr><th>What</th><th>Value</th><th>When</th><th>Status</th></tr></thead><tbody>");
    for one in listed {
        let object = one.resource.object();
        let cells = [label(object, shared), value(object), when(object), status(object)];
        rows.push_str("<tr>");
        for cell in cells {
            rows.push_str("<td>");
            rows.push_str(&escaped(&cell.unwrap_or_default()));
            rows.push_str("</td>");
        }
        rows.push_str("</tr>");
    }
    rows.push_str("</tbody></table>");
    rows
}

/// How people read a code.
fn concept(json: Option<&Json>) -> Option<String> {
    let concept = json?.as_object()?;
    if let Some(text) = concept.get_str("text") {
        return Some(text.to_owned());
    }
    let codings = concept.get("coding").map(Json::items).unwrap_or_default();
    let codings = || codings.iter().filter_map(Json::as_object);
    let shown = codings().find_map(|coding| coding.get_str("display"));
    shown.or_else(|| codings().find_map(|coding| coding.get_str("code"))).map(str::to_owned)
}

fn label(object: &Object, shared: &[Listed]) -> Option<String> {
    let own =
        ["code", "medicationCodeableConcept", "vaccineCode"].into_iter().find_map(|name| concept(object.get(name)));
    let led = || {
        let reference = ["medicationReference", "device"].into_iter().find_map(|name| object.get(name))?.as_object()?;
        let named = |one: &&Listed| {
            let id = format!("{}/{}", one.stored.resource_type, one.stored.id);
            reference.get_str("reference").is_some_and(|text| text == id || text.ends_with(&format!("/{id}")))
        };
        let target = shared.iter().find(named).map(|one| one.resource.object());
        let of_target = target.and_then(|target| concept(target.get("code")).or_else(|| concept(target.get("type"))));
        of_target.or_else(|| reference.get_str("display").map(str::to_owned))
    };
    own.or_else(led)
}

fn value(object: &Object) -> Option<String> {
    if let Some(quantity) = object.get("valueQuantity").and_then(Json::as_object) {
        let Json::Number(number) = quantity.get("value")? else { return None };
        let comparator = quantity.get_str("comparator").unwrap_or_default();
        let unit = quantity.get_str("unit").or_else(|| quantity.get_str("code")).unwrap_or_default();
        return Some(format!("{comparator}{number} {unit}").trim_end().to_owned());
    }
    if let Some(text) = object.get_str("valueString") {
        return Some(text.to_owned());
    }
    let of_code = concept(object.get("valueCodeableConcept"));
    of_code.or_else(|| {
        let parts = object.get("component").map(Json::items).unwrap_or_default();
        let parts = parts.iter().filter_map(Json::as_object);
        let told = parts.filter_map(|part| Some(format!("{}: {}", concept(part.get("code"))?, value(part)?)));
        Some(told.collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty())
    })
}

fn when(object: &Object) -> Option<String> {
    const DATES: &[&str] = &[
        "onsetDateTime",
        "effectiveDateTime",
        "effectiveInstant",
        "occurrenceDateTime",
        "performedDateTime",
        "authoredOn",
        "recordedDate",
        "recordedOn",
        "issued",
    ];
    const PERIODS: &[&str] = &["effectivePeriod", "performedPeriod", "onsetPeriod", "timingPeriod"];
    let date = DATES.iter().find_map(|name| object.get_str(name)).map(str::to_owned);
    date.or_else(|| {
        let period = PERIODS.iter().find_map(|name| object.get(name)).and_then(Json::as_object)?;
        let [start, end] = ["start", "end"].map(|name| period.get_str(name).unwrap_or_default());
        Some(format!("{start} – {end}"))
    })
}

fn status(object: &Object) -> Option<String> {
    concept(object.get("clinicalStatus")).or_else(|| object.get_str("status").map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_resource_says_stays_text() {
        let hostile = "<script>alert('x')</script>\u{0}&\"\n\u{FFFF}";
        assert_eq!(escaped(hostile), "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot; ");
        assert_eq!(escaped(&"é".repeat(CELL_MAX + 1)).chars().count(), CELL_MAX);
    }
}
