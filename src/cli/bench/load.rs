//! The load: so many connections, each sending its next request when the last one is answered.

use super::content::{PATIENTS, Requests, Row};
use super::cpu;
use crate::error::{Error, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer that takes longer has failed.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
/// An answer's head is never larger (bytes).
const HEAD_BYTES_MAX: usize = 16 << 10;

/// What one run measured, of the server or of pgbench.
#[derive(Debug, Default)]
pub struct Run {
    pub latencies_us: Vec<u64>,
    pub elapsed: Duration,
    /// Of the threads that sent the requests (µs).
    pub client_cpu_us: u64,
}

/// Where the server is and what is sent to it.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub requests: Arc<Requests>,
}

/// How many connections on how many threads.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    pub clients: u32,
    pub threads: u32,
}

/// Sends requests of one kind for so long.
pub async fn run(target: &Target, row: Row, crowd: Crowd, duration: Duration) -> Result<Run> {
    let until = Instant::now() + duration;
    let next = move |requests: &Requests, out: &mut String| {
        requests.write(row, out);
        Instant::now() < until
    };
    on_threads(target, crowd, row.status(), Arc::new(next)).await
}

/// Asks these addresses in turn for so long.
pub async fn run_paths(target: &Target, paths: &[String], crowd: Crowd, duration: Duration) -> Result<Run> {
    let until = Instant::now() + duration;
    let (paths, number) = (paths.to_vec(), AtomicUsize::new(0));
    let next = move |requests: &Requests, out: &mut String| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        requests.write_get(paths.get(number % paths.len().max(1)).map_or("", String::as_str), out);
        Instant::now() < until
    };
    on_threads(target, crowd, 200, Arc::new(next)).await
}

/// Sends one request and gives its whole answer.
pub async fn ask(target: &Target, request: &str) -> Result<(u16, Vec<u8>)> {
    Connection::open(target.address).await?.exchange(request).await
}

/// Stores the patients that reads and updates are about.
pub async fn prepare(target: &Target, crowd: Crowd) -> Result<Run> {
    let number = AtomicU32::new(0);
    let next = move |requests: &Requests, out: &mut String| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        requests.write_patient(number, out);
        number < PATIENTS
    };
    on_threads(target, crowd, 200, Arc::new(next)).await
}

/// Imports one Bundle and gives the id of its patient.
pub async fn import_one(target: &Target) -> Result<String> {
    let mut connection = Connection::open(target.address).await?;
    let mut out = String::new();
    target.requests.write(Row::Import, &mut out);
    let (status, body) = connection.exchange(&out).await?;
    let text = String::from_utf8_lossy(&body);
    let id = text.split_once(r#""location":"Patient/"#).and_then(|(_, rest)| rest.split(['/', '"']).next());
    id.map(str::to_owned).ok_or_else(|| unexpected(status, &body))
}

/// Writes the next request; `false` ends the connection instead.
type Next = Arc<dyn Fn(&Requests, &mut String) -> bool + Send + Sync>;

/// The clients have threads of their own, so that their processor time is not taken for the server's.
async fn on_threads(target: &Target, crowd: Crowd, status: u16, next: Next) -> Result<Run> {
    let started = Instant::now();
    let stop = Stop(Arc::new(AtomicBool::new(false)));
    let mut threads = Vec::new();
    for thread in 0..crowd.threads.min(crowd.clients) {
        let share = (thread..crowd.clients).step_by(usize::try_from(crowd.threads).unwrap_or(1)).count();
        let (target, next, stop) = (target.clone(), Arc::clone(&next), Arc::clone(&stop.0));
        threads.push(tokio::task::spawn_blocking(move || one_thread(&target, share, status, &next, &stop)));
    }
    let mut run = Run::default();
    for thread in threads {
        let part = thread.await.map_err(Error::internal)??;
        run.latencies_us.extend(part.latencies_us);
        run.client_cpu_us += part.client_cpu_us;
    }
    run.elapsed = started.elapsed();
    Ok(run)
}

/// Ends the threads when the benchmark is given up.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn one_thread(target: &Target, connections: usize, status: u16, next: &Next, stop: &AtomicBool) -> Result<Run> {
    let cpu_before = cpu::thread_us();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::internal)?;
    let all = (0..connections).map(|_| one_connection(target, status, next, stop));
    let parts = runtime.block_on(futures_util::future::try_join_all(all))?;
    let client_cpu_us = cpu::thread_us().saturating_sub(cpu_before);
    Ok(Run { latencies_us: parts.concat(), elapsed: Duration::ZERO, client_cpu_us })
}

