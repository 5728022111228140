//! Programs of Node for tests that need others' real implementations: `tests/e2e`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::OnceCell;

/// The first of these programs that is installed.
pub fn installed(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().flat_map(|name| places.iter().map(move |place| place.join(name))).find(|program| program.is_file())
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e")
}

/// Node with the libraries of `tests/e2e`, where it is one that they run on and npm is there to fetch them.
pub async fn node() -> Option<PathBuf> {
    const MAJOR_MIN: u32 = 18;
    static READY: OnceCell<Option<PathBuf>> = OnceCell::const_new();
    let ready = async {
        let (node, npm) = (installed(&["node"])?, installed(&["npm"])?);
        let version = run(Command::new(&node).arg("--version"), 60).await;
        let major = version.trim().trim_start_matches('v').split('.').next()?.parse::<u32>().ok()?;
        if major < MAJOR_MIN {
            return None;
        }
        // Once for all tests; anew where the lock names what is not there.
        let lock = std::fs::read_to_string(folder().join("package-lock.json")).unwrap();
        let named = lock.lines().filter_map(|line| line.trim().strip_prefix("\"node_modules/")?.strip_suffix("\": {"));
        let is_there = |name: &str| folder().join("node_modules").join(name).is_dir();
        if !named.into_iter().all(is_there) {
            let ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
            run(Command::new(npm).args(ci).current_dir(folder()), 500).await;
        }
        Some(node)
    };
    READY.get_or_init(|| ready).await.clone()
}

/// Says past the harness, which keeps what a test prints that did not fail, that something was not tested.
pub fn not_tested(what: &str) {
    use std::io::Write;
    let said = format!("NOT TESTED: {what}; it needs node 18 or newer, npm and chromium (scripts/install-needs)\n");
    std::io::stderr().write_all(said.as_bytes()).unwrap();
}

/// Runs a program and gives what it printed; what it complains of is shown when it fails.
pub async fn run(command: &mut Command, seconds: u64) -> String {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(seconds), command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("not done after {seconds} s: {command:?}")).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}
