//! The comparison: each workload over each spectrum of ISPs, the contenders taking turns.

use std::time::Duration;

use anyhow::Result;
use sqlx::{Connection, Executor, PgConnection};

use crate::ground::Ground;
use crate::load::{Generator, Plan};
use crate::pgbench::{Pgbench, Script, Window};
use crate::statements::{Statements, draws};
use crate::stats::{Spread, quantile};
use crate::usage::{postgres_time, processor_time};
use crate::workload::{Spectrum, Workload};

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Connections that ask, on either side.
    pub clients: u32,
    pub rounds: usize,
    pub seconds: f64,
    /// Before anything is measured, each contender asks so often for each ISP and connection: backends learn tables. By
    /// number and not by time, or the slower one would be measured colder.
    pub visits: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    Trunkline,
    /// pgbench with the same statements and the same switch of ISP: what the aims refer to.
    Switching,
    /// pgbench with the same statements, prepared, in one ISP's schema.
    Staying,
    /// pgbench with one statement that makes the whole page, and the same switch.
    JsonAgg,
}

impl Contender {
    pub fn title(self) -> &'static str {
        match self {
            Self::Trunkline => "**Trunkline**",
            Self::Switching => "pgbench, same statements, same switch",
            Self::Staying => "pgbench, same statements, no switch",
            Self::JsonAgg => "pgbench, one json_agg, same switch",
        }
    }
}

/// What one contender did in each of its turns.
pub struct Row {
    pub contender: Contender,
    turns: Vec<Turn>,
    pub errors: u64,
    pub first_error: Option<String>,
}

struct Turn {
    per_second: f64,
    p50: f64,
    p99: f64,
    /// Processor time per request, microseconds: PostgreSQL's, and the server's or pgbench's own.
    database: f64,
    front: f64,
}

impl Row {
    fn each(&self, f: impl Fn(&Turn) -> f64) -> Spread {
        Spread::of(self.turns.iter().map(f))
    }

    pub fn per_second(&self) -> Spread {
        self.each(|t| t.per_second)
    }

    pub fn p50(&self) -> Spread {
        self.each(|t| t.p50)
    }

    pub fn p99(&self) -> Spread {
        self.each(|t| t.p99)
    }

    pub fn database(&self) -> Spread {
        self.each(|t| t.database)
    }

    pub fn processor(&self) -> Spread {
        self.each(|t| t.database + t.front)
    }

    fn against(&self, other: &Self, f: impl Fn(&Turn) -> f64) -> Spread {
        Spread::of(self.turns.iter().zip(&other.turns).map(|(a, b)| f(a) / f(b)))
    }

    /// Requests a second as a share of another's, round by round.
    pub fn throughput_against(&self, other: &Self) -> Spread {
        self.against(other, |t| t.per_second)
    }

    /// Processor time per request as a multiple of another's, round by round.
    pub fn processor_against(&self, other: &Self) -> Spread {
        self.against(other, |t| t.database + t.front)
    }
}

pub struct Cell {
    pub workload: Workload,
    pub spectrum: Spectrum,
    pub rows: Vec<Row>,
}

impl Cell {
    pub fn row(&self, contender: Contender) -> Option<&Row> {
        self.rows.iter().find(|r| r.contender == contender)
    }
}

/// A pgbench with the windows in which it ran and what was used in them.
struct Rival {
    contender: Contender,
    process: Pgbench,
    windows: Vec<Window>,
    used: Vec<(Duration, Duration)>,
}

