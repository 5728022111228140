//! `brasa package add` as an operator runs it, and how packages that mean harm are refused.

use super::{WELL, issues, needed, patient, profile};
use crate::support::Server;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;
use tokio::process::Command;

const MANIFEST: &str = r#"{"name":"example.test","version":"1.0.0","fhirVersions":["4.0.1"]}"#;

/// A package under way, of which what it is made of need not be a package.
struct Packer {
    tar: Builder<GzEncoder<Vec<u8>>>,
}

impl Packer {
    fn bare() -> Packer {
        Packer { tar: Builder::new(GzEncoder::new(Vec::new(), Compression::fast())) }
    }

    fn new() -> Packer {
        Packer::bare().file("package/package.json", MANIFEST)
    }

    fn file(self, name: &str, text: &str) -> Packer {
        self.entry(name, EntryType::Regular, text.as_bytes())
    }

    fn json(self, name: &str, value: &Value) -> Packer {
        self.file(name, &value.to_string())
    }

    /// The name as it is, which the crate's own way would mend or refuse.
    fn entry(mut self, name: &str, kind: EntryType, bytes: &[u8]) -> Packer {
        let mut header = Header::new_old();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name("package/package.json").unwrap();
        }
        header.set_cksum();
        self.tar.append(&header, bytes).unwrap();
        self
    }

    fn done(self) -> Vec<u8> {
        self.tar.into_inner().unwrap().finish().unwrap()
    }
}

struct Run {
    code: Option<i32>,
    told: String,
}

async fn add(server: &Server, package: &[u8], more: &[&str]) -> Run {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("test.tgz");
    std::fs::write(&path, package).unwrap();
    run(server, &path, more).await
}

async fn run(server: &Server, path: &Path, more: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brasa"));
    command.args(["package", "add"]).arg(path).args(more).kill_on_drop(true).stdin(Stdio::null());
    command.env("BRASA_DATABASE_URL", server.database.url()).env("BRASA_SHARD_COUNT", "4").env("BRASA_LOG", "warn");
    let output = command.output().await.unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Run { code: output.status.code(), told }
}

fn value_set() -> Value {
    json!({"resourceType": "ValueSet", "id": "colours", "url": "http://v/colours", "version": "1", "status": "active",
        "compose": {"include": [{"system": "http://c/colours", "concept": [{"code": "red"}]}]}})
}

