//! Strings: prefixes without regard to case and accents, `:exact`, `:contains`. <https://hl7.org/fhir/R4/search.html#string>

use super::{all_find, all_ignored, all_refused, holding, resource};
use serde_json::{Value, json};

fn named(id: &str, name: Value) -> Value {
    resource("Patient", id, json!({"name": [name]}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_is_found_without_regard_to_case_and_accents() {
    let server = holding([
        named("eve", json!({"given": ["Eve"], "family": "Müller"})),
        named("evelyn", json!({"given": ["Evelyn"], "family": "Mueller"})),
        named("severine", json!({"given": ["Ana", "Severine"], "family": "Núñez"})),
        named("upper", json!({"given": ["EVE"], "family": "NUNEZ"})),
        named("polish", json!({"given": ["Łukasz"], "family": "Strauß"})),
        named("greek", json!({"given": ["Σωκράτης"], "family": "van  der\tBerg"})),
    ])
    .await;
    let rows = [
        // The page's own example.
        ("Patient?given=eve", "eve evelyn upper"),
        ("Patient?given:contains=eve", "eve evelyn severine upper"),
        ("Patient?given:exact=Eve", "eve"),
        ("Patient?given=EVE", "eve evelyn upper"),
        ("Patient?given:exact=eve", ""),
        ("Patient?given:exact=Eve,EVE", "eve upper"),
        ("Patient?given=sever", "severine"),
        ("Patient?family=nunez", "severine upper"),
        ("Patient?family=Núñez", "severine upper"),
        ("Patient?family=N%C3%9A%C3%91EZ", "severine upper"),
        // The same letters with the accents apart, as some keyboards send them.
        ("Patient?family=Nu%CC%81n%CC%83ez", "severine upper"),
        ("Patient?family:exact=Núñez", "severine"),
        ("Patient?family:exact=Nunez", ""),
        ("Patient?family=muller", "eve"),
        ("Patient?family=strauss", "polish"),
        ("Patient?given=lukasz", "polish"),
        ("Patient?given=σωκρατησ", "greek"),
        ("Patient?family=van der berg", "greek"),
        ("Patient?family=van%20%20der", "greek"),
        ("Patient?family:contains=der b", "greek"),
        ("Patient?family=berg", ""),
        ("Patient?given=eve,ana", "eve evelyn severine upper"),
        ("Patient?given=eve&family=mue", "evelyn"),
        ("Patient?given=ana&given=sev", "severine"),
        ("Patient?given=eve&given=ana", ""),
        ("Patient?name=eve", "eve evelyn upper"),
        ("Patient?name=nun", "severine upper"),
        ("Patient?phonetic=eve", "eve evelyn upper"),
    ];
    all_find(&server, &rows).await;
    all_ignored(&server, &[("Patient?given:sounds=eve", "given:sounds", "no modifier ':sounds'")]).await;
    all_refused(&server, &[("Patient?given=eve,", "given", "A text was expected")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_of_a_name_and_an_address_is_found() {
    let address = json!({"line": ["534 Erewhon St", "Flat 2"], "city": "PleasantVille", "district": "Rainbow",
        "state": "Vic", "postalCode": "3999", "country": "Australia", "text": "near the station"});
    let server = holding([
        named(
            "name",
            json!({"prefix": ["Dr."], "given": ["Peter", "James"], "family": "Chalmers", "suffix": ["PhD"],
            "text": "the tall one"}),
        ),
        resource("Patient", "address", json!({"address": [address]})),
        resource("Patient", "two", json!({"name": [{"family": "Windsor"}, {"given": ["Peter"], "use": "usual"}]})),
    ])
    .await;
    let rows = [
        ("Patient?name=dr.", "name"),
        ("Patient?name=james", "name"),
        ("Patient?name=chal", "name"),
        ("Patient?name=phd", "name"),
        ("Patient?name=the tall", "name"),
        ("Patient?name=peter", "name two"),
        ("Patient?name=peter&name=windsor", "two"),
        ("Patient?address=534 erewhon", "address"),
        ("Patient?address=flat", "address"),
        ("Patient?address=pleasant", "address"),
        ("Patient?address=rainbow", "address"),
        ("Patient?address=vic", "address"),
        ("Patient?address=3999", "address"),
        ("Patient?address=austral", "address"),
        ("Patient?address=near", "address"),
        ("Patient?address:contains=station", "address"),
        ("Patient?address=station", ""),
        ("Patient?address-city=pleasantville", "address"),
        ("Patient?address-city:exact=PleasantVille", "address"),
        ("Patient?address-postalcode=39", "address"),
        ("Patient?address-state=vic&address-country=aus", "address"),
        ("Patient?address-country=vic", ""),
    ];
    all_find(&server, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_database_might_take_for_a_pattern_stands_for_itself() {
    let long = format!("{} needle {}", "x".repeat(700), "y".repeat(700));
    let server = holding([
        named("percent", json!({"family": "50%off"})),
        named("underscore", json!({"family": "50_off"})),
        named("backslash", json!({"family": "50\\off"})),
        named("quote", json!({"family": "O'Neil \"the\" one"})),
        named("comma", json!({"family": "Smith, Jr.|$"})),
        named("long", json!({"family": long})),
        named("emoji", json!({"family": "😀 smile"})),
    ])
    .await;
    let whole = format!("Patient?family:exact={long}");
    let other = format!("Patient?family:exact={long}z");
    let prefix = format!("Patient?family={}", "x".repeat(700));
    let rows = [
        ("Patient?family=50%25", "percent"),
        ("Patient?family=50_", "underscore"),
        ("Patient?family:contains=%25", "percent"),
        ("Patient?family:contains=_", "underscore"),
        ("Patient?family=50\\\\", "backslash"),
        ("Patient?family=50\\o", "backslash"),
        ("Patient?family=50", "backslash percent underscore"),
        ("Patient?family=O'Neil", "quote"),
        ("Patient?family:contains=%22THE%22", "quote"),
        ("Patient?family=Smith\\, Jr", "comma"),
        ("Patient?family:exact=Smith\\, Jr.\\|\\$", "comma"),
        ("Patient?family=😀", "emoji"),
        ("Patient?family:contains=needle y", "long"),
        (whole.as_str(), "long"),
        (other.as_str(), ""),
        (prefix.as_str(), "long"),
    ];
    all_find(&server, &rows).await;
}