pub async fn measure(ground: &mut Ground, statements: &Statements, spectrum: Spectrum, effort: &Effort) -> Result<Cell> {
    let workload = statements.workload();
    ground.refresh_tokens().await?;
    let warm = effort.visits as usize * spectrum.tenants as usize * effort.clients as usize;
    let plan = Plan {
        address: ground.server.address.clone(),
        workload,
        spectrum,
        clients: effort.clients,
        isps: (1..=spectrum.tenants).map(|n| ground.isp(n)).collect(),
    };
    let mut generator = Generator::start(&plan).await?;
    generator.warm(warm).await?;
    let mut rivals = Vec::new();
    for (contender, script) in scripts(ground, statements, spectrum) {
        let name = format!("{workload:?}-{}-{contender:?}", spectrum.title().replace(' ', "-"));
        let process = Pgbench::start(&ground.account(), &script, effort.clients, &ground.dir, &name, warm).await?;
        rivals.push(Rival {
            contender,
            process,
            windows: Vec::new(),
            used: Vec::new(),
        });
    }
    let mut ours = Row {
        contender: Contender::Trunkline,
        turns: Vec::new(),
        errors: 0,
        first_error: None,
    };
    for _ in 0..effort.rounds {
        our_turn(ground, &mut generator, &mut ours, effort.seconds).await?;
        for rival in &mut rivals {
            rival.turn(ground, effort.seconds).await?;
        }
    }
    generator.stop().await?;
    let mut rows = vec![ours];
    for rival in rivals {
        rows.push(rival.finish().await?);
    }
    if !workload.reads() {
        // No worker runs here: what payments announced would pile up from cell to cell.
        PgConnection::connect(&ground.url)
            .await?
            .execute("TRUNCATE platform.outbox")
            .await?;
    }
    Ok(Cell {
        workload,
        spectrum,
        rows,
    })
}

async fn our_turn(ground: &Ground, generator: &mut Generator, row: &mut Row, seconds: f64) -> Result<()> {
    let before = (postgres_time(ground.postmaster), processor_time(ground.server.pid));
    let mut outcome = generator.turn(seconds).await?;
    // what the server does after it has answered belongs to the request too
    tokio::time::sleep(Duration::from_millis(100)).await;
    let used = (
        postgres_time(ground.postmaster).saturating_sub(before.0),
        processor_time(ground.server.pid).saturating_sub(before.1),
    );
    let requests = outcome.latencies.len();
    row.turns.push(turn(requests, &mut outcome.latencies, outcome.seconds, used));
    row.errors += outcome.errors;
    row.first_error = row.first_error.take().or(outcome.first_error);
    Ok(())
}

fn turn(requests: usize, latencies: &mut [u32], seconds: f64, (database, front): (Duration, Duration)) -> Turn {
    let per_second = requests as f64 / seconds;
    let requests = requests.max(1) as f64;
    Turn {
        per_second,
        p50: quantile(latencies, 0.5),
        p99: quantile(latencies, 0.99),
        database: database.as_secs_f64() * 1e6 / requests,
        front: front.as_secs_f64() * 1e6 / requests,
    }
}

impl Rival {
    async fn turn(&mut self, ground: &Ground, seconds: f64) -> Result<()> {
        let before = (postgres_time(ground.postmaster), processor_time(self.process.id()));
        self.windows.push(self.process.turn(seconds).await?);
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.used.push((
            postgres_time(ground.postmaster).saturating_sub(before.0),
            processor_time(self.process.id()).saturating_sub(before.1),
        ));
        Ok(())
    }

    async fn finish(self) -> Result<Row> {
        let mut done = self.process.stop(&self.windows).await?;
        let turns = self.windows.iter().zip(&mut done).zip(&self.used);
        Ok(Row {
            contender: self.contender,
            turns: turns
                .map(|((window, done), used)| turn(done.transactions, &mut done.latencies, window.seconds(), *used))
                .collect(),
            errors: 0,
            first_error: None,
        })
    }
}

fn scripts(ground: &Ground, statements: &Statements, spectrum: Spectrum) -> Vec<(Contender, Script)> {
    let unprepared = |text| Script {
        text,
        prepared: false,
        options: String::new(),
    };
    let mut all = vec![(Contender::Switching, unprepared(statements.switching(spectrum)))];
    if spectrum.tenants == 1 {
        let role = ground.role(1);
        all.push((
            Contender::Staying,
            Script {
                text: statements.staying(),
                prepared: true,
                options: format!("-c search_path={role} -c role={role}"),
            },
        ));
    }
    if statements.workload() == Workload::Page {
        let mut text = draws(spectrum);
        text.push_str(&statements.switch());
        text.push_str(include_str!("page.sql"));
        text.push_str("ROLLBACK;\n");
        all.push((Contender::JsonAgg, unprepared(text)));
    }
    all
}
