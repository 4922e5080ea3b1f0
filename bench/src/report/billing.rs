//! The tables of billing.

use std::fmt::Write as _;

use trunkline_domain::runs::billing_run::LANES;

use super::{VERDICTS, verdict};
use crate::billing::Billing;

pub fn markdown(b: &Billing) -> String {
    let mut out = String::from(VERDICTS);
    verdicts(b, &mut out);
    let [read, decide, write, commit] = b.phases;
    let (services, whole, d) = (b.services, f64::from(b.services), &b.documents);
    let spread = f64::from(services / b.tenants * b.tenants) / b.spread;
    let _ = writeln!(
        out,
        "\n### Billing runs\n\n\
         One plan line, two taxes, a ledger entry with its transfers, coverage, audit and event for each invoice.\n\n\
         | what | seconds | invoices/s | |\n|---|--:|--:|---|\n\
         | a run of {services} services in one ISP | {:.2} | {:.0} | {LANES} transactions at a time: reading {read:.2} s, deciding {decide:.2} s, writing {write:.2} s, committing {commit:.2} s, added up |\n\
         | psql writing the same rows, keys and indexes | {:.2} | {:.0} | one INSERT … SELECT for each table, in one transaction |\n\
         | the same run again, with nothing to do | {:.2} | | |\n\
         | a dry run | {:.2} | {:.0} | |\n\
         | {} services in each of {} ISPs, at once | {:.2} | {spread:.0} | |\n",
        b.run,
        b.per_second(),
        b.psql,
        whole / b.psql,
        b.again,
        b.dry,
        whole / b.dry,
        services / b.tenants,
        b.tenants,
        b.spread,
    );
    let pdfs = d.pdfs as f64;
    let _ = writeln!(
        out,
        "### Documents\n\n\
         One caller, one thing after another, over HTTP with a token.\n\n\
         | what | milliseconds | |\n|---|--:|---|\n\
         | a one-page invoice as PDF | {:.1} | {:.1} ms of it in the rendering process, which is warm |\n\
         | a statement of {} entries | {:.1} | |\n\
         | … as PDF | {:.0} | {:.0} KiB |\n",
        d.took / pdfs * 1e3,
        d.rendering / pdfs * 1e3,
        d.entries,
        d.statement * 1e3,
        d.statement_pdf * 1e3,
        d.statement_bytes as f64 / 1024.0,
    );
    out
}

fn verdicts(b: &Billing, out: &mut String) {
    let above = b.memory.1 - b.memory.0;
    let per_core = b.documents.per_core();
    for (aim, found, met) in [
        (
            "billing run ≥ 4,000 invoices/s",
            format!("{:.0}", b.per_second()),
            b.per_second() >= 4_000.0,
        ),
        (
            "billing run ≥ 0.5 of psql writing the same rows",
            format!("{:.2}", b.whole()),
            b.whole() >= 0.5,
        ),
        (
            "… its writing ≥ 0.8",
            format!(
                "{:.2}: {LANES} connections at once, {:.2} each",
                b.writing_together(),
                b.writing_of_one()
            ),
            b.writing_together() >= 0.8,
        ),
        (
            "billing run's worker < 200 MiB above idle",
            format!("{above:.0} MiB above {:.0}", b.memory.0),
            above < 200.0,
        ),
        (
            "≥ 100 one-page PDFs for a second of a core in the rendering process",
            format!("{per_core:.0}"),
            per_core >= 100.0,
        ),
    ] {
        verdict(out, aim, Some((found, met)));
    }
}
