//! The tables, as Markdown.

mod billing;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::billing::Billing;
use crate::matrix::{Cell, Contender, Effort, Row};
use crate::operations::{AddColumn, FirstTouch, Memory, Provisioning};
use crate::workload::{Spectrum, Workload};

/// All that one run measured; what it left out is None.
#[derive(Default)]
pub struct Findings {
    pub machine: String,
    pub commit: String,
    pub postgres: String,
    pub kind: &'static str,
    /// Statements between the prologue and the end, by workload.
    pub statements: Vec<(Workload, usize)>,
    pub cells: Vec<Cell>,
    /// After how many ISPs were asked, what the server and its backends held.
    pub memory: Vec<(u32, Memory)>,
    pub provisioning: Option<Provisioning>,
    pub add_column: Option<AddColumn>,
    pub first_touch: Option<FirstTouch>,
    pub billing: Option<Billing>,
    pub took: f64,
}

impl Findings {
    /// A part for each of what was measured.
    pub fn markdown(&self, effort: &Effort) -> Vec<Part> {
        let mut parts = Vec::new();
        if !self.cells.is_empty() || self.provisioning.is_some() {
            parts.push(Part {
                name: "figures",
                figures: self.requests(effort),
            });
        }
        if let Some(billing) = &self.billing {
            parts.push(Part {
                name: "billing",
                figures: format!("{}{}", self.head(), billing::markdown(billing)),
            });
        }
        parts
    }

    /// Of what was measured where.
    fn head(&self) -> String {
        format!(
            "A {} run of {:.0} minutes on commit {}: {}, {}.\n\n",
            self.kind,
            self.took / 60.0,
            self.commit,
            self.machine,
            self.postgres,
        )
    }

    fn requests(&self, effort: &Effort) -> String {
        let mut out = self.head();
        let _ = writeln!(
            out,
            "{} clients on either side; each figure is the median of {} turns of {} s, with the lowest and the highest; contenders \
             take turns.\n",
            effort.clients, effort.rounds, effort.seconds
        );
        self.verdicts(&mut out);
        for workload in Workload::ALL {
            self.workload(&mut out, workload);
        }
        self.operations(&mut out);
        out
    }

    fn workload(&self, out: &mut String, workload: Workload) {
        let cells: Vec<&Cell> = self.cells.iter().filter(|c| c.workload == workload).collect();
        if cells.is_empty() {
            return;
        }
        let statements = self.statements.iter().find(|(w, _)| *w == workload).map_or(0, |(_, n)| *n);
        let _ = writeln!(
            out,
            "### {} ({statements} statements)\n\n\
             | over | who | requests/s | p50 ms | p99 ms | processor µs/request | of it PostgreSQL | errors |\n\
             |---|---|--:|--:|--:|--:|--:|--:|",
            capital(workload.title())
        );
        for cell in cells {
            for row in &cell.rows {
                let _ = writeln!(
                    out,
                    "| {} | {} | {} | {:.2} | {:.2} | {} | {:.0} | {} |",
                    cell.spectrum.title(),
                    row.contender.title(),
                    row.per_second().show(0),
                    row.p50().median / 1e3,
                    row.p99().median / 1e3,
                    row.processor().show(0),
                    row.database().median,
                    row.errors
                );
            }
        }
        out.push('\n');
        for error in self
            .cells
            .iter()
            .flat_map(|c| &c.rows)
            .filter_map(|r| r.first_error.as_deref())
            .take(3)
        {
            let _ = writeln!(out, "First error: `{}`\n", error.replace('`', "'"));
        }
    }

    /// What issue 3 aims at, beside what was found.
    fn verdicts(&self, out: &mut String) {
        out.push_str(VERDICTS);
        let mut line = |aim: &str, found: Option<(String, bool)>| verdict(out, aim, found);
        let (point, page, payment) = (Workload::Point, Workload::Page, Workload::Payment);
        use Contender::{JsonAgg, Switching};
        line(
            "point query ≥ 0.75 of switching pgbench at 20 ISPs",
            self.share(point, 20, false, Switching, 0.75),
        );
        line(
            "point query ≥ 0.9 at 500 ISPs, Zipf, without errors",
            self.share(point, 500, true, Switching, 0.9),
        );
        line(
            "page ≥ 0.5 of one json_agg at 20 ISPs",
            self.share(page, 20, false, JsonAgg, 0.5),
        );
        line(
            "page ≥ 0.5 of one json_agg at 500 ISPs, Zipf",
            self.share(page, 500, true, JsonAgg, 0.5),
        );
        line(
            "point query's processor time ≤ 1.6 × at 20 ISPs",
            self.multiple(point, 20, 1.6),
        );
        line(
            "point query's processor time ≤ 1.6 × at 500 ISPs",
            self.multiple(point, 500, 1.6),
        );
        line("page's processor time ≤ 1.8 × at 20 ISPs", self.multiple(page, 20, 1.8));
        line("page's processor time ≤ 1.8 × at 500 ISPs", self.multiple(page, 500, 1.8));
        line(
            "`paymentRecord` 0.6 to 0.9 of switching pgbench at 20 ISPs",
            self.share(payment, 20, false, Switching, 0.6),
        );
        line(
            "`paymentRecord` 0.6 to 0.9 at 500 ISPs, Zipf",
            self.share(payment, 500, true, Switching, 0.6),
        );
        line(
            "opening an ISP ≤ 1.3 × psql with the same script",
            self.provisioning.as_ref().map(|p| (p.ratio.show(2), p.ratio.median <= 1.3)),
        );
        line(
            "ADD COLUMN over 1,000 schemas ≤ 2 s with 8 workers",
            self.add_column
                .as_ref()
                .map(|a| (format!("{:.2} s over {} schemas", a.seconds, a.schemas), a.seconds <= 2.0)),
        );
        line(
            "server under 150 MiB",
            self.memory
                .iter()
                .map(|(_, m)| m.server_highest)
                .max_by(f64::total_cmp)
                .map(|m| (format!("{m:.0} MiB at its highest"), m < 150.0)),
        );
        out.push('\n');
    }

