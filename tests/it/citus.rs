//! What only a Citus cluster can show: distribution, plans of one shard, routing, and writes over two nodes.
//!
//! These tests run when the engine is Citus; on plain PostgreSQL there is nothing to show, and `scripts/test` says which
//! engines were tested.

use crate::support::Server;
use crate::support::database::citus_url;
use brasa::store::statement::{ALL, INSERTS};
use serde_json::{Value, json};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// Statements that may ask more than one shard, each with its reason in docs/DATA.md.
const OVER_ALL_SHARDS: &[&str] = &[
    "history_of_type_current",
    "history_of_type_superseded",
    "history_of_system_current",
    "history_of_system_superseded",
    "parameter_bodies",
    "list_for_index",
    "list_unindexed",
    "expunge/deleted",
];
/// Count over all shards, each its own rows.
const COUNTS: &[&str] = &["type_versions", "count_for_index", "count_unindexed"];
/// Copies between two shards, a part of moving a resource to another patient. Citus cannot explain such a statement; the
/// test that moves one shows that it works.
const BETWEEN_SHARDS: &[&str] = &["move_history"];

/// Tables that are kept on the coordinator: bookkeeping of the migrations, and what no clinical write must be atomic with.
const ON_COORDINATOR: &[&str] = &[
    "dictionary",
    "secret",
    "search_parameter",
    "reindex_job",
    "server",
    "account",
    "session",
    "api_key",
    "signing_key",
    "log_in_failure",
    "audit_writer",
    "audit_seal",
    "audit_month",
    "client",
    "authorization_code",
    "client_assertion",
    "password_reset",
    "refinery_schema_history",
    "citus_schema_history",
];

/// A value of each type that the statements use. Equal texts make all distribution values equal.
fn value_of(kind: &Type) -> Box<dyn ToSql + Sync> {
    match *kind {
        Type::TEXT => Box::new("x"),
        Type::INT8 => Box::new(1_i64),
        Type::BOOL => Box::new(true),
        Type::INT4 => Box::new(1_i32),
        Type::FLOAT8 => Box::new(1_f64),
        Type::INT8_ARRAY => Box::new(vec![1_i64]),
        Type::TEXT_ARRAY => Box::new(vec!["x"]),
        Type::TIMESTAMPTZ => Box::new(chrono::DateTime::UNIX_EPOCH),
        Type::BYTEA => Box::new(b"{}".as_slice()),
        ref other => panic!("a statement uses a parameter of type {other}"),
    }
}

