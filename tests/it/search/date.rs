//! Dates: nine prefixes over dates, times, instants and periods of any precision. <https://hl7.org/fhir/R4/search.html#date>

use super::{all_find, all_ignored, all_refused, holding, resource};
use serde_json::{Value, json};

fn encounter(id: &str, period: Value) -> Value {
    let location = json!([{"location": {"reference": "Location/l"}, "period": period}]);
    resource(
        "Encounter",
        id,
        json!({"status": "finished", "class": {"code": "AMB"}, "period": period, "location": location}),
    )
}

/// What a search of each spelling of a date parameter finds: one that the resource's own row holds, and one of the index.
async fn each_finds(resources: Vec<Value>, spellings: &[&str], rows: &[(&str, &str)]) {
    let server = holding(resources).await;
    let searches: Vec<(String, &str)> = rows
        .iter()
        .flat_map(|(value, expected)| spellings.iter().map(move |spelling| (format!("{spelling}={value}"), *expected)))
        .collect();
    let rows: Vec<(&str, &str)> = searches.iter().map(|(search, expected)| (search.as_str(), *expected)).collect();
    all_find(&server, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn periods_are_compared_as_the_pages_tables_say() {
    let resources = vec![
        encounter("closed", json!({"start": "2013-01-10", "end": "2013-01-14"})),
        encounter("day", json!({"start": "2013-03-14T08:00:00Z", "end": "2013-03-14T09:00:00Z"})),
        encounter("before", json!({"end": "2013-01-21"})),
        encounter("from-21-jan", json!({"start": "2013-01-21"})),
        encounter("from-15-mar", json!({"start": "2013-03-15"})),
        encounter("from-2015", json!({"start": "2015-06-15"})),
    ];
    let rows = [
        ("2013-03-14", "day"),
        ("eq2013-03", "day"),
        ("eq2013", "closed day"),
        ("ne2013-03-14", "before closed from-15-mar from-2015 from-21-jan"),
        ("gt2013-03-14", "from-15-mar from-2015 from-21-jan"),
        ("ge2013-03-14", "day from-15-mar from-2015 from-21-jan"),
        ("lt2013-03-14", "before closed from-21-jan"),
        ("le2013-03-14", "before closed day from-21-jan"),
        ("sa2013-03-14", "from-15-mar from-2015"),
        ("eb2013-03-14", "before closed"),
        // A tenth of the time since then, more than a year: what begins in 2015 is too far.
        ("ap2013-03-14", "before closed day from-15-mar from-21-jan"),
        ("ge2013-01-12&date=le2013-01-13", "before closed"),
        ("2013-03-14,sa2015-01", "day from-2015"),
    ];
    each_finds(resources, &["Encounter?date", "Encounter?location-period"], &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_are_as_long_as_their_precision() {
    let observation = |id: &str, member: &str, value: Value| {
        let mut whole = resource("Observation", id, json!({"status": "final", "code": {"coding": [{"code": "x"}]}}));
        whole[format!("effective{member}")] = value;
        whole
    };
    let timing = json!({"event": ["2013-01-12", "2013-01-14T12:00:00Z"]});
    let resources = vec![
        observation("year", "DateTime", json!("2013")),
        observation("month", "DateTime", json!("2013-01")),
        observation("day", "DateTime", json!("2013-01-14")),
        observation("midnight", "DateTime", json!("2013-01-14T00:00:00Z")),
        observation("ten", "DateTime", json!("2013-01-14T10:00:00Z")),
        observation("next", "DateTime", json!("2013-01-15T00:00:00Z")),
        observation("zone", "DateTime", json!("2013-01-14T23:30:00-05:00")),
        observation("instant", "Instant", json!("2013-01-14T10:00:00.250Z")),
        observation("timing", "Timing", timing),
    ];
    let rows = [
        // The page's examples for 14 January 2013.
        ("eq2013-01-14", "day instant midnight ten"),
        ("ne2013-01-14", "month next timing year zone"),
        ("lt2013-01-14T10:00", "day midnight month timing year"),
        ("gt2013-01-14T10:00", "day month next timing year zone"),
        ("2013-01", "day instant midnight month next ten timing zone"),
        ("2013", "day instant midnight month next ten timing year zone"),
        ("2013-01-14T10:00:00Z", "instant ten"),
        ("2013-01-14T10:00:00.250Z", "instant"),
        ("2013-01-14T12:00:00%2B02:00", "instant ten"),
        ("2013-01-15T04:30:00Z", "zone"),
        ("ge2013-01-15", "month next year zone"),
        ("le2013-01-13", "month timing year"),
        ("sa2013-01-14", "next zone"),
        ("eb2013-01-14", ""),
        ("eb2013-01-15", "day instant midnight ten timing"),
        ("sa2012", "day instant midnight month next ten timing year zone"),
        ("lt2013", ""),
        ("gt2013", ""),
        ("ge2013&date=le2013", "day instant midnight month next ten timing year zone"),
    ];
    each_finds(resources, &["Observation?date"], &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn birthdays_and_the_days_of_the_year_are_found_at_their_ends() {
    let born = |id: &str, date: &str| resource("Patient", id, json!({"birthDate": date}));
    let resources =
        vec![born("eve", "1999-12-31"), born("new", "2000-01-01"), born("leap", "2000-02-29"), born("year", "2000")];
    let rows = [
        ("2000", "leap new year"),
        ("2000-02", "leap"),
        ("2000-02-29", "leap"),
        ("1999-12-31", "eve"),
        ("lt2000", "eve"),
        ("le2000-01-01", "eve new year"),
        ("gt1999", "leap new year"),
        ("ge2000-02-29", "leap year"),
        ("sa1999-12-31", "leap new year"),
        ("eb2000", "eve"),
        ("ge1900&birthdate=lt2000-01-02", "eve new year"),
    ];
    each_finds(resources, &["Patient?birthdate"], &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_date_is_refused_with_parameter_and_value() {
    let server = holding([resource("Patient", "p", json!({"birthDate": "2000-01-01"}))]).await;
    let rows = [
        ("Patient?birthdate=soon", "birthdate", "'soon'"),
        ("Patient?birthdate=2000-13", "birthdate", "'2000-13'"),
        ("Patient?birthdate=2000-02-30", "birthdate", "'2000-02-30'"),
        ("Patient?birthdate=xx2000", "birthdate", "'xx2000'"),
        ("Patient?birthdate=ge", "birthdate", "'ge'"),
        ("Patient?birthdate=2000,", "birthdate", "'2000,'"),
        ("Patient?birthdate=2000-01-01T25:00", "birthdate", "T25:00"),
        ("Patient?_lastUpdated=yesterday", "_lastUpdated", "'yesterday'"),
    ];
    all_refused(&server, &rows).await;
    all_ignored(&server, &[("Patient?birthdate:exact=2000", "birthdate:exact", "no modifier ':exact'")]).await;
}