async fn one_connection(target: &Target, status: u16, next: &Next, stop: &AtomicBool) -> Result<Vec<u64>> {
    let mut connection = Connection::open(target.address).await?;
    let mut out = String::new();
    let mut latencies = Vec::new();
    while next(&target.requests, &mut out) && !stop.load(Ordering::Relaxed) {
        let sent = Instant::now();
        let (answered, body) = connection.exchange(&out).await?;
        if answered != status {
            return Err(unexpected(answered, &body));
        }
        latencies.push(u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(latencies)
}

pub fn unexpected(status: u16, body: &[u8]) -> Error {
    let text: String = String::from_utf8_lossy(body).chars().take(300).collect();
    Error::invalid(format!("The server answered {status}, which ends the benchmark: {text}"))
}

/// A connection that is kept. The answers of this server always tell their length, so this is all of HTTP it takes.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Connection> {
        let unreachable = |fault| Error::invalid(format!("No server answers on {address}: {fault}."));
        let stream = TcpStream::connect(address).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(Error::internal)?;
        Ok(Connection { stream, buffer: Vec::new() })
    }

    /// Sends a request and reads its whole answer: status and body.
    async fn exchange(&mut self, request: &str) -> Result<(u16, Vec<u8>)> {
        let late = |_| Error::invalid("The server did not answer within 60 s.");
        tokio::time::timeout(ANSWER_DEADLINE, self.exchange_patiently(request)).await.map_err(late)?
    }

    async fn exchange_patiently(&mut self, request: &str) -> Result<(u16, Vec<u8>)> {
        self.stream.write_all(request.as_bytes()).await.map_err(Error::internal)?;
        self.buffer.clear();
        let head_end = loop {
            let searched = self.buffer.len().saturating_sub(3);
            self.read_more().await?;
            let fresh = self.buffer.get(searched..).unwrap_or_default();
            if let Some(at) = fresh.windows(4).position(|four| four == b"\r\n\r\n") {
                break searched + at + 4;
            }
            if self.buffer.len() > HEAD_BYTES_MAX {
                return Err(Error::invalid("The server's answer has no end of its head."));
            }
        };
        let (status, length) = read_head(self.buffer.get(..head_end).unwrap_or_default())
            .ok_or_else(|| Error::invalid("The server's answer does not tell its status and length."))?;
        while self.buffer.len() < head_end + length {
            self.read_more().await?;
        }
        Ok((status, self.buffer.split_off(head_end)))
    }

    async fn read_more(&mut self) -> Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await.map_err(Error::internal)?;
        if read == 0 {
            return Err(Error::invalid("The server closed the connection in the middle of an answer."));
        }
        Ok(())
    }
}

/// Status and length of the body.
fn read_head(head: &[u8]) -> Option<(u16, usize)> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Some((status, length?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answers_head_gives_status_and_length() {
        let head = b"HTTP/1.1 201 Created\r\netag: W/\"1\"\r\nContent-Length: 17\r\n\r\n";
        assert_eq!(read_head(head), Some((201, 17)));
        assert_eq!(read_head(b"HTTP/1.1 200 OK\r\n\r\n"), None);
        assert_eq!(read_head(b"nonsense"), None);
    }
}
