//! Fills the designs by COPY, with the same resources at the same time, and counts what it fills them with.

use super::design::{ALL, Design};
use super::on_citus;
use super::record::{Reader, Record};
use bytes::Bytes;
use futures_util::SinkExt;
use std::collections::HashMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use tokio_postgres::{Client, CopyInSink};

/// One in so many resources has a token that the counters count.
const COUNTED_ONE_IN: usize = 1_000;

/// Resources of further patients for creates, at least so many.
const FRESH: usize = 40_000;

/// What the tables hold.
pub struct Filled {
    pub resources: usize,
    pub tokens: usize,
    /// How many Observations have a value's token.
    pub observations: HashMap<i64, u32>,
    /// Tokens that many resources have, with a token for each type among them: what counters would count.
    pub counted: Vec<i64>,
    /// Resources that are not stored: for creates.
    pub fresh: Arc<Vec<Record>>,
    /// Some Observations: patient, date and values' tokens.
    pub sample: Vec<(String, i64, Vec<i64>)>,
}

type Sink = Pin<Box<CopyInSink<Bytes>>>;

/// A COPY under way, and what is to be sent next.
struct Copy {
    sink: Sink,
    text: String,
}

impl Copy {
    async fn begin(client: &Client, statement: &str) -> Copy {
        Copy { sink: Box::pin(client.copy_in(statement).await.unwrap()), text: String::new() }
    }

    async fn send(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.sink.send(Bytes::from(text)).await.unwrap();
    }

    async fn end(mut self) {
        self.send().await;
        self.sink.as_mut().finish().await.unwrap();
    }
}

/// Makes and fills the tables, or only counts when they are kept.
pub async fn fill(clients: &[Client], files: &[PathBuf], most: usize, keep: bool) -> Filled {
    if !keep {
        for (client, design) in clients.iter().zip(&ALL) {
            make(client, design).await;
        }
    }
    let mut filled = Filled {
        resources: 0,
        tokens: 0,
        observations: HashMap::new(),
        counted: Vec::new(),
        fresh: Arc::default(),
        sample: Vec::new(),
    };
    let mut frequent = HashMap::new();
    let mut fresh = Vec::new();
    let mut reader = Reader::new(1_000_000_000);
    for (number, file) in files.iter().enumerate() {
        let records = reader.read(file, number);
        if filled.resources >= most {
            fresh.extend(records);
            if fresh.len() > FRESH {
                break;
            }
            continue;
        }
        note(&mut filled, &mut frequent, &records);
        if !keep {
            for (client, design) in clients.iter().zip(&ALL) {
                copy(client, design, &records).await;
            }
        }
        if number % 20 == 0 {
            eprintln!("{} resources", filled.resources);
        }
    }
    assert!(!fresh.is_empty(), "the folder holds too few files: some must be left for creates");
    filled.fresh = Arc::new(fresh);
    filled.counted = counted(&frequent, filled.resources);
    if !keep {
        for client in clients {
            client.batch_execute("VACUUM ANALYZE").await.unwrap();
        }
    }
    filled
}

async fn make(client: &Client, design: &Design) {
    let schema = design.schema;
    client.batch_execute(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}")).await.unwrap();
    client.batch_execute(design.tables).await.unwrap();
    if !on_citus(client).await {
        return;
    }
    client.batch_execute("SET citus.shard_count = 16").await.unwrap();
    for table in ["resource", "search_token", "tally"] {
        let there = client.query_one("SELECT to_regclass($1::text) IS NOT NULL", &[&table]).await.unwrap();
        if there.get(0) {
            client.batch_execute(&format!("SELECT create_distributed_table('{table}', 'compartment')")).await.unwrap();
        }
    }
}

fn note(filled: &mut Filled, frequent: &mut HashMap<i64, u32>, records: &[Record]) {
    for record in records {
        filled.resources += 1;
        filled.tokens += record.tokens.len();
        *frequent.entry(of_type(&record.resource_type)).or_default() += 1;
        let mut values: Vec<i64> =
            record.tokens.iter().filter(|token| !token.is_reference()).map(|token| token.token).collect();
        values.sort_unstable();
        values.dedup();
        for token in &values {
            *frequent.entry(*token).or_default() += 1;
            if record.resource_type == "Observation" {
                *filled.observations.entry(*token).or_default() += 1;
            }
        }
        if record.resource_type == "Observation" && record.key % 7 == 0 {
            filled.sample.push((record.compartment.clone(), record.date, values));
        }
    }
}

