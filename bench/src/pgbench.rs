//! PostgreSQL's own bench. One process for a whole comparison, paused while others have their turn: its backends keep what
//! they have learnt of the catalogues, as the server's do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use trunkline_domain::kernel::Clock;

/// Where it connects, and as whom.
#[derive(Clone, Debug)]
pub struct Account {
    pub port: u16,
    pub role: String,
    pub password: String,
}

/// What it runs.
#[derive(Clone, Debug)]
pub struct Script {
    pub text: String,
    /// Prepared once per connection; else parsed each time, which it must be where the text names the ISP.
    pub prepared: bool,
    /// Settings of its connections, as in `PGOPTIONS`.
    pub options: String,
}

pub struct Pgbench {
    child: Child,
    pid: Pid,
    log_prefix: PathBuf,
}

/// A stretch of time, in microseconds since 1970, in which it ran.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    from: i64,
    to: i64,
}

impl Window {
    pub fn seconds(self) -> f64 {
        (self.to - self.from) as f64 / 1e6
    }

    fn done(self, log: &str) -> Done {
        let mut done = Done::default();
        for (at, took) in log.lines().filter_map(transaction) {
            if self.from <= at && at <= self.to {
                done.transactions += 1;
                if at - took >= self.from {
                    done.latencies.push(u32::try_from(took).unwrap_or(u32::MAX));
                }
            }
        }
        done
    }
}

/// Transactions that pgbench does within a second anyway. Its log, which is written in blocks, may show none of them yet.
const BLOCK: usize = 400;

/// What pgbench did in one window.
#[derive(Debug, Default, PartialEq)]
pub struct Done {
    /// That ended in it: those that had begun before the last pause make up for those that are unfinished at the next.
    pub transactions: usize,
    /// Of those that also began in it, in microseconds.
    pub latencies: Vec<u32>,
}

fn now() -> i64 {
    Clock::real().timestamp_micros()
}

impl Pgbench {
    /// Starts it and lets it run until it has done so much, for at least a second, then pauses it.
    pub async fn start(account: &Account, script: &Script, clients: u32, dir: &Path, name: &str, warm: usize) -> Result<Self> {
        let file = dir.join(format!("{name}.sql"));
        fs::write(&file, &script.text)?;
        let log_prefix = dir.join(name);
        let child = Command::new("pgbench")
            .args(["-n", "-h", "127.0.0.1", "-p", &account.port.to_string(), "-U", &account.role])
            .args(["-c", &clients.to_string(), "-j", "1", "-T", "100000"])
            .args(["-M", if script.prepared { "prepared" } else { "simple" }])
            .arg("-f")
            .arg(&file)
            .arg("-l")
            .arg("--log-prefix")
            .arg(&log_prefix)
            // what makes the new ids of one run differ from those of another
            .args([
                "-D",
                "n=100000000000",
                "-D",
                &format!("run={}", rand::random_range(1_000..10_000_u32)),
            ])
            .arg("trunkline")
            .env("PGPASSWORD", &account.password)
            .env("PGOPTIONS", &script.options)
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.join(format!("{name}.err")))?)
            .kill_on_drop(true)
            .spawn()
            .context("pgbench (of PostgreSQL's client programs)")?;
        let pid = child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            .context("it runs")?;
        let mut it = Self { child, pid, log_prefix };
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            it.still_runs()?;
            let done = fs::read(it.log()).map_or(0, |log| log.iter().filter(|b| **b == b'\n').count());
            if done >= warm || warm < BLOCK {
                break;
            }
        }
        it.pause()?;
        Ok(it)
    }

    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    fn log(&self) -> String {
        format!("{}.{}", self.log_prefix.display(), self.id())
    }

    fn pause(&mut self) -> Result<()> {
        self.still_runs()?;
        Ok(kill_process(self.pid, Signal::STOP)?)
    }

    fn still_runs(&mut self) -> Result<()> {
        let ended = self.child.try_wait()?;
        let said = || fs::read_to_string(self.log_prefix.with_extension("err")).unwrap_or_default();
        ensure!(ended.is_none(), "pgbench ended: {}", said());
        Ok(())
    }

    pub async fn turn(&mut self, seconds: f64) -> Result<Window> {
        let from = now();
        kill_process(self.pid, Signal::CONT)?;
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        self.pause()?;
        Ok(Window { from, to: now() })
    }

    /// Ends it; what it did within each window.
    pub async fn stop(mut self, windows: &[Window]) -> Result<Vec<Done>> {
        // Its log is written in blocks: run on until the last window's is out.
        self.turn(0.7).await?;
        self.child.kill().await?;
        let said = fs::read_to_string(self.log_prefix.with_extension("err")).unwrap_or_default();
        ensure!(!said.contains("aborted"), "pgbench: {said}");
        let file = self.log();
        let log = fs::read_to_string(&file).with_context(|| file.clone())?;
        fs::remove_file(file)?;
        Ok(windows.iter().map(|w| w.done(&log)).collect())
    }
}

/// When a transaction of the log ended and how long it took: `client number took script seconds micros`.
fn transaction(line: &str) -> Option<(i64, i64)> {
    let fields: Vec<&str> = line.split(' ').collect();
    let number = |n: usize| fields.get(n)?.parse::<i64>().ok();
    Some((number(4)? * 1_000_000 + number(5)?, number(2)?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_of_the_log_are_read() {
        assert_eq!(
            super::transaction("0 199 2241 0 1175850568 995598"),
            Some((1_175_850_568_995_598, 2_241))
        );
        assert_eq!(super::transaction("0 199"), None);
    }

    #[test]
    fn a_pause_is_no_latency_and_what_it_interrupted_counts_once() {
        let log = "0 1 300 0 1 100\n0 2 400 0 1 1500\n0 3 900000 0 2 100\n0 4 200 0 2 400\n";
        let window = |from, to| super::Window { from, to }.done(log);
        let (first, second) = (window(999_000, 1_002_000), window(2_000_000, 2_001_000));
        assert_eq!((first.transactions, first.latencies), (2, vec![300, 400]));
        assert_eq!((second.transactions, second.latencies), (2, vec![200]));
    }
}
