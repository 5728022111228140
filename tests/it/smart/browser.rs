//! The whole way with a library that apps use, in a real browser: `tests/e2e/smart.mjs`.

use super::hospital;
use crate::accounts::PASSWORD;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// The first of these programs that is installed.
fn installed(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().flat_map(|name| places.iter().map(move |place| place.join(name))).find(|program| program.is_file())
}

/// Node, where it is one that the driver of the browser runs on.
async fn node() -> Option<PathBuf> {
    const MAJOR_MIN: u32 = 18;
    let node = installed(&["node"])?;
    let version = run(Command::new(&node).arg("--version"), 60).await;
    let major = version.trim().trim_start_matches('v').split('.').next()?.parse::<u32>().ok()?;
    (major >= MAJOR_MIN).then_some(node)
}

/// Runs a program and gives what it printed; what it complains of is shown when it fails.
async fn run(command: &mut Command, seconds: u64) -> String {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(seconds), command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("not done after {seconds} s: {command:?}")).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_of_a_real_library_in_a_real_browser_goes_the_whole_way() {
    let needed = (node().await, installed(&["npm"]), installed(&["chromium", "chromium-browser", "google-chrome"]));
    let (Some(node), Some(npm), Some(chromium)) = needed else {
        // Past the harness, which keeps what a test prints that did not fail.
        let said = "NOT TESTED: a SMART app in a browser; it needs node 18 or newer, npm and chromium (scripts/install-needs)\n";
        std::io::stderr().write_all(said.as_bytes()).unwrap();
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e");
    let is_there = folder.join("node_modules/.package-lock.json").is_file();
    if !is_there {
        let ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        run(Command::new(npm).args(ci).current_dir(&folder), 500).await;
    }
    let hospital = hospital().await;
    // A port that is free now, for the app to be registered at.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let wanted = json!({"name": "Curvas de crecimiento", "kind": "public",
        "redirect_uris": [format!("http://localhost:{port}/")],
        "scopes": "openid fhirUser launch/patient offline_access patient/*.rs"});
    let app = hospital.register(wanted).await;
    let mut command = Command::new(node);
    command.arg("smart.mjs").args([&hospital.server.root, &app.id, &port]).current_dir(&folder);
    command.env("BRASA_TEST_PASSWORD", PASSWORD).env("BRASA_TEST_CHROMIUM", chromium);
    let printed = run(&mut command, 500).await;
    let seen: Value = serde_json::from_str(printed.trim()).unwrap_or_else(|fault| panic!("{fault}: {printed}"));
    for (name, value) in [
        ("patient", json!("p1")),
        ("user", json!("Patient/p1")),
        ("scope", json!("openid fhirUser launch/patient offline_access patient/Patient.r")),
        ("id", json!("p1")),
        ("other", json!(404)),
        ("observations", json!(403)),
        ("refreshed", json!("p1")),
        ("styled", json!("solid")),
        ("complained", json!([])),
        ("at", json!(format!("http://localhost:{port}"))),
    ] {
        assert_eq!(seen[name], value, "{name}: {seen}");
    }
}
