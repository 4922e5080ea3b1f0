//! The load generator: a process of its own, so that its processor time is nobody else's. It reads a [`Plan`], then for each
//! line with a number of seconds asks that long and answers with a line of what came of it.

use std::cell::RefCell;
use std::process::Stdio;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use uuid::Uuid;

use crate::http::{Http, To, find};
use crate::stats::{rank, zipf};
use crate::workload::{ISP_SHARE, Spectrum, Workload};

/// What the process asks, for as long as it lives.
#[derive(Clone, Serialize, Deserialize)]
pub struct Plan {
    pub address: String,
    pub workload: Workload,
    pub spectrum: Spectrum,
    /// Connections, each with one request under way.
    pub clients: u32,
    /// Host and token of each ISP, in the order of their numbers.
    pub isps: Vec<(String, String)>,
}

/// One turn's outcome.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    pub seconds: f64,
    /// Of every request that was answered rightly, in microseconds.
    pub latencies: Vec<u32>,
    pub errors: u64,
    pub first_error: Option<String>,
}

/// The generator as the bench holds it.
pub struct Generator {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Generator {
    pub async fn start(plan: &Plan) -> Result<Self> {
        let mut child = Command::new("/proc/self/exe")
            .arg("load")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child.stdin.take().context("it reads")?;
        let stdout = BufReader::new(child.stdout.take().context("it writes")?).lines();
        stdin
            .write_all(format!("{}\n", serde_json::to_string(plan)?).as_bytes())
            .await?;
        Ok(Self { child, stdin, stdout })
    }

    pub async fn turn(&mut self, seconds: f64) -> Result<Outcome> {
        self.stdin.write_all(format!("{seconds}\n").as_bytes()).await?;
        let line = self.stdout.next_line().await?.context("the load generator ended")?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Asks so often, for at least a second.
    pub async fn warm(&mut self, requests: usize) -> Result<()> {
        let mut asked = 0;
        while asked < requests.max(1) {
            asked += self.turn(1.0).await?.latencies.len().max(1);
        }
        Ok(())
    }

    pub async fn stop(mut self) -> Result<()> {
        drop(self.stdin);
        ensure!(self.child.wait().await?.success(), "the load generator failed");
        Ok(())
    }
}

/// The process.
pub fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        let plan: Plan = serde_json::from_str(&lines.next_line().await?.context("no plan")?)?;
        let weights = plan.spectrum.zipf.map(|s| zipf(plan.spectrum.tenants, s));
        let plan = Rc::new(plan);
        let weights = Rc::new(weights);
        let mut clients = Vec::new();
        for _ in 0..plan.clients {
            clients.push(Rc::new(RefCell::new(Some(Http::connect(&plan.address).await?))));
        }
        while let Some(line) = lines.next_line().await? {
            let seconds: f64 = line.trim().parse()?;
            let outcome = turn(&plan, &weights, &clients, seconds).await?;
            println!("{}", serde_json::to_string(&outcome)?);
        }
        Ok(())
    })
}

type Slot = Rc<RefCell<Option<Http>>>;

async fn turn(plan: &Rc<Plan>, weights: &Rc<Option<Vec<f64>>>, clients: &[Slot], seconds: f64) -> Result<Outcome> {
    let begun = Instant::now();
    let until = begun + Duration::from_secs_f64(seconds);
    let tasks: Vec<_> = clients
        .iter()
        .map(|slot| tokio::task::spawn_local(client(plan.clone(), weights.clone(), slot.clone(), until)))
        .collect();
    let mut all = Outcome::default();
    for task in tasks {
        let one = task.await??;
        all.latencies.extend(one.latencies);
        all.errors += one.errors;
        all.first_error = all.first_error.or(one.first_error);
    }
    all.seconds = begun.elapsed().as_secs_f64();
    Ok(all)
}

async fn client(plan: Rc<Plan>, weights: Rc<Option<Vec<f64>>>, slot: Slot, until: Instant) -> Result<Outcome> {
    let mut http = slot.borrow_mut().take().context("a client works for one turn at a time")?;
    let mut rng = StdRng::from_rng(&mut rand::rng());
    let mut outcome = Outcome::default();
    loop {
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        let tenant = match &*weights {
            Some(weights) => rank(weights, rng.random()),
            None => rng.random_range(1..=plan.spectrum.tenants),
        };
        let (host, token) = &plan.isps[tenant as usize - 1];
        let body = plan.workload.body(rng.random_range(ISP_SHARE), Uuid::from_u128(rng.random()));
        let to = To {
            host,
            token: Some(token),
        };
        let wrong = match http.post(&to, &body).await {
            Ok(answer) => wrong(plan.workload, answer),
            Err(e) => {
                let error = format!("{e:#}");
                http = Http::connect(&plan.address).await?;
                Some(error)
            }
        };
        match wrong {
            None => outcome
                .latencies
                .push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX)),
            Some(error) => {
                outcome.errors += 1;
                outcome.first_error.get_or_insert(error);
            }
        }
    }
    *slot.borrow_mut() = Some(http);
    Ok(outcome)
}

/// Why an answer is not what was asked for.
fn wrong(workload: Workload, answer: &[u8]) -> Option<String> {
    let right = find(answer, br#""errors":"#).is_none() && find(answer, workload.proof().as_bytes()).is_some();
    (!right).then(|| String::from_utf8_lossy(&answer[..answer.len().min(500)]).into_owned())
}