async fn plan_of(client: &Client, sql: &str) -> String {
    let statement =
        client.prepare(&format!("EXPLAIN (COSTS off) {sql}")).await.unwrap_or_else(|fault| panic!("{sql}: {fault}"));
    let values: Vec<Box<dyn ToSql + Sync>> = statement.params().iter().map(value_of).collect();
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(AsRef::as_ref).collect();
    let rows = client.query(&statement, &values).await.unwrap_or_else(|fault| panic!("{sql}: {fault}"));
    rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_on_the_hot_path_is_one_task_on_one_shard() {
    let Some(server) = on_citus().await else { return };
    let client = server.database.connect().await;
    for statement in ALL.iter().filter(|statement| !BETWEEN_SHARDS.contains(&statement.name)) {
        let plan = plan_of(&client, statement.sql).await;
        assert!(plan.contains("Custom Scan (Citus"), "{} is not distributed:\n{plan}", statement.name);
        let one_task = plan.contains("Task Count: 1\n") && !plan.contains("Distributed Subplan");
        if COUNTS.contains(&statement.name) {
            assert!(!plan.contains("Distributed Subplan"), "{} gathers on the coordinator:\n{plan}", statement.name);
        } else if OVER_ALL_SHARDS.contains(&statement.name) {
            assert!(plan.contains("Limit"), "{} does not push its limit down:\n{plan}", statement.name);
            assert!(!plan.contains("Distributed Subplan"), "{} gathers on the coordinator:\n{plan}", statement.name);
        } else {
            assert!(one_task, "{} is not one task:\n{plan}", statement.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_compartment_are_inserted_by_one_task_however_many_they_are() {
    let Some(server) = on_citus().await else { return };
    let client = server.database.connect().await;
    for insert in INSERTS {
        for rows in [1, 2, 64] {
            let plan = plan_of(&client, &insert.sql(rows)).await;
            assert!(plan.contains("Task Count: 1\n"), "{} of {rows} rows is not one task:\n{plan}", insert.table);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_clinical_table_is_distributed_in_one_colocation_group() {
    let Some(server) = on_citus().await else { return };
    let client = server.database.connect().await;
    let rows = client
        .query(
            "SELECT c.relname::text, d.colocationid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_dist_partition d ON d.logicalrelid = c.oid \
             WHERE n.nspname = current_schema() AND c.relkind = 'r'",
            &[],
        )
        .await
        .unwrap();
    let (mut distributed, mut groups) = (0, std::collections::BTreeSet::new());
    for row in &rows {
        let (table, group): (String, Option<i32>) = (row.get(0), row.get(1));
        if ON_COORDINATOR.contains(&table.as_str()) {
            assert_eq!(group, None, "{table}");
            continue;
        }
        distributed += 1;
        groups.insert(group.unwrap_or_else(|| panic!("{table} is not distributed")));
    }
    assert_eq!((distributed, groups.len()), (12, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patients_whole_record_is_on_one_shard() {
    let Some(server) = on_citus().await else { return };
    let patient = server.post("Patient", json!({"resourceType": "Patient"})).await.expect(201).id();
    for name in ["Observation", "Encounter", "MedicationRequest"] {
        let subject = json!({"resourceType": name, "subject": {"reference": format!("Patient/{patient}")}});
        let created = server.post(name, subject).await.expect(201);
        let mut again: Value = created.json();
        again["language"] = json!("es");
        server.put(&format!("{name}/{}", created.id()), again).await.expect(200);
    }
    let client = server.database.connect().await;
    let sql = "SELECT DISTINCT get_shard_id_for_distribution_column('resource', compartment) FROM resource \
               UNION SELECT get_shard_id_for_distribution_column('resource', compartment) FROM resource_history";
    assert_eq!(client.query(sql, &[]).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_of_one_patient_go_to_the_node_that_owns_the_shard() {
    let Some(server) = on_citus().await else { return };
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.push(server.post("Patient", json!({"resourceType": "Patient"})).await.expect(201).id());
    }
    for id in &ids {
        server.get(&format!("Patient/{id}")).await.expect(200);
    }
    // Each worker has connections that the server made by itself, marked by its name and its schema.
    let client = server.database.connect().await;
    let schema: String = client.query_one("SELECT current_schema()::text", &[]).await.unwrap().get(0);
    let mut nodes_with_work = 0;
    for port in ["BRASA_TEST_CITUS_WORKER_1_PORT", "BRASA_TEST_CITUS_WORKER_2_PORT"] {
        let mut config: tokio_postgres::Config = server.database.url().parse().unwrap();
        config = on_port(&config, std::env::var(port).expect(port).parse().unwrap());
        let (worker, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND query LIKE '%FROM resource%'";
        let direct: i64 = worker.query_one(sql, &[&schema]).await.unwrap().get(0);
        nodes_with_work += i32::from(direct > 0);
    }
    assert_eq!(nodes_with_work, 2, "both workers serve reads of {schema} directly");
}

/// The same settings with another port.
fn on_port(config: &tokio_postgres::Config, port: u16) -> tokio_postgres::Config {
    let mut other = tokio_postgres::Config::new();
    other.host("127.0.0.1").port(port).user(config.get_user().unwrap()).dbname(config.get_dbname().unwrap());
    other.password(config.get_password().unwrap());
    other
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_over_two_nodes_happens_as_a_whole_or_not_at_all() {
    let Some(server) = on_citus().await else { return };
    let client = server.database.connect().await;
    let patients: Vec<Value> = (0..16)
        .map(|n| json!({"resource": {"resourceType": "Patient", "identifier": [{"value": n.to_string()}]}, "request": {"method": "POST", "url": "Patient"}}))
        .collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": patients});
    server.post("", &bundle).await.expect(200);
    let counts = async || -> (usize, usize) {
        let rows = client.query("SELECT compartment FROM resource", &[]).await.unwrap();
        let mut groups = std::collections::BTreeSet::new();
        for row in &rows {
            let sql = "SELECT groupid FROM pg_dist_placement WHERE shardid = get_shard_id_for_distribution_column('resource', $1::text)";
            let group: i32 = client.query_one(sql, &[&row.get::<_, String>(0)]).await.unwrap().get(0);
            groups.insert(group);
        }
        (rows.len(), groups.len())
    };
    assert_eq!(counts().await, (16, 2), "sixteen patients on both workers");

    let mut broken = bundle.clone();
    broken["entry"][15] = json!({"resource": {"resourceType": "Patient", "id": "nobody"},
        "request": {"method": "PUT", "url": "Patient/nobody", "ifMatch": "W/\"3\""}});
    server.post("", &broken).await.expect(412);
    assert_eq!(counts().await.0, 16, "nothing of the refused transaction is there");
    let prepared: i64 = client.query_one("SELECT count(*) FROM pg_prepared_xacts", &[]).await.unwrap().get(0);
    assert_eq!(prepared, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_changes_its_patient_moves_to_the_other_node_with_its_history() {
    let Some(server) = on_citus().await else { return };
    let of = |patient: &str| json!({"resourceType": "Observation", "id": "o", "subject": {"reference": format!("Patient/{patient}")}});
    for patient in ["a", "b", "c", "d", "e", "f"] {
        let answer = server.put("Observation/o", of(patient)).await;
        assert!([200, 201].contains(&answer.status), "{}", answer.text);
    }
    let history = server.get("Observation/o/_history").await.expect(200).json();
    assert_eq!(history["total"], 6);
    for version in 1..=6 {
        server.get(&format!("Observation/o/_history/{version}")).await.expect(200);
    }
    let client = server.database.connect().await;
    for table in ["resource", "resource_history"] {
        let rows = client.query(&format!("SELECT DISTINCT compartment FROM {table}"), &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(), ["f"], "{table}");
    }
}

async fn on_citus() -> Option<Server> {
    citus_url()?;
    Some(Server::start().await)
}
