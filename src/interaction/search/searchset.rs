//! The Bundle that answers a search. <https://hl7.org/fhir/R4/bundle.html#searchset>

use crate::error::Result;
use crate::fhir::bundle::BundleWriter;
use crate::fhir::json::{Json, Object};
use crate::fhir::outcome::{Issue, outcome_of};
use crate::fhir::subset::Subset;
use crate::interaction::Context;
use crate::interaction::read::part_of;
use crate::interaction::request::{Request, written};
use crate::search::page::{Direction, Page, PageValue, seal};
use crate::search::query::{Query, Summary};
use crate::store::Stored;
use crate::store::search::Found;

const WITHIN_RECORDS: &str = "More resources meet the chained condition than can be followed one by one, so that it was \
    looked for inside each patient's record. A match by a reference from one record into another is not among these. \
    Narrow the chained condition to have those, too.";

/// A page of matches and what surrounds it.
pub struct Answer<'a> {
    pub context: &'a Context,
    pub request: &'a Request,
    /// The address under the base, such as `Patient/1/Observation`.
    pub path: String,
    pub query: &'a Query,
    pub page: Option<&'a Page>,
    pub total: Option<i64>,
}

impl Answer<'_> {
    pub fn write(&self, found: &Found, included: &[Stored]) -> Result<Vec<u8>> {
        let mut head = Object::new().with_str("resourceType", "Bundle").with_str("type", "searchset");
        if let Some(total) = self.total {
            head = head.with("total", Json::from(total));
        }
        let mut writer = BundleWriter::new(&head.with("link", Json::Array(self.links(found))));
        for hit in &found.hits {
            self.entry(&mut writer, &hit.stored, "match", self.part(true).as_ref())?;
        }
        for stored in included {
            self.entry(&mut writer, stored, "include", self.part(false).as_ref())?;
        }
        if !self.query.ignored.is_empty() || found.within_records {
            writer.entry(None, Some(&self.caveats(found.within_records)), &mode("outcome"));
        }
        Ok(writer.finish())
    }

    fn entry(&self, writer: &mut BundleWriter, stored: &Stored, role: &str, part: Option<&Subset>) -> Result<()> {
        let full_url = format!("{}/{}/{}", self.request.base, stored.resource_type, stored.id);
        let whole = stored.body.as_deref().unwrap_or_default();
        match part {
            None => writer.entry(Some(&full_url), Some(whole), &mode(role)),
            Some(part) => writer.entry(Some(&full_url), Some(&part_of(stored, part)?), &mode(role)),
        }
        Ok(())
    }

    /// The part of a resource that is sent of each. `_elements` is about the matches.
    fn part(&self, is_match: bool) -> Option<Subset> {
        let of_elements = || {
            let is_asked = is_match && !self.query.elements.is_empty();
            is_asked.then(|| Subset::Elements(self.query.elements.clone()))
        };
        self.query.summary.part().or_else(of_elements)
    }

    /// What was asked and is not part of the search, or not of all resources, so that nobody takes the answer for another
    /// one.
    fn caveats(&self, within_records: bool) -> Vec<u8> {
        let told = self.query.ignored.iter().map(|ignored| {
            format!("{} The search was made without '{}={}'.", ignored.reason, ignored.name, ignored.value)
        });
        let told: Vec<String> = told.collect();
        let issue = |code, diagnostics, expression| Issue { severity: "warning", code, diagnostics, expression };
        let ignored = self.query.ignored.iter().zip(&told);
        let mut issues: Vec<Issue> =
            ignored.map(|(ignored, told)| issue("not-supported", told, Some(&ignored.name))).collect();
        if within_records {
            issues.push(issue("incomplete", WITHIN_RECORDS, None));
        }
        outcome_of(Some(&self.request.id), issues).to_bytes()
    }

    fn links(&self, found: &Found) -> Vec<Json> {
        let mut links = vec![self.link("self", self.query.page.as_deref())];
        if self.query.summary == Summary::Count {
            return links;
        }
        links.push(self.link("first", None));
        let goes_on = |direction: Direction, key: &[PageValue]| {
            let page = Page { direction, key: key.to_vec() };
            seal(&self.context.store.paging_secret, &self.query.fingerprint, &page.encode())
        };
        let came_from = self.page.map(|page| page.direction);
        let (has_next, has_previous) = match came_from {
            None => (found.more, false),
            Some(Direction::Next) => (found.more, true),
            Some(Direction::Previous) => (true, found.more),
        };
        if let Some(last) = found.hits.last().filter(|_| has_next) {
            links.push(self.link("next", Some(&goes_on(Direction::Next, &last.key))));
        }
        if let Some(first) = found.hits.first().filter(|_| has_previous) {
            links.push(self.link("previous", Some(&goes_on(Direction::Previous, &first.key))));
        }
        links
    }

    /// The address with the parameters that were used, so that a client sees what was understood.
    fn link(&self, relation: &str, page: Option<&str>) -> Json {
        let (base, path) = (&self.request.base, &self.path);
        let address = if path.is_empty() { base.clone() } else { format!("{base}/{path}") };
        let used = self.query.used.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let query = written(used.chain(page.map(|page| ("_page", page))));
        let url = if query.is_empty() { address } else { format!("{address}?{query}") };
        Json::Object(Object::new().with_str("relation", relation).with_str("url", url))
    }
}

fn mode(mode: &str) -> Object {
    Object::new().with("search", Object::new().with_str("mode", mode).into())
}
