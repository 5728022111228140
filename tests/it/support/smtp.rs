//! A real SMTP server (aiosmtpd, from PyPI) with a certificate of the test's own authority.

use super::authority::Authority;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command as Blocking, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::OnceCell;

pub const USER: &str = "brasa";
pub const PASSWORD: &str = "p@ss w:rd";

pub struct SmtpServer {
    pub port: u16,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
    pub authority: Authority,
}

impl SmtpServer {
    /// `encryption`: `starttls` or `implicit`. `None`, said loudly, where there is no python3 to run it.
    pub async fn start(encryption: &str) -> Option<SmtpServer> {
        let Some(python) = python().await else {
            eprintln!("\n*** NOT TESTED: mail over SMTP ({encryption}): there is no python3 on PATH. ***\n");
            return None;
        };
        let authority = Authority::make();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/smtp.py");
        let mut child = Command::new(python)
            .args([script, encryption])
            .args([&authority.certificate, &authority.key])
            .args([USER, PASSWORD])
            .stdout(Stdio::piped())
            // It tells each handshake that a client breaks off, which is what a test is about.
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next_line().await.unwrap().expect("the mail server says its port").parse().unwrap();
        Some(SmtpServer { port, lines, _child: child, authority })
    }

    /// The next letter that it takes.
    pub async fn letter(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(120), self.lines.next_line()).await;
        let line = line.expect("a letter comes").unwrap().expect("the mail server runs");
        serde_json::from_str(&line).unwrap()
    }
}

/// Python with aiosmtpd, in an environment that is kept for the next run; `None`: there is no python3.
async fn python() -> Option<PathBuf> {
    static PYTHON: OnceCell<Option<PathBuf>> = OnceCell::const_new();
    PYTHON.get_or_init(|| async { tokio::task::spawn_blocking(install).await.unwrap() }).await.clone()
}

fn install() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("smtp-aiosmtpd-1.4.6");
    let python = folder.join("bin/python3");
    let is_there = |python: &PathBuf| {
        let asked = Blocking::new(python).args(["-c", "import aiosmtpd.smtp"]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    if is_there(&python) {
        return Some(python);
    }
    Blocking::new("python3").arg("--version").stdout(Stdio::null()).status().ok()?;
    let made = Blocking::new("python3").args(["-m", "venv", "--clear"]).arg(&folder).status().unwrap();
    assert!(made.success(), "python3 -m venv failed: install python3-venv");
    let pip = Blocking::new(&python).args(["-m", "pip", "install", "--quiet", "aiosmtpd==1.4.6"]).status().unwrap();
    assert!(pip.success() && is_there(&python), "aiosmtpd could not be installed from PyPI");
    Some(python)
}