fn named() -> Value {
    profile(
        "named",
        "Patient",
        &[
            needed("Patient.name"),
            json!({"path": "Patient.maritalStatus", "min": 0, "max": "1",
            "binding": {"strength": "required", "valueSet": "http://v/colours"}}),
        ],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packages_definitions_are_stored_once_and_checked_against_by_a_running_server() {
    let server = Server::start_with(&[("BRASA_PROFILES", "claimed")]).await;
    let parameter = json!({"resourceType": "SearchParameter", "id": "s", "url": "http://s/s", "name": "s", "status": "active",
        "description": "x", "code": "shade", "base": ["Patient"], "type": "token", "expression": "Patient.gender"});
    let package = |named: &Value| {
        Packer::new()
            .json("package/StructureDefinition-named.json", named)
            .json("package/ValueSet-colours.json", &value_set())
            .json("package/SearchParameter-s.json", &parameter)
            .json("package/example/Patient-x.json", &json!({"resourceType": "Patient", "id": "x"}))
            .file("package/.index.json", "not JSON, and not looked at")
            .file("package/readme.md", "x")
            .done()
    };
    let first = add(&server, &package(&named()), &[]).await;
    assert_eq!(first.code, Some(0), "{}", first.told);
    assert!(
        first.told.contains(
            "example.test 1.0.0: stored 1 StructureDefinition, 1 ValueSet; 0 unchanged, 0 refused, 1 left out"
        ),
        "{}",
        first.told
    );
    let of = |code: &str| {
        patient(
            "named",
            json!({"name": [{"family": "x"}],
        "maritalStatus": {"coding": [{"system": "http://c/colours", "code": code}]}}),
        )
    };
    assert_eq!(issues(&server.post("Patient/$validate", of("red")).await.expect(200)), [WELL]);
    assert_eq!(
        issues(&server.post("Patient", of("blue")).await.expect(422)),
        ["error code-invalid Patient.maritalStatus"]
    );
    // Again, it changes nothing; with one of them changed, that one.
    let again = add(&server, &package(&named()), &[]).await;
    assert!(again.code == Some(0) && again.told.contains("stored nothing; 2 unchanged"), "{}", again.told);
    let mut stricter = named();
    stricter["title"] = json!("Named");
    let changed = add(&server, &package(&stricter), &["--also", "SearchParameter"]).await;
    assert!(changed.told.contains("stored 1 SearchParameter, 1 StructureDefinition; 1 unchanged"), "{}", changed.told);
    let found = server.get("StructureDefinition?url=http://p/named").await.json();
    assert_eq!(
        (found["entry"].as_array().map(Vec::len), &found["entry"][0]["resource"]["meta"]["versionId"]),
        (Some(1), &json!("2"))
    );
    assert!(found["entry"][0]["resource"]["id"].as_str().unwrap().starts_with("named-"), "{found}");
    let patients = server.get("Patient?_summary=count").await.json();
    assert_eq!(patients["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_leads_out_links_or_is_broken_is_refused_by_name_and_leaves_nothing() {
    let server = Server::start().await;
    let whole = || Packer::new().json("package/ValueSet-colours.json", &value_set());
    let wrong = json!({"resourceType": "ValueSet", "id": "w", "url": "http://v/w", "status": "lively"});
    for (package, said) in [
        (whole().file("../evil.json", "{}").done(), "the name `../evil.json` leads out of the package"),
        (whole().file("package/../../evil.json", "{}").done(), "leads out of the package"),
        (whole().file("/etc/evil.json", "{}").done(), "the name `/etc/evil.json` is no relative name of a file"),
        (whole().entry("package/link.json", EntryType::Symlink, b"").done(), "package/link.json is a link"),
        (whole().entry("package/link.json", EntryType::Link, b"").done(), "package/link.json is a link"),
        (
            whole().entry("package/pipe.json", EntryType::Fifo, b"").done(),
            "package/pipe.json is neither a file nor a folder",
        ),
        (whole().file("package/ValueSet-broken.json", "{\"a\":").done(), "package/ValueSet-broken.json is broken: "),
        (
            whole().file("package/ValueSet-list.json", "[]").done(),
            "package/ValueSet-list.json is broken: it is an array",
        ),
        (Packer::bare().json("package/ValueSet-colours.json", &value_set()).done(), "it has no package/package.json"),
        (Packer::bare().file("package/package.json", r#"{"name":"x"}"#).done(), "says no name or no version"),
        (
            Packer::bare()
                .file("package/package.json", r#"{"name":"x","version":"1","fhirVersions":["5.0.0"]}"#)
                .done(),
            "x 1 is for FHIR 5.0.0, and this server speaks R4",
        ),
        (b"no archive at all".to_vec(), "is no package (tar and gzip)"),
        (whole().done()[..200].to_vec(), "is no package (tar and gzip)"),
    ] {
        let run = add(&server, &package, &[]).await;
        assert_eq!(run.code, Some(1), "{said}: {}", run.told);
        assert!(run.told.contains(said), "{said}: {}", run.told);
    }
    assert_eq!(server.get("ValueSet?_summary=count").await.json()["total"], 0);
    // What is no valid definition is told by its file, and the others are stored.
    let package = Packer::new()
        .json("package/ValueSet-w.json", &wrong)
        .json("package/ValueSet-colours.json", &value_set())
        .done();
    let run = add(&server, &package, &[]).await;
    assert!(
        run.code == Some(1) && run.told.contains("package/ValueSet-w.json is refused: ValueSet.status: "),
        "{}",
        run.told
    );
    assert_eq!(server.get("ValueSet?_summary=count").await.json()["total"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_unpacks_to_too_much_is_refused() {
    let server = Server::start().await;
    const MIB: u64 = 1 << 20;
    // What its head says is enough.
    let mut header = Header::new_gnu();
    header.set_path("package/ValueSet-a.json").unwrap();
    header.set_size(65 * MIB);
    header.set_cksum();
    let mut large = Packer::new();
    large.tar.append(&header, &b""[..]).unwrap();
    let large = add(&server, &large.done(), &[]).await;
    assert!(
        large.code == Some(1) && large.told.contains("package/ValueSet-a.json has more than 67108864 bytes"),
        "{}",
        large.told
    );
    // A name that would fill the memory.
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNULongName);
    header.set_path("././@LongLink").unwrap();
    header.set_size(2 * MIB);
    header.set_cksum();
    let mut long = Packer::new();
    long.tar.append(&header, std::io::Read::take(std::io::repeat(b'a'), 2 * MIB)).unwrap();
    let long = add(&server, &long.json("package/ValueSet-colours.json", &value_set()).done(), &[]).await;
    assert!(long.code == Some(0) && long.told.contains("stored nothing"), "{}", long.told);
    // Gzip inside gzip is no package, whatever it would become.
    let mut twice = GzEncoder::new(Vec::new(), Compression::fast());
    twice.write_all(&Packer::new().done()).unwrap();
    let twice = add(&server, &twice.finish().unwrap(), &[]).await;
    assert_eq!(twice.code, Some(1), "{}", twice.told);
}
