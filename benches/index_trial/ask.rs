//! First pages and counts, one after the other on one connection: medians.

use super::design::ALL;
use super::fill::Filled;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// Different questions of one kind; each is asked twice.
const VARIANTS: usize = 40;
/// A year in microseconds: the date range.
const YEAR_US: i64 = 31_557_600_000_000;

/// A question: all of these tokens, with the patient and the date of some resource that has them.
struct Question {
    tokens: Vec<i64>,
    compartment: String,
    date: i64,
}

/// The questions by how frequent what they ask for is.
pub struct Chosen {
    kinds: Vec<(&'static str, Vec<Question>)>,
}

/// Picks tokens of Observations by their frequency, and pairs of them that some Observation has.
pub fn choose(filled: &Filled) -> Chosen {
    let resources = filled.resources as f64;
    let share = |token: &i64| f64::from(filled.observations.get(token).copied().unwrap_or_default()) / resources;
    let rare = |token: &i64| share(token) * resources <= 20.0;
    let some = |token: &i64| share(token) > 1.0 / 450.0 && share(token) < 1.0 / 200.0;
    let half = |token: &i64| share(token) > 0.35;
    Chosen {
        kinds: vec![
            ("(a) a rare token", questions(filled, &[&rare])),
            ("(b) a token on 1 of 300", questions(filled, &[&some])),
            ("(c) a token on half", questions(filled, &[&half])),
            ("(d) 1 of 300 and half", questions(filled, &[&some, &half])),
            ("(d) two of 1 of 300", questions(filled, &[&some, &some])),
        ],
    }
}

/// Questions for resources that have one token of each sort, from all over the data.
fn questions(filled: &Filled, sorts: &[&dyn Fn(&i64) -> bool]) -> Vec<Question> {
    let of = |(compartment, date, values): &(String, i64, Vec<i64>)| {
        let mut tokens: Vec<i64> = Vec::new();
        for sort in sorts {
            let found = *values.iter().find(|value| sort(value) && !tokens.contains(value))?;
            tokens.push(found);
        }
        Some(Question { tokens, compartment: compartment.clone(), date: *date })
    };
    let step = (filled.sample.len() / 20_000).max(1);
    let all: Vec<Question> = filled.sample.iter().step_by(step).filter_map(of).collect();
    let step = (all.len() / VARIANTS).max(1);
    all.into_iter().step_by(step).take(VARIANTS).collect()
}

/// Prints the medians of first pages.
pub async fn pages(clients: &[Client], chosen: &Chosen) {
    println!("\n| first page of 20, median ms | {} |", names());
    println!("|---|{}", "--:|".repeat(ALL.len()));
    for (kind, questions) in &chosen.kinds {
        for (within, dated) in [(false, false), (false, true), (true, false), (true, true)] {
            let place = if within { "within a patient" } else { "over all" };
            print!("| {kind}, {place}{} |", if dated { ", in a year" } else { "" });
            for (client, design) in clients.iter().zip(&ALL) {
                let sql = questions.iter().map(|question| {
                    let dates =
                        dated.then_some((question.date - YEAR_US / 2, question.date.saturating_add(YEAR_US / 2)));
                    design.page(&question.tokens, dates, within.then_some(question.compartment.as_str()))
                });
                print!(" {} |", median(client, sql.collect()).await);
            }
            println!();
        }
    }
}

/// Prints the medians of counts, by the index and by the counters.
pub async fn counts(clients: &[Client], chosen: &Chosen) {
    println!("\n| the number of one token's resources, median ms | {} | counters |", names());
    println!("|---|{}--:|", "--:|".repeat(ALL.len()));
    for (kind, questions) in chosen.kinds.iter().filter(|(_, questions)| questions.iter().all(|q| q.tokens.len() == 1))
    {
        print!("| {kind} |");
        for (client, design) in clients.iter().zip(&ALL) {
            let sql = questions.iter().map(|question| design.count(question.tokens[0]));
            print!(" {} |", median(client, sql.collect()).await);
        }
        let sql = questions
            .iter()
            .map(|question| format!("SELECT coalesce(sum(n), 0) FROM tally WHERE token = {}", question.tokens[0]));
        println!(" {} |", median(&clients[0], sql.collect()).await);
    }
}

fn names() -> String {
    ALL.iter().map(|design| design.name).collect::<Vec<_>>().join(" | ")
}

/// The median time of statements, each asked twice: the first time brings its pages into memory.
async fn median(client: &Client, statements: Vec<String>) -> String {
    let mut times: Vec<Duration> = Vec::new();
    for statement in &statements {
        client.simple_query(statement).await.unwrap();
        let begun = Instant::now();
        client.simple_query(statement).await.unwrap();
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    times.get(times.len() / 2).map_or("none such".to_owned(), |time| format!("{:.2}", time.as_secs_f64() * 1_000.0))
}