    fn pair(&self, workload: Workload, tenants: u32, zipf: bool, other: Contender) -> Option<(&Row, &Row)> {
        let wanted = |s: Spectrum| s.tenants == tenants && s.zipf.is_some() == zipf;
        let cell = self.cells.iter().find(|c| c.workload == workload && wanted(c.spectrum))?;
        Some((cell.row(Contender::Trunkline)?, cell.row(other)?))
    }

    fn share(&self, workload: Workload, tenants: u32, zipf: bool, other: Contender, aim: f64) -> Option<(String, bool)> {
        let (ours, theirs) = self.pair(workload, tenants, zipf, other)?;
        let share = ours.throughput_against(theirs);
        let counted = share.median.is_finite() && ours.errors == 0;
        Some((share.show(2), counted && share.median >= aim))
    }

    fn multiple(&self, workload: Workload, tenants: u32, aim: f64) -> Option<(String, bool)> {
        let of = |zipf| {
            let (ours, theirs) = self.pair(workload, tenants, zipf, Contender::Switching)?;
            Some(ours.processor_against(theirs))
        };
        let (uniform, zipf) = (of(false)?, of(true)?);
        let text = format!("uniform {}, Zipf {}", uniform.show(2), zipf.show(2));
        Some((text, uniform.median <= aim && zipf.median <= aim))
    }

    fn operations(&self, out: &mut String) {
        out.push_str("### Beside the requests\n\n");
        for (tenants, m) in &self.memory {
            let _ = writeln!(
                out,
                "- Memory after {tenants} ISPs were asked: server {:.0} MiB ({:.0} at its highest); {} backends {:.0} MiB in all \
                 (Pss), the largest {:.0}.",
                m.server, m.server_highest, m.backends, m.backends_total, m.backend_largest
            );
        }
        if let Some(p) = &self.provisioning {
            let _ = writeln!(
                out,
                "- Opening an ISP: `tenantCreate` {} ms; its schema script alone by psql {} ms; ratio {}.",
                p.api.show(0),
                p.psql.show(0),
                p.ratio.show(2)
            );
        }
        if let Some(a) = &self.add_column {
            let _ = writeln!(
                out,
                "- ADD COLUMN in {} schemas by {} workers, each schema in a transaction of its own: {:.2} s by the migration runner, \
                 {:.2} s the statements alone.",
                a.schemas, a.workers, a.seconds, a.bare
            );
        }
        if let Some(t) = &self.first_touch {
            let _ = writeln!(
                out,
                "- First touch at {} ISPs (one backend, the point query's statements, ms): the first switch of a fresh backend {:.1}; \
                 the first query in an ISP {}, again {}. After one more ISP was opened: the next switch {:.1}, the first query in \
                 known ISPs {}, again {}.",
                t.tenants,
                t.first_switch,
                t.first.show(1),
                t.again.show(1),
                t.switch_after,
                t.first_after.show(1),
                t.again_after.show(1)
            );
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

const VERDICTS: &str = "| aim | found | |\n|---|---|---|\n";

fn verdict(out: &mut String, aim: &str, found: Option<(String, bool)>) {
    let (found, met) = match &found {
        Some((found, true)) => (found.as_str(), "met"),
        Some((found, false)) => (found.as_str(), "**missed**"),
        None => ("not measured in this run", ""),
    };
    let _ = writeln!(out, "| {aim} | {found} | {met} |");
}

/// Tables that stand together, between marks of their own.
pub struct Part {
    name: &'static str,
    pub figures: String,
}

/// Puts the tables between the file's marks; what a person wrote around them stays.
pub fn write(path: &Path, part: &Part) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let begin = format!("<!-- {}: written by `make bench` -->", part.name);
    let end = format!("<!-- end of {} -->", part.name);
    let (before, rest) = text
        .split_once(&begin)
        .with_context(|| format!("no mark where the {} begin", part.name))?;
    let (_, after) = rest
        .split_once(&end)
        .with_context(|| format!("no mark where the {} end", part.name))?;
    Ok(fs::write(path, format!("{before}{begin}\n\n{}\n{end}{after}", part.figures))?)
}
