//! `brasa health`: asks the server of this machine, so that a probe needs no other program.

use crate::config::Settings;
use crate::error::{Error, Result};
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A probe that takes longer has failed.
const DEADLINE: Duration = Duration::from_secs(5);

pub async fn run(settings: &Settings, ready: bool) -> Result<ExitCode> {
    let path = if ready { "/ready" } else { "/health" };
    let answer = tokio::time::timeout(DEADLINE, ask(settings, path)).await;
    let status = answer.map_err(|_| Error::busy(1).caused_by("no answer within 5 s"))??;
    Ok(if status.starts_with("HTTP/1.1 200") { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The status line of the answer. One request over one connection needs no HTTP library.
async fn ask(settings: &Settings, path: &str) -> Result<String> {
    let unreachable =
        |fault: std::io::Error| Error::invalid(format!("No server answers on {}: {fault}.", settings.listen));
    let mut stream = TcpStream::connect(settings.listen).await.map_err(unreachable)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(unreachable)?;
    let mut answer = vec![0; 64];
    let length = stream.read(&mut answer).await.map_err(unreachable)?;
    answer.truncate(length);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
