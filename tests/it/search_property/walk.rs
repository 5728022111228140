//! All pages of a search over HTTP, from the first to the last and back.

use super::BASE;
use crate::support::Server;
use serde_json::Value;

/// What an answer is, as far as it is looked at.
pub struct Page {
    /// `Type/id` of the matches.
    pub ids: Vec<String>,
    pub total: Option<u64>,
    next: Option<String>,
    previous: Option<String>,
}

/// A refusal: status and what is told.
#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub told: String,
}

/// Strictly, so that nothing is left out without a word.
pub async fn page(server: &Server, path: &str) -> Result<Page, Refusal> {
    let answer = server.get_with(path, &[("prefer", "handling=strict")]).await;
    if answer.status != 200 {
        return Err(Refusal { status: answer.status, told: answer.text });
    }
    // Only what stands before the entries is read as JSON: resources are large, and their addresses enough.
    let (head, entries) = match answer.text.split_once(",\"entry\":[") {
        Some((head, entries)) => (format!("{head}}}"), entries),
        None => (answer.text.clone(), ""),
    };
    let head: Value = serde_json::from_str(&head).unwrap_or_else(|fault| panic!("{fault}: {head}"));
    let address = format!("{BASE}/");
    let ids = entries.split("\"fullUrl\":\"").skip(1).map(|rest| {
        let url = rest.split('"').next().unwrap_or_default();
        url.strip_prefix(&address).unwrap_or(url).to_owned()
    });
    let link = |relation: &str| {
        let links = head["link"].as_array().unwrap();
        let link = links.iter().find(|link| link["relation"] == relation)?;
        Some(link["url"].as_str().unwrap().strip_prefix(BASE).unwrap().trim_start_matches('/').to_owned())
    };
    Ok(Page { ids: ids.collect(), total: head["total"].as_u64(), next: link("next"), previous: link("previous") })
}

/// The pages from the first to the last.
pub async fn forward(server: &Server, path: &str) -> Result<Vec<Page>, Refusal> {
    let mut pages = vec![page(server, path).await?];
    while let Some(next) = pages.last().and_then(|page| page.next.clone()) {
        assert!(pages.len() < 200, "the pages of {path} have no end");
        pages.push(page(server, &next).await?);
    }
    Ok(pages)
}

/// The ids of all pages before this one, going back from it.
pub async fn backward(server: &Server, last: &Page) -> Result<Vec<String>, Refusal> {
    let mut ids: Vec<String> = Vec::new();
    let mut previous = last.previous.clone();
    for _ in 0..200 {
        let Some(path) = previous else { return Ok(ids) };
        let page = page(server, &path).await?;
        ids.splice(0..0, page.ids);
        previous = page.previous;
    }
    panic!("the pages before {:?} have no beginning", last.ids.first());
}
