//! An older database under a newer binary: the migrations run over tables that hold data, on Citus over distributed ones.

use crate::support::Server;
use crate::support::bundle::{observation, put, transaction};
use serde_json::json;

/// Takes the tables back to what they were before the index had the system, repeated tokens and dates, and before
/// there were accounts.
const AS_OF_V5: &str = "
    ALTER TABLE search_token DROP COLUMN repeated;
    DROP INDEX search_token_by_token;
    CREATE INDEX search_token_by_token ON search_token (token, date, key);
    ALTER TABLE search_string DROP COLUMN date;
    ALTER TABLE search_date DROP COLUMN date;
    ALTER TABLE search_date DROP COLUMN is_long;
    CREATE INDEX search_date_by_long ON search_date (param, high) WHERE high - low > 2764800000000;
    ALTER TABLE search_number DROP COLUMN date;
    ALTER TABLE search_number DROP COLUMN is_range;
    CREATE INDEX search_number_by_range ON search_number (param, high) WHERE low < high;
    DROP TABLE audit, audit_seal, audit_writer, audit_month;
    DROP FUNCTION audit_open_month, audit_drop_month;
    DROP TABLE client_assertion, authorization_code, session, client, api_key, password_reset, account, signing_key, log_in_failure;
    DELETE FROM refinery_schema_history WHERE version > 5";

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_an_older_version_is_brought_up_to_date_with_what_it_holds() {
    let server = Server::start().await;
    let seen = |id: &str, date: &str| {
        let mut seen = observation("Patient/p");
        seen["id"] = json!(id);
        seen["effectiveDateTime"] = json!(date);
        seen["valueQuantity"] =
            json!({"value": 170, "unit": "cm", "system": "http://unitsofmeasure.org", "code": "cm"});
        seen
    };
    let entries = [seen("old", "2001-01-01"), seen("new", "2021-01-01"), seen("middle", "2011-01-01")];
    server.post("", transaction(entries.map(put))).await.expect(200);
    let database = server.stop().await;
    let client = database.connect().await;
    for statement in AS_OF_V5.split(';') {
        client.batch_execute(statement).await.unwrap();
    }
    let server = Server::on(database, &[]).await;
    let found = server.get("Observation?value-quantity=gt1.6|http://unitsofmeasure.org|m").await.expect(200);
    let ids: Vec<String> =
        found.entries().iter().map(|entry| entry["resource"]["id"].as_str().unwrap().into()).collect();
    assert_eq!(ids, ["new", "middle", "old"]);
    server.put("Observation/old", seen("old", "2031-01-01")).await.expect(200);
    let found = server.get("Observation?value-quantity=gt1.6|http://unitsofmeasure.org|m&_count=1").await.expect(200);
    assert_eq!(found.entries()[0]["resource"]["id"], "old");
}