/// A token that stands for a type.
pub fn of_type(resource_type: &str) -> i64 {
    brasa::search::hash::hash64(&[resource_type])
}

fn counted(frequent: &HashMap<i64, u32>, resources: usize) -> Vec<i64> {
    let least = resources / COUNTED_ONE_IN;
    let mut counted: Vec<i64> =
        frequent.iter().filter(|(_, count)| **count as usize >= least).map(|(token, _)| *token).collect();
    counted.sort_unstable();
    counted
}

async fn copy(client: &Client, design: &Design, records: &[Record]) {
    let array = if design.array(&records[0]).is_some() { ", tokens" } else { "" };
    let statement = format!("COPY resource (compartment, type, id, key, date, body{array}) FROM STDIN");
    let mut resources = Copy::begin(client, &statement).await;
    for record in records {
        resource_line(&mut resources.text, record, design.array(record));
    }
    resources.end().await;
    if !design.has_rows() {
        return;
    }
    let statement = "COPY search_token (token, date, key, param, system, compartment, code) FROM STDIN";
    let mut tokens = Copy::begin(client, statement).await;
    for record in records {
        for token in design.rows(record) {
            token_line(&mut tokens.text, record, token);
        }
    }
    tokens.end().await;
}

fn resource_line(text: &mut String, record: &Record, array: Option<Vec<i64>>) {
    let Record { compartment, resource_type, id, key, date, body, .. } = record;
    write!(text, "{compartment}\t{resource_type}\t{id}\t{key}\t{date}\t\\\\x").unwrap();
    body.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
    if let Some(array) = array {
        let list: Vec<String> = array.iter().map(i64::to_string).collect();
        write!(text, "\t{{{}}}", list.join(",")).unwrap();
    }
    text.push('\n');
}

fn token_line(text: &mut String, record: &Record, token: &super::record::Token) {
    let Record { compartment, key, date, .. } = record;
    let system = token.system.map_or("\\N".to_owned(), |system| system.to_string());
    let code = token.code.as_deref().map_or("\\N".to_owned(), |code| {
        code.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
    });
    let super::record::Token { token, param, .. } = token;
    writeln!(text, "{token}\t{date}\t{key}\t{param}\t{system}\t{compartment}\t{code}").unwrap();
}

/// Prints what the designs take on disk.
pub async fn sizes(clients: &[Client], filled: &Filled) {
    println!("| bytes a resource | all | indexes among them |\n|---|--:|--:|");
    for (client, design) in clients.iter().zip(&ALL) {
        let (total, table) = match on_citus(client).await {
            true => ("citus_total_relation_size", "citus_table_size"),
            false => ("pg_total_relation_size", "pg_table_size"),
        };
        let sql = format!(
            "SELECT sum({total}(c.oid))::bigint, sum({table}(c.oid))::bigint FROM pg_class c
             WHERE c.relnamespace = '{}'::regnamespace AND c.relname IN ('resource', 'search_token')",
            design.schema
        );
        let row = client.query_one(&sql, &[]).await.unwrap();
        let each = |bytes: i64| bytes / filled.resources as i64;
        let (all, tables): (i64, i64) = (row.get(0), row.get(1));
        println!("| {} | {} | {} |", design.name, each(all), each(all - tables));
    }
}

/// Fills the counters: resources of each patient by type and by counted token.
pub async fn tally(client: &Client, filled: &Filled, keep: bool) {
    if !keep {
        let by_token = "INSERT INTO tally SELECT compartment, token, count(DISTINCT key) FROM search_token
                        WHERE token = ANY($1) GROUP BY compartment, token";
        client.execute(by_token, &[&filled.counted]).await.unwrap();
        let types = client.query("SELECT DISTINCT type FROM resource", &[]).await.unwrap();
        for row in types {
            let resource_type: String = row.get(0);
            let by_type = "INSERT INTO tally SELECT compartment, $2::bigint, count(*) FROM resource
                           WHERE type = $1 GROUP BY compartment";
            client.execute(by_type, &[&resource_type, &of_type(&resource_type)]).await.unwrap();
        }
        client.batch_execute("VACUUM ANALYZE tally").await.unwrap();
    }
    let row = client.query_one("SELECT count(*) FROM tally", &[]).await.unwrap();
    let rows: i64 = row.get(0);
    println!("\nCounters: {} tokens and types, {rows} rows (one for each patient who has some).", filled.counted.len());
}
