//! Creates a second: connections that store fresh resources one by one, design after design in turn.

use super::design::{ALL, Design};
use super::fill::{Filled, of_type};
use super::record::{Record, Token};
use super::{Arguments, connect};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

/// Fresh keys lie above those of the fill and of earlier runs.
fn first_key() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

/// What is measured: a design, and whether its writes count.
struct Side {
    name: &'static str,
    design: &'static Design,
    counted: Arc<Vec<i64>>,
}

/// Runs all designs in turn and prints the median of each.
pub async fn rounds(arguments: &Arguments, filled: &Filled) {
    let fresh = Arc::clone(&filled.fresh);
    let plain = |design: &'static Design| Side { name: design.name, design, counted: Arc::default() };
    let mut sides: Vec<Side> = ALL.iter().map(plain).collect();
    let counted = Arc::new(filled.counted.clone());
    sides.push(Side { name: "rows with counters", design: &ALL[0], counted });
    let mut rates: HashMap<&str, Vec<f64>> = HashMap::new();
    for _ in 0..arguments.rounds {
        for side in &sides {
            rates.entry(side.name).or_default().push(run(arguments, side, &fresh).await);
        }
    }
    println!("\n| creates a second, {} connections, median of {} | |\n|---|--:|", arguments.clients, arguments.rounds);
    for side in &sides {
        let rates = rates.get_mut(side.name).unwrap();
        rates.sort_by(f64::total_cmp);
        println!("| {} | {:.0} |", side.name, rates[rates.len() / 2]);
    }
}

async fn run(arguments: &Arguments, side: &Side, fresh: &Arc<Vec<Record>>) -> f64 {
    let done = Arc::new(AtomicUsize::new(0));
    let next = Arc::new(AtomicUsize::new(0));
    let key = first_key();
    let mut writers = Vec::new();
    for _ in 0..arguments.clients {
        let client = connect(&arguments.database, side.design).await;
        writers.push(Writer { client, design: side.design, counted: Arc::clone(&side.counted), known: HashMap::new() });
    }
    let begun = Instant::now();
    let end = begun + Duration::from_secs(arguments.seconds);
    let mut running = Vec::new();
    for mut writer in writers {
        let (done, next, fresh) = (Arc::clone(&done), Arc::clone(&next), Arc::clone(fresh));
        running.push(tokio::spawn(async move {
            while Instant::now() < end {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let record = &fresh[number * 7_919 % fresh.len()];
                writer.create(record, key + number as i64).await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for one in running {
        one.await.unwrap();
    }
    done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

/// A connection that creates.
struct Writer {
    client: Client,
    design: &'static Design,
    /// Tokens to count, in order.
    counted: Arc<Vec<i64>>,
    known: HashMap<String, Statement>,
}

impl Writer {
    /// One transaction of up to three statements, sent together.
    async fn create(&mut self, record: &Record, key: i64) {
        let id = format!("{}.{key}", record.compartment);
        let array = self.design.array(record);
        let rows = self.design.rows(record);
        let tally = self.tally(record);
        let insert = self.prepare(resource_insert(array.is_some())).await;
        let Record { compartment, resource_type, date, body, .. } = record;
        let mut resource: Vec<&(dyn ToSql + Sync)> = vec![compartment, resource_type, &id, &key, date, body];
        resource.extend(array.as_ref().map(|array| array as &(dyn ToSql + Sync)));
        if rows.is_empty() && tally.is_empty() {
            self.client.execute(&insert, &resource).await.unwrap();
            return;
        }
        let tokens = self.prepare(multi_row(TOKEN_INSERT, TOKEN_TYPES, rows.len(), "")).await;
        // Only the tables of the first design have counters.
        let counters = match tally.len() {
            0 => None,
            rows => Some(self.prepare(multi_row(TALLY_INSERT, TALLY_TYPES, rows, TALLY_CONFLICT)).await),
        };
        let token_values = token_values(record, &key, &rows);
        let tally_values: Vec<&(dyn ToSql + Sync)> =
            tally.iter().flat_map(|token| [compartment as &(dyn ToSql + Sync), token]).collect();
        let client = &self.client;
        let sent = futures_util::future::join5(
            client.batch_execute("BEGIN"),
            client.execute(&insert, &resource),
            client.execute(&tokens, &token_values),
            async {
                match &counters {
                    Some(counters) => client.execute(counters, &tally_values).await,
                    None => Ok(0),
                }
            },
            client.batch_execute("COMMIT"),
        );
        let (begun, stored, indexed, counted, ended) = sent.await;
        begun.and(ended).unwrap();
        stored.and(indexed).and(counted).unwrap();
    }

    /// The counters that a resource raises, in one order for all.
    fn tally(&self, record: &Record) -> Vec<i64> {
        let own = [of_type(&record.resource_type)];
        let all = record.tokens.iter().map(|token| token.token).chain(own);
        let mut all: Vec<i64> = all.filter(|token| self.counted.binary_search(token).is_ok()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    async fn prepare(&mut self, sql: String) -> Statement {
        if let Some(known) = self.known.get(&sql) {
            return known.clone();
        }
        let statement = self.client.prepare(&sql).await.unwrap();
        self.known.insert(sql, statement.clone());
        statement
    }
}

const TOKEN_INSERT: &str = "INSERT INTO search_token (token, date, key, param, system, compartment, code) VALUES ";
const TOKEN_TYPES: &[&str] = &["bigint", "bigint", "bigint", "integer", "integer", "text", "text"];
const TALLY_INSERT: &str = "INSERT INTO tally (compartment, token, n) VALUES ";
const TALLY_TYPES: &[&str] = &["text", "bigint", "1"];
const TALLY_CONFLICT: &str = " ON CONFLICT (compartment, token) DO UPDATE SET n = tally.n + 1";

fn resource_insert(array: bool) -> String {
    let (column, value) = if array { (", tokens", ", $7") } else { ("", "") };
    format!(
        "INSERT INTO resource (compartment, type, id, key, date, body{column}) VALUES ($1, $2, $3, $4, $5, $6{value})"
    )
}

/// An INSERT of several rows; a type that is a number stands for itself.
fn multi_row(start: &str, types: &[&str], rows: usize, end: &str) -> String {
    let mut next = 0;
    let mut value = |name: &&str| match name.parse::<i64>() {
        Ok(_) => (*name).to_owned(),
        Err(_) => {
            next += 1;
            format!("${next}::{name}")
        }
    };
    let rows: Vec<String> =
        (0..rows).map(|_| format!("({})", types.iter().map(&mut value).collect::<Vec<_>>().join(", "))).collect();
    format!("{start}{}{end}", rows.join(", "))
}

fn token_values<'a>(record: &'a Record, key: &'a i64, rows: &[&'a Token]) -> Vec<&'a (dyn ToSql + Sync)> {
    let row = |token: &&'a Token| -> [&'a (dyn ToSql + Sync); 7] {
        let Token { token, param, system, code } = *token;
        [token, &record.date, key, param, system, &record.compartment, code]
    };
    rows.iter().flat_map(row).collect()
}
