//! The whole way with a library that apps use, in a real browser: `tests/e2e/smart.mjs`.

use super::hospital;
use crate::accounts::PASSWORD;
use crate::support::node::{folder, installed, node, not_tested, run};
use serde_json::{Value, json};
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn an_app_of_a_real_library_in_a_real_browser_goes_the_whole_way() {
    let needed = (node().await, installed(&["chromium", "chromium-browser", "google-chrome"]));
    let (Some(node), Some(chromium)) = needed else { return not_tested("a SMART app in a browser") };
    let hospital = hospital().await;
    // A port that is free now, for the app to be registered at.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let wanted = json!({"name": "Curvas de crecimiento", "kind": "public",
        "redirect_uris": [format!("http://localhost:{port}/")],
        "scopes": "openid fhirUser launch/patient offline_access patient/*.rs"});
    let app = hospital.register(wanted).await;
    let mut command = Command::new(node);
    command.arg("smart.mjs").args([&hospital.server.root, &app.id, &port]).current_dir(folder());
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
