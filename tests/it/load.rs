//! `brasa load` as an operator runs it: the real binary on the test's database, read back over HTTP.

use crate::support::Server;
use crate::support::database::TestDatabase;
use brasa::fhir::bundle::Bundle;
use brasa::fhir::definitions::ResourceType;
use brasa::fhir::json::{Json, Object, parse};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// A working folder of one load, removed at the end.
struct Desk {
    folder: PathBuf,
    url: String,
}

/// What a run of the binary left.
struct Run {
    code: Option<i32>,
    summary: String,
    told: String,
    rejects: Vec<Value>,
}

impl Run {
    #[track_caller]
    fn expect(self, code: i32) -> Run {
        assert_eq!(self.code, Some(code), "{}\n{}", self.summary, self.told);
        self
    }

    /// The numbers of a row: created, updated, refused.
    #[track_caller]
    fn row(&self, name: &str) -> [usize; 3] {
        let line = self.summary.lines().find(|line| line.split_whitespace().next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("no row {name} in:\n{}", self.summary));
        let numbers: Vec<usize> =
            line.split_whitespace().skip(1).map(|number| number.replace(',', "").parse().unwrap()).collect();
        numbers.try_into().unwrap()
    }
}

impl Desk {
    fn new(database: &TestDatabase) -> Desk {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("brasa-load-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Desk { folder, url: database.url() }
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.brasa("load", arguments)
    }

    fn brasa(&self, subcommand: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_brasa"));
        command.arg(subcommand).args(arguments).current_dir(&self.folder).kill_on_drop(true);
        command
            .env("BRASA_DATABASE_URL", &self.url)
            .env("BRASA_SHARD_COUNT", "4")
            .env("BRASA_VALIDATION", "off")
            .env("BRASA_LOG", "warn");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn load(&self, arguments: &[&str]) -> Run {
        self.load_with(arguments, b"").await
    }

    async fn load_with(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut child = self.command(arguments).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input).await.unwrap();
        drop(stdin);
        self.ended(child).await
    }

    async fn ended(&self, child: Child) -> Run {
        let output = child.wait_with_output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let rejects = std::fs::read_to_string(self.folder.join("brasa-rejects.ndjson")).unwrap_or_default();
        let rejects = rejects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Run { code: output.status.code(), summary: text(output.stdout), told: text(output.stderr), rejects }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_parameter_that_is_loaded_is_answered_by_the_server_that_runs() {
    let server = Server::start().await;
    let desk = Desk::new(&server.database);
    let parameter = |code: &str, expression: &str| {
        json!({"resourceType": "SearchParameter", "url": format!("urn:test:{code}"), "status": "active", "code": code,
            "base": ["Patient"], "type": "string", "expression": expression})
    };
    let patient = json!({"resourceType": "Patient", "name": [{"suffix": ["Jr."]}]});
    let lines = [parameter("suffix", "Patient.name.suffix"), patient, parameter("wrong", "Patient.nome.suffix")];
    let run = desk.load_with(&["-"], lines.map(|line| line.to_string()).join("\n").as_bytes()).await.expect(1);
    assert_eq!((run.row("SearchParameter"), run.row("Patient")), ([1, 0, 1], [1, 0, 0]), "{}", run.summary);
    assert!(run.rejects[0].to_string().contains("SearchParameter.expression"), "{}", run.rejects[0]);
    let started = std::time::Instant::now();
    loop {
        let answer = server.get_with("Patient?suffix=jr", &[("prefer", "handling=strict")]).await;
        if answer.status == 200 {
            assert_eq!(answer.entries().len(), 1, "{}", answer.text);
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{}", answer.text);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// Observations with numbered ids, one a line.
fn observations(numbers: std::ops::Range<usize>) -> String {
    let mut text = String::new();
    for number in numbers {
        let value = format!(r#""valueQuantity":{{"value":{number}.00}}"#);
        writeln!(text, r#"{{"resourceType":"Observation","id":"o{number}","status":"final",{value}}}"#).unwrap();
    }
    text
}

/// How many versions there are of a type, superseded ones included.
async fn versions(server: &Server, resource_type: &str) -> usize {
    stored(server, &format!("{resource_type}/_history")).await.len()
}

/// How many rows the planner takes the index of tokens to have, on Citus over all shards.
async fn entries_known_to_the_planner(server: &Server) -> i64 {
    const PLAIN: &str = "SELECT reltuples::bigint FROM pg_class WHERE oid = 'search_token'::regclass";
    const CITUS: &str = "SELECT sum(result::bigint)::bigint FROM run_command_on_shards('search_token', \
        $$ SELECT reltuples::bigint FROM pg_class WHERE oid = '%s'::regclass $$)";
    let database = server.database.connect().await;
    let sql = if server.database.is_citus() { CITUS } else { PLAIN };
    database.query_one(sql, &[]).await.unwrap().get(0)
}

/// The resources of a history, as they were sent.
async fn stored(server: &Server, path: &str) -> Vec<Object> {
    let mut resources = Vec::new();
    let mut next = Some(format!("{path}?_count=1000"));
    while let Some(path) = next {
        let page = server.get(&path).await.expect(200).text;
        resources.extend(resources_of(page.as_bytes()).into_iter().map(|(_, resource)| resource));
        let page: Value = serde_json::from_str(&page).unwrap();
        let link = page["link"].as_array().and_then(|links| links.iter().find(|link| link["relation"] == "next"));
        next = link.map(|link| link["url"].as_str().unwrap().to_owned());
    }
    resources
}

/// The resources of a Bundle with their fullUrls, their digits and the order of their members kept.
fn resources_of(text: &[u8]) -> Vec<(Option<String>, Object)> {
    let bundle = Bundle::read(text, 64, usize::MAX).unwrap();
    let entries = bundle.entries.into_iter();
    let read = |entry: brasa::fhir::bundle::Entry| {
        let Json::Object(resource) = parse(&text[entry.resource.unwrap()], 64).unwrap() else { panic!("no object") };
        (entry.full_url.map(|url| url.to_string()), resource)
    };
    entries.map(read).collect()
}

/// A resource without what the server owns and with its references to other entries made alike; and these references.
fn comparable(mut resource: Object, types: &HashMap<String, String>) -> (String, Vec<String>) {
    resource.remove("id");
    let mut is_bare = false;
    if let Some(Json::Object(meta)) = resource.get_mut("meta") {
        meta.remove("versionId");
        meta.remove("lastUpdated");
        is_bare = meta.is_empty();
    }
    if is_bare {
        resource.remove("meta");
    }
    let mut references = Vec::new();
    let mut resource = Json::Object(resource);
    each_text(&mut resource, "", &mut |name, text| {
        let local = text.split_once('/').map(|(name, _)| name).filter(|_| name == "reference");
        let local = local.filter(|name| ResourceType::parse(name).is_some()).map(str::to_owned);
        let target = types.get(text).cloned().or(local)?;
        references.push(text.to_string());
        Some(format!("{target}/*"))
    });
    (String::from_utf8(resource.to_bytes()).unwrap(), references)
}

fn each_text(json: &mut Json, name: &str, change: &mut impl FnMut(&str, &str) -> Option<String>) {
    match json {
        Json::String(text) => {
            if let Some(changed) = change(name, text) {
                *json = Json::string(changed);
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| each_text(item, name, change)),
        Json::Object(object) => object.iter_mut().for_each(|(name, value)| each_text(value, name, change)),
        _ => {}
    }
}

fn synthea() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/synthea")
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_patients_load_completely_and_each_resource_is_read_back_as_it_was_sent() {
    let server = Server::start().await;
    let desk = Desk::new(&server.database);
    let run = desk.load(&[synthea().to_str().unwrap()]).await.expect(0);
    assert_eq!(run.row("Total"), [26_895, 0, 0], "{}", run.summary);
    assert_eq!(run.row("Patient"), [12, 0, 0]);
    assert!(!desk.folder.join("brasa-rejects.ndjson").exists(), "nothing was refused");
    assert!(entries_known_to_the_planner(&server).await > 100_000);

    let mut sent = Vec::new();
    let mut types = HashMap::new();
    for file in std::fs::read_dir(synthea()).unwrap() {
        let mut text = Vec::new();
        GzDecoder::new(std::fs::File::open(file.unwrap().path()).unwrap()).read_to_end(&mut text).unwrap();
        for (url, resource) in resources_of(&text) {
            types.insert(url.clone().unwrap(), resource.get_str("resourceType").unwrap().to_owned());
            sent.push((url.unwrap(), resource));
        }
    }
    let mut by_text: HashMap<String, Vec<(String, Vec<String>)>> = HashMap::new();
    for resource in stored(&server, "_history").await {
        let name = format!("{}/{}", resource.get_str("resourceType").unwrap(), resource.get_str("id").unwrap());
        let (text, references) = comparable(resource, &HashMap::new());
        by_text.entry(text).or_default().push((name, references));
    }
    // Each sent text is there as often as it was sent; who is alone with a text tells what became of a urn.
    let shared: HashSet<String> =
        by_text.iter().filter(|(_, found)| found.len() > 1).map(|(text, _)| text.clone()).collect();
    let (mut pairs, mut became) = (Vec::new(), HashMap::new());
    for (url, resource) in sent {
        let (text, references) = comparable(resource, &types);
        let found = by_text.get_mut(&text).unwrap_or_else(|| panic!("{url} was not read back as it was sent: {text}"));
        let (name, stored_references) = found.pop().unwrap_or_else(|| panic!("{url} is missing"));
        if !shared.contains(&text) {
            became.insert(url, name);
            pairs.push((references, stored_references));
        }
    }
    assert!(by_text.values().all(Vec::is_empty), "more is stored than was sent");
    let mut followed = 0;
    for (sent, stored) in pairs {
        assert_eq!(sent.len(), stored.len());
        for (sent, stored) in sent.iter().zip(&stored) {
            let Some(name) = became.get(sent) else { continue };
            assert_eq!(name, stored, "the reference {sent} leads elsewhere");
            followed += 1;
        }
    }
    assert!(followed > 20_000, "{followed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_not_loaded_again_with_resume_and_is_without_it() {
    let server = Server::start().await;
    let desk = Desk::new(&server.database);
    let entry = |n: usize| json!({"resource": {"resourceType": "Basic", "code": {"text": n.to_string()}}, "request": {"method": "POST", "url": "Basic"}});
    let bundle = |kind: &str, entries: Vec<Value>| json!({"resourceType": "Bundle", "type": kind, "entry": entries});
    desk.file("in/a/batch.json", bundle("batch", (0..120).map(entry).collect()).to_string());
    desk.file("in/b/transaction.json.gz", gzip(bundle("transaction", vec![entry(1), entry(2)]).to_string()));
    desk.file("in/c.ndjson", "{\"resourceType\":\"Basic\",\"code\":{\"text\":\"1.00\"}}\n".repeat(700));
    desk.file("in/d.json", json!({"resourceType": "Basic", "code": {"text": "single"}}).to_string());
    desk.file("in/notes.txt", "not for loading");
    let first = desk.load(&["in"]).await.expect(0);
    assert_eq!(first.row("Basic"), [823, 0, 0]);
    let again = desk.load(&["in", "--resume"]).await.expect(0);
    assert_eq!(again.row("Total"), [0, 0, 0]);
    assert!(again.summary.contains("823 resources were stored already."), "{}", again.summary);
    assert_eq!(versions(&server, "Basic").await, 823);
    // The same text is known without gzip, too, and from standard input; one that has grown is loaded from there on.
    let text = "{\"resourceType\":\"Basic\",\"code\":{\"text\":\"1.00\"}}\n".repeat(700);
    desk.load_with(&["-", "--resume"], &gzip(&text)).await.expect(0);
    assert_eq!(versions(&server, "Basic").await, 823);
    desk.load(&["in/b"]).await.expect(0);
    assert_eq!(versions(&server, "Basic").await, 825);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_load_goes_on_with_resume_and_stores_nothing_twice() {
    for signal in ["INT", "KILL"] {
        let server = Server::start().await;
        let desk = Desk::new(&server.database);
        let line = |n: usize| format!("{{\"resourceType\":\"Basic\",\"code\":{{\"text\":\"{n}\"}}}}\n");
        let text: String = (0..2_600).map(line).collect();
        let mut child = desk.command(&["-", "--jobs", "2"]).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // The rest does not come until the load is interrupted.
        stdin.write_all(&text.as_bytes()[..text.len() / 2]).await.unwrap();
        stdin.flush().await.unwrap();
        while versions(&server, "Basic").await < 500 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let pid = child.id().unwrap();
        Command::new("sh").args(["-c", &format!("kill -s {signal} {pid}")]).status().await.unwrap();
        let run = desk.ended(child).await;
        drop(stdin);
        if signal == "INT" {
            assert!(run.summary.contains("--resume"), "{}", run.summary);
            run.expect(130);
        }
        let before = versions(&server, "Basic").await;
        assert!((500..2_600).contains(&before), "{before}");
        let resumed = desk.load_with(&["-", "--resume"], text.as_bytes()).await.expect(0);
        assert_eq!(resumed.row("Total"), [2_600 - before, 0, 0]);
        assert_eq!(versions(&server, "Basic").await, 2_600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_line_is_rejected_with_its_reason_and_the_others_are_loaded() {
    let server = Server::start().await;
    let desk = Desk::new(&server.database);
    let mut text = observations(0..300);
    text.push_str("{\"resourceType\":\"Observation\",\"id\":\"twice\",\"status\":\"final\",\"status\":\"final\"}\n");
    text.push_str("not json\r\n\n");
    text.push_str("{\"resourceType\":\"Pacient\",\"id\":\"p\"}\n");
    text.push_str("{\"resourceType\":\"Observation\",\"id\":\"no id\",\"valueQuantity\":{\"value\":1.00}}\n");
    text.push_str(&observations(300..600));
    desk.file("a.ndjson", &text);
    let run = desk.load(&["a.ndjson"]).await.expect(1);
    assert_eq!(run.row("Observation"), [600, 0, 1]);
    assert_eq!(run.row("Total"), [600, 0, 4]);
    let mut told: Vec<_> = run
        .rejects
        .iter()
        .map(|reject| (reject["line"].as_u64().unwrap(), reject["issue"]["expression"][0].as_str().unwrap_or_default()))
        .collect();
    told.sort_unstable();
    assert_eq!(told, [(301, "Observation.status"), (302, ""), (304, "resourceType"), (305, "Observation.id")]);
    assert!(run.rejects.iter().all(|reject| reject["source"] == "a.ndjson" && reject["status"] == 400));
    let raw = std::fs::read_to_string(desk.folder.join("brasa-rejects.ndjson")).unwrap();
    assert!(
        raw.contains(
            "\"input\":{\"resourceType\":\"Observation\",\"id\":\"no id\",\"valueQuantity\":{\"value\":1.00}}"
        )
    );
    assert!(run.rejects.iter().any(|reject| reject["input"] == "not json\r\n"), "{raw}");
    assert!(server.get("Observation/o599").await.expect(200).text.contains("\"value\":599.00"));

    // Mended, the file of rejects is loaded as it is; and what was stored beside the bad ones is known.
    let mended = raw.lines().filter(|line| line.contains("no id")).collect::<String>().replace("no id", "mended");
    desk.file("mended.ndjson", mended);
    desk.load(&["mended.ndjson"]).await.expect(0);
    server.get("Observation/mended").await.expect(200);
    let again = desk.load(&["a.ndjson", "--resume"]).await.expect(1);
    assert_eq!(again.row("Total"), [0, 0, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn later_lines_of_one_resource_are_its_later_versions() {
    let server = Server::start().await;
    let desk = Desk::new(&server.database);
    let line =
        |n: usize| format!("{{\"resourceType\":\"Basic\",\"id\":\"b{}\",\"code\":{{\"text\":\"{n}\"}}}}\n", n % 300);
    let text: String = (0..1_500).map(line).collect();
    let run = desk.load_with(&["-", "--jobs", "8"], text.as_bytes()).await.expect(0);
    assert_eq!(run.row("Basic"), [300, 1_200, 0]);
    for number in [0, 17, 299] {
        let read = server.get(&format!("Basic/b{number}")).await.expect(200).json();
        assert_eq!(read["code"]["text"], (1_200 + number).to_string());
        assert_eq!(read["meta"]["versionId"], "5");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_standard_input_are_read_plain_or_gzip_whatever_their_names_say() {
    let server = Server::start().await;
    let desk = Desk::new(&server.database);
    desk.file("named-plain.ndjson", gzip(observations(0..10)));
    desk.file("named-gzip.ndjson.gz", observations(10..20));
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"resource": {"resourceType": "Observation", "id": "b"}, "request": {"method": "PUT", "url": "Observation/b"}}]});
    desk.file("without-a-form", format!("{batch:#}"));
    desk.file("marked.json", format!("\u{feff}{}", json!({"resourceType": "Observation", "id": "m"})));
    let files = ["named-plain.ndjson", "named-gzip.ndjson.gz", "without-a-form", "marked.json", "-"];
    let run = desk.load_with(&files, &gzip(observations(20..30))).await.expect(0);
    assert_eq!(run.row("Observation"), [32, 0, 0]);
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": batch["entry"]});
    let run = desk.load_with(&["-"], bundle.to_string().as_bytes()).await.expect(0);
    assert_eq!(run.row("Observation"), [0, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_cannot_be_read_is_named_with_its_reason_and_the_others_go_on() {
    let server = Server::start().await;
    let desk = Desk::new(&server.database);
    let mut cut = gzip(observations(0..600));
    cut.truncate(cut.len() - 40);
    desk.file("in/cut.ndjson.gz", cut);
    desk.file("in/empty.json", " \n");
    desk.file("in/good.json", json!({"resourceType": "Basic", "code": {"text": "good"}}).to_string());
    desk.file("in/large.json.gz", gzip(format!("{{\"resourceType\":\"Basic\",\"x\":\"{}\"}}", "x".repeat(3 << 20))));
    desk.file("in/not.json", "<Patient/>");
    desk.file("in/search.json", json!({"resourceType": "Bundle", "type": "searchset"}).to_string());
    let mut command = desk.command(&["in", "missing.json"]);
    let run = desk.ended(command.env("BRASA_BODY_BYTES_MAX", "2MiB").spawn().unwrap()).await.expect(1);
    assert_eq!(run.row("Basic"), [1, 0, 0]);
    let reason = |source: &str| {
        let reject = run.rejects.iter().find(|reject| reject["source"] == source);
        reject.unwrap_or_else(|| panic!("{source} is not told")).clone()
    };
    for (source, status, words) in [
        ("in/cut.ndjson.gz", 400, "From line "),
        ("in/empty.json", 400, "empty"),
        ("in/large.json.gz", 413, "2097152 bytes"),
        ("in/not.json", 400, "object was expected"),
        ("in/search.json", 400, "Only a transaction or a batch"),
        ("missing.json", 400, "No such file"),
    ] {
        let reject = reason(source);
        assert_eq!(reject["status"], status, "{reject}");
        assert!(reject["issue"]["diagnostics"].as_str().unwrap().contains(words), "{reject}");
        assert!(run.told.contains(source), "{}", run.told);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_entry_of_a_batch_is_rejected_and_a_transaction_with_one_is_rejected_whole() {
    let server = Server::start().await;
    let desk = Desk::new(&server.database);
    let entries = json!([
        {"resource": {"resourceType": "Basic", "id": "good"}, "request": {"method": "PUT", "url": "Basic/good"}},
        {"resource": {"resourceType": "Basic", "id": "one"}, "request": {"method": "PUT", "url": "Basic/other"}},
    ]);
    desk.file("batch.json", json!({"resourceType": "Bundle", "type": "batch", "entry": entries}).to_string());
    let run = desk.load(&["batch.json"]).await.expect(1);
    assert_eq!(run.row("Basic"), [1, 0, 1]);
    assert_eq!(run.rejects[0]["entry"], 1);
    assert_eq!(run.rejects[0]["issue"]["expression"][0], "Bundle.entry[1].Basic.id");
    desk.file("mended.ndjson", run.rejects[0]["input"].to_string().replace("Basic/other", "Basic/one"));
    desk.load(&["mended.ndjson"]).await.expect(0);
    server.get("Basic/one").await.expect(200);

    desk.file(
        "transaction.json",
        json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}).to_string(),
    );
    let run = desk.load(&["transaction.json"]).await.expect(1);
    assert_eq!(run.row("Total"), [0, 0, 1]);
    assert!(run.rejects[0]["issue"]["expression"][0].as_str().unwrap().starts_with("Bundle.entry[1]"));
    assert_eq!(server.get("Basic/good").await.expect(200).json()["meta"]["versionId"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dictionary_is_trained_on_what_is_stored_and_a_running_server_reads_what_it_wrote() {
    let server = Server::start().await;
    let desk = Desk::new(&server.database);
    desk.load_with(&["-"], observations(0..200).as_bytes()).await.expect(0);
    let too_few = desk.ended(desk.brasa("dictionary", &["train"]).spawn().unwrap()).await;
    assert!(too_few.told.contains("200 bodies are too few"), "{}", too_few.told);
    too_few.expect(1);
    let more = desk.load_with(&["-"], observations(200..2_000).as_bytes()).await;
    more.expect(0);
    let trained = desk.ended(desk.brasa("dictionary", &["train"]).spawn().unwrap()).await.expect(0);
    assert!(trained.told.contains("Stored as dictionary 2"), "{}", trained.told);
    desk.load_with(&["-"], observations(2_000..2_010).as_bytes()).await.expect(0);
    let client = server.database.connect().await;
    let rows = client.query("SELECT get_byte(body, 0) FROM resource WHERE id = 'o2001'", &[]).await.unwrap();
    assert_eq!(rows[0].get::<_, i32>(0), 2, "new bodies are written with it");
    assert!(server.get("Observation/o2001").await.expect(200).text.contains("\"value\":2001.00"));
    assert!(server.get("Observation/o1").await.expect(200).text.contains("\"value\":1.00"));
}
