//! Paging: forward and back, while others write, and links that nobody can change. <https://hl7.org/fhir/R4/search.html#count>

use super::{all_refused, holding, in_order, link, resource, store};
use crate::support::{Answer, Server};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn patient(number: usize) -> Value {
    let mut members = json!({"name": [{"family": format!("F{:02}", number * 7 % 60)}]});
    // Some have no birthday, many share theirs.
    if !number.is_multiple_of(5) {
        members["birthDate"] = json!(format!("20{:02}-01-01", number % 4));
    }
    resource("Patient", &format!("p{number:02}"), members)
}

async fn sixty() -> Server {
    holding((0..60).map(patient)).await
}

/// All pages from one on, by their `next` or `previous` links.
async fn walk(server: &Server, first: &str, relation: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(page) = next {
        let answer = server.get(&page).await.expect(200);
        pages.push(in_order(&answer, "match"));
        next = link(&answer, relation);
        assert!(pages.len() < 100, "{first} never ends");
    }
    pages
}

async fn last_page(server: &Server, first: &str) -> Answer {
    let mut answer = server.get(first).await.expect(200);
    while let Some(next) = link(&answer, "next") {
        answer = server.get(&next).await.expect(200);
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn every_match_is_met_once_forward_and_back() {
    let server = sixty().await;
    for search in [
        "Patient?_count=7",
        "Patient?_count=7&_sort=family",
        "Patient?_count=7&_sort=-family",
        "Patient?_count=7&_sort=birthdate",
        "Patient?_count=7&_sort=-birthdate,family",
        "Patient?_count=7&_sort=birthdate,-_id",
        "Patient?_count=7&_sort=_lastUpdated",
        "Patient?_count=7&_sort=-_lastUpdated",
        "Patient?_count=7&_sort=gender",
        "Patient?_count=7&_sort=death-date,-family",
        "Patient?_count=7&name=f",
        "?_count=7&_type=Patient,Device",
    ] {
        let whole = in_order(&server.get(&search.replace("_count=7", "_count=100")).await.expect(200), "match");
        assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 60, "{search}");
        let pages = walk(&server, search, "next").await;
        assert_eq!((pages.concat(), pages.len()), (whole.clone(), 9), "{search}");
        let last = last_page(&server, search).await;
        assert_eq!(link(&last, "first").as_deref(), link(&server.get(search).await, "first").as_deref(), "{search}");
        let mut back = walk(&server, &link(&last, "self").unwrap(), "previous").await;
        back.reverse();
        assert_eq!(back.concat(), whole, "{search} backwards");
    }
    let exact = server.get("Patient?_count=60").await.expect(200);
    assert_eq!((link(&exact, "next"), link(&exact, "previous")), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_is_met_once_while_others_come_and_go() {
    let server = sixty().await;
    for search in ["Patient?_count=7&_sort=family", "Patient?_count=7", "Patient?_count=7&_sort=-birthdate"] {
        store(&server, (0..60).map(patient)).await;
        let (mut seen, mut next, mut round) = (Vec::new(), Some(search.to_owned()), 0);
        while let Some(page) = next {
            let answer = server.get(&page).await.expect(200);
            let ids = in_order(&answer, "match");
            // One that was on the page goes, one from somewhere goes, others come before and behind.
            server.delete(&format!("Patient/{}", ids[0])).await.expect(204);
            server.delete(&format!("Patient/p{:02}", (round * 11 + 3) % 60)).await;
            let come = |place: &str, family: &str| {
                resource(
                    "Patient",
                    &format!("new-{place}-{round}"),
                    json!({"name": [{"family": family}], "birthDate": "2003-01-01"}),
                )
            };
            store(&server, [come("first", "A"), come("last", "Z")]).await;
            seen.extend(ids);
            next = link(&answer, "next");
            round += 1;
            assert!(round < 40, "{search} never ends");
        }
        let once: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(once.len(), seen.len(), "{search}: something was met twice: {seen:?}");
        let stayed = server.get("Patient?_count=1000&family=f").await.expect(200);
        for id in in_order(&stayed, "match") {
            assert!(once.contains(&id), "{search}: {id} was passed over");
        }
        for id in in_order(&server.get("Patient?_count=1000&family=a,z").await.expect(200), "match") {
            server.delete(&format!("Patient/{id}")).await.expect(204);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_changed_or_belongs_to_another_search_is_refused() {
    let server = sixty().await;
    let first = server.get("Patient?_count=7&family=f").await.expect(200);
    let next = link(&first, "next").unwrap();
    let (address, token) = next.split_once("_page=").unwrap();
    assert!(
        !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
        "{next}"
    );
    server.get(&next).await.expect(200);
    // A page may have another length than the one before.
    let longer = server.get(&next.replace("_count=7", "_count=20")).await.expect(200);
    assert_eq!(longer.entries().len(), 20);
    let flipped = |at: usize| {
        let mut bytes = token.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let refused: Vec<String> = vec![
        format!("{address}_page={}", flipped(2)),
        format!("{address}_page={}", flipped(token.len() / 2)),
        format!("{address}_page={}", token.get(..token.len() - 4).unwrap()),
        format!("{address}_page={token}AAAA"),
        format!("{address}_page=1"),
        next.replace("family=f", "family=f0"),
        next.replace("family=f", "family=f&gender:missing=true"),
        next.replace("family=f", "family=f&_sort=family"),
        next.replace("/Patient?", "/Person?").replace("family", "name"),
    ];
    for search in &refused {
        all_refused(&server, &[(search.as_str(), "_page", "not a page of this search")]).await;
    }
    // Another server on the same database goes on where the first one was.
    let second = Server::on(server.database.clone(), &[]).await;
    let there = second.get(&next.replace(&server.base, &second.base)).await.expect(200);
    assert_eq!(in_order(&there, "match"), in_order(&server.get(&next).await, "match"));
}
