//! `_text` and `_content`: words of the narrative and of the whole resource. <https://hl7.org/fhir/R4/search.html#text>

use crate::search::{all_find, finds};
use crate::support::Server;
use serde_json::{Value, json};

async fn start() -> Server {
    Server::start_with(&[("BRASA_FULL_TEXT", "on")]).await
}

fn condition(id: &str, patient: &str, narrative: &str, note: &str) -> Value {
    let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{narrative}</div>");
    json!({
        "resourceType": "Condition", "id": id, "subject": {"reference": format!("Patient/{patient}")},
        "text": {"status": "generated", "div": div}, "note": [{"text": note}]
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_found_without_accents_in_the_narrative_or_in_everything() {
    let server = start().await;
    for (id, narrative, note) in [
        ("a", "<p>Bone</p><p>metastases</p>", "seen by Pérez"),
        ("b", "<p>P&eacute;rez: <b>li</b>ver metastases</p>", "x-ray"),
        ("c", "<p>metastases</p>", "liver, bone"),
    ] {
        server.put(&format!("Condition/{id}"), condition(id, "p", narrative, note)).await.expect(201);
    }
    let name = json!({"resourceType": "Patient", "id": "p", "name": [{"family": "Pérez"}], "active": true});
    server.put("Patient/p", name).await.expect(201);
    server.put("Patient/q", json!({"resourceType": "Patient", "id": "q", "active": true})).await.expect(201);
    let rows = [
        ("Condition?_text=(bone%20OR%20liver)%20and%20metastases", "a b"),
        ("Condition?_content=bone%20liver", "c"),
        ("Condition?_content=perez", "a b"),
        ("Condition?_text=P%C3%89REZ", "b"),
        ("Condition?_content=%22x%20ray%22", "b"),
        ("Condition?_content=X-Ray", "b"),
        ("Condition?_content=%22ray%20x%22", ""),
        ("Condition?_text=metastases%20NOT%20bone", "b c"),
        ("Condition?_text=bone,liver", "a b"),
        ("Condition?_text=bon", ""),
        ("Condition?_text=metastases&_content=liver&subject=Patient/p", "b c"),
        ("Condition?_filter=_text%20eq%20bone%20or%20_content%20eq%20ray", "a b"),
        ("?_content=perez", "a b p"),
        ("Patient/p/Condition?_text=bone", "a"),
        ("Condition?subject:Patient._content=perez", "a b c"),
        ("Patient?_has:Condition:subject:_text=bone", "p"),
        ("Patient?_content=generated", ""),
    ];
    all_find(&server, &rows).await;
    let answer = server.get("Condition?_text=bone&_total=accurate").await.expect(200);
    assert_eq!(answer.json()["total"], 1);
    let refused = server.get("Condition?_text=(bone").await.expect(400);
    assert_eq!(refused.expression(), "_text");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_are_those_of_the_current_version_wherever_it_lives() {
    let server = start().await;
    let url = "Condition/a";
    server.put(url, condition("a", "p", "<p>bone</p>", "same")).await.expect(201);
    server.put(url, condition("a", "p", "<p>liver</p>", "same")).await.expect(200);
    finds(&server, "Condition?_text=bone", "").await;
    finds(&server, "Condition?_text=liver", "a").await;
    // To another patient, and so perhaps to another shard.
    server.put(url, condition("a", "q", "<p>liver</p>", "same")).await.expect(200);
    finds(&server, "Condition?_text=liver", "a").await;
    finds(&server, "Patient/q/Condition?_text=liver", "a").await;
    finds(&server, "Patient/p/Condition?_text=liver", "").await;
    server.delete(url).await.expect(204);
    finds(&server, "Condition?_content=same", "").await;
    server.put(url, condition("a", "q", "<p>lung</p>", "same")).await.expect(201);
    finds(&server, "Condition?_content=same%20lung", "a").await;
    let client = server.database.connect().await;
    let rows: i64 = client.query_one("SELECT count(*) FROM search_text", &[]).await.unwrap().get(0);
    assert_eq!(rows, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_makes_a_write_fail() {
    let server = start().await;
    // All words of two and three letters, all signs of Chinese and Korean, one word of 100 KB, what PostgreSQL's text cannot hold, markup
    // that is not closed, letters beyond the basic plane.
    let letters: Vec<char> = "abcdefghijklmnopqrstuvwxyz0123456789".chars().collect();
    let mut many = String::new();
    for first in &letters {
        for second in &letters {
            many.extend([*first, *second, ' ']);
            letters.iter().for_each(|third| many.extend([*first, *second, *third, ' ']));
        }
    }
    let signs = (0x3400..0x9FFF).chain(0xAC00..0xD7A3).chain(0x20000..0x2A6DF).filter_map(char::from_u32);
    let signs: String = signs.flat_map(|sign| [sign, ' ']).collect();
    let cases =
        [many.repeat(3), signs, "x".repeat(100_000), "a\u{0}b 😀 𝒳 \u{301}".to_owned(), "'\"\\ : & | ! <->".to_owned()];
    for (number, text) in cases.iter().enumerate() {
        let id = format!("c{number}");
        let condition = condition(&id, "p", "<p>open <b &eacute", &format!("{text} last"));
        server.put(&format!("Condition/{id}"), condition).await.expect(201);
    }
    finds(&server, "Condition?_text=open", "c0 c1 c2 c3 c4").await;
    finds(&server, "Condition?_content=zz9", "c0").await;
    // Behind the bound, nothing is found.
    finds(&server, "Condition?_content=last", "c2 c3 c4").await;
    finds(&server, &format!("Condition?_content={}", "x".repeat(3_000)), "c2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_full_text_is_refused_and_nothing_is_kept_for_it() {
    let server = Server::start_with(&[("BRASA_FULL_TEXT", "off")]).await;
    server.put("Condition/a", condition("a", "p", "<p>bone</p>", "note")).await.expect(201);
    for (search, place) in [
        ("Condition?_text=bone", "_text"),
        ("?_content=bone", "_content"),
        ("Condition?_filter=_text%20eq%20bone", "_filter"),
        ("Condition?subject:Patient._content=x", "subject:Patient._content"),
    ] {
        let answer = server.get(search).await.expect(400);
        let issue = answer.issue();
        assert_eq!((&issue["code"], answer.expression().as_str()), (&json!("not-supported"), place), "{search}");
        assert!(issue["diagnostics"].as_str().unwrap().contains("BRASA_FULL_TEXT"), "{issue}");
    }
    let client = server.database.connect().await;
    let rows: i64 = client.query_one("SELECT count(*) FROM search_text", &[]).await.unwrap().get(0);
    assert_eq!(rows, 0);
}
