//! Searches over a database that is there already: what each costs the server beside what it costs the database.

use super::floor::Floor;
use super::load::{self, Crowd, Target};
use super::report::{self, Side};
use super::{Meter, print, say};
use crate::error::{Error, Result};
use serde_json::Value;
use std::time::Duration;

/// Searches of one row that take turns, so that not one page is asked again and again.
const VARIANTS: usize = 40;

/// One row of the table.
pub struct Search {
    pub title: &'static str,
    /// Relative to the base.
    pub paths: Vec<String>,
}

/// The rows. `patients`: ids of some that are there; all else is in every record that Synthea writes.
fn rows(patients: &[String]) -> Vec<Search> {
    let each = |title, path: &dyn Fn(usize) -> String| Search { title, paths: (0..VARIANTS).map(path).collect() };
    let patient = |number: usize| patients.get(number % patients.len().max(1)).map_or("", String::as_str);
    let loinc =
        |number: usize| ["8302-2", "29463-7", "85354-9", "72166-2"].get(number % 4).copied().unwrap_or("8302-2");
    let month = |number: usize| (2012 + number % 10, number % 12 + 1);
    vec![
        each("within a patient: code and date, sorted", &|n| {
            format!(
                "Observation?patient={}&code=http://loinc.org|{}&date=ge2005&_sort=-date&_count=20",
                patient(n),
                loinc(n)
            )
        }),
        each("within a patient: everything, a page", &|n| format!("Patient/{}/*?_count=20", patient(n))),
        each("code", &|n| format!("Observation?code=http://loinc.org|{}&_count=20", loinc(n))),
        each("date range", &|n| {
            let (year, month) = month(n);
            format!("Observation?date=ge{year}-{month:02}-01&date=lt{year}-{month:02}-28&_count=20")
        }),
        each("code and value", &|n| {
            let value = 150 + n;
            format!(
                "Observation?code=http://loinc.org|8302-2&value-quantity=gt{value}|http://unitsofmeasure.org|cm&_count=20"
            )
        }),
        each("code and date range", &|n| {
            let (year, _) = month(n);
            format!("Observation?code=http://loinc.org|{}&date=ge{year}&date=lt{}&_count=20", loinc(n), year + 1)
        }),
        each("name prefix", &|n| {
            let letter = char::from(b'a' + u8::try_from(n % 26).unwrap_or_default());
            format!("Patient?name={letter}&_count=20")
        }),
        each("the number of one code", &|n| format!("Observation?code=http://loinc.org|{}&_summary=count", loinc(n))),
        each("include of a page", &|_| {
            "Encounter?_include=Encounter:participant&_include=Encounter:subject&_count=20".to_owned()
        }),
        each("chain to a practitioner", &|n| {
            let letter = char::from(b'a' + u8::try_from(n % 26).unwrap_or_default());
            format!("Encounter?participant:Practitioner.family={letter}b&_count=20")
        }),
    ]
}

/// Measures every row and prints its line.
pub async fn measure(
    target: &Target,
    floor: &mut Option<Floor>,
    meter: &Meter,
    crowd: Crowd,
    duration: Duration,
    rounds: u32,
) -> Result<()> {
    let patients = patients(target).await?;
    say(&format!("Searching among {} resources.", total(target, "?_summary=count").await?));
    print(report::HEAD);
    for search in rows(&patients) {
        let scripts = scripts(target, &search).await?;
        let (mut brasa, mut alone) = (Side::default(), Side::default());
        for _ in 0..rounds {
            let before = meter.read();
            let run = load::run_paths(target, &search.paths, crowd, duration).await?;
            let (own, database) = meter.since(&before, run.client_cpu_us);
            brasa.add(run, own, database);
            if let Some(floor) = floor {
                let before = meter.read();
                let run = floor.run_scripts(&scripts, crowd, duration).await?;
                alone.add(run, None, meter.since(&before, 0).1);
            }
        }
        print(&report::line_of(search.title, 1, &mut brasa, floor.is_some().then_some(&mut alone)));
    }
    Ok(())
}

/// Ids of patients with a record of some size.
async fn patients(target: &Target) -> Result<Vec<String>> {
    let found = ask(target, &format!("Patient?_count={VARIANTS}&_elements=id")).await?;
    let id = |entry: &Value| entry.pointer("/resource/id").and_then(Value::as_str).map(str::to_owned);
    let ids: Vec<String> = list(&found, "entry").filter_map(id).collect();
    if ids.is_empty() {
        return Err(Error::invalid("There are no patients to search for. Load some first: brasa load FOLDER."));
    }
    Ok(ids)
}

async fn total(target: &Target, path: &str) -> Result<i64> {
    Ok(ask(target, path).await?.get("total").and_then(Value::as_i64).unwrap_or_default())
}

/// The statements that the database runs for each path, with their values, as pgbench takes them.
async fn scripts(target: &Target, search: &Search) -> Result<Vec<String>> {
    let mut scripts = Vec::new();
    for path in &search.paths {
        let explained = ask(target, &format!("{path}&_explain=true")).await?;
        let parts = list(&explained, "parameter").flat_map(|step| list(step, "part"));
        let runnable = parts.filter(|part| part.get("name").and_then(Value::as_str) == Some("runnable"));
        let runnable = runnable.filter_map(|part| part.get("valueString").and_then(Value::as_str));
        let script: Vec<String> = runnable.map(|sql| format!("{};\n", sql.replace('\n', " "))).collect();
        scripts.push(script.concat());
    }
    Ok(scripts)
}

fn list<'v>(parent: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    parent.get(name).and_then(Value::as_array).into_iter().flatten()
}

async fn ask(target: &Target, path: &str) -> Result<Value> {
    let mut out = String::new();
    target.requests.write_get(path, &mut out);
    let (status, body) = load::ask(target, &out).await?;
    if status != 200 {
        return Err(load::unexpected(status, &body));
    }
    serde_json::from_slice(&body).map_err(Error::internal)
}
