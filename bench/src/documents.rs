//! Documents of an ISP that has been billed: invoices as PDF through the rendering process, and a long statement of account.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::ground::Ground;
use crate::http::{Http, To};
use crate::usage::{children, processor_time};

/// Of whom the statement is, by the seed's numbering.
const ACCOUNT_NUMBER: &str = "M1000001";
const ENTRIES: usize = 1_000;
const PDFS: usize = 400;
const WARM_UP: usize = 40;
const STATEMENTS: usize = 20;

/// Times in seconds, of one caller who asks for one thing after another.
pub struct Documents {
    pub pdfs: usize,
    /// All of them, from request to answer.
    pub took: f64,
    /// Of that, processor time of the rendering process.
    pub rendering: f64,
    /// One statement, by GraphQL and as PDF: the median of some.
    pub statement: f64,
    pub entries: usize,
    pub statement_pdf: f64,
    pub statement_bytes: usize,
}

impl Documents {
    /// Of one-page invoices, for each second of one core that the rendering process has.
    pub fn per_core(&self) -> f64 {
        self.pdfs as f64 / self.rendering
    }
}

/// A caller of the first ISP.
struct Caller {
    http: Http,
    host: String,
    token: String,
    /// Whose statement it asks for.
    subscriber: String,
}

impl Caller {
    async fn ask(&mut self, query: &str, variables: Value) -> Result<Value> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let to = To {
            host: &self.host,
            token: Some(&self.token),
        };
        let answer: Value = serde_json::from_slice(self.http.post(&to, &body).await?)?;
        ensure!(answer["errors"].is_null(), "{answer}");
        Ok(answer["data"].clone())
    }

    async fn pdf(&mut self, path: &str) -> Result<usize> {
        let (host, token) = (self.host.clone(), self.token.clone());
        let to = To {
            host: &host,
            token: Some(&token),
        };
        let pdf = self.http.get(&to, path).await?;
        ensure!(pdf.starts_with(b"%PDF"), "{path} is no PDF");
        Ok(pdf.len())
    }
}

pub async fn measure(ground: &mut Ground, admin: &mut PgConnection) -> Result<Documents> {
    ground.refresh_tokens().await?;
    let (host, token) = ground.isp(1);
    let http = Http::connect(&ground.server.address).await?;
    let subscriber = format!(
        "SELECT 'subscriber_' || replace(id::text, '-', '') FROM \"{}\".subscriber WHERE account_number = $1",
        ground.role(1)
    );
    let subscriber = sqlx::query_scalar(AssertSqlSafe(subscriber)).bind(ACCOUNT_NUMBER);
    let subscriber = subscriber.fetch_one(&mut *admin).await?;
    let mut caller = Caller {
        http,
        host,
        token,
        subscriber,
    };
    let (took, rendering) = invoices(ground, &mut caller, admin).await?;
    pay(&mut caller).await?;
    let query = "query($id: ID!) { accountStatement(subscriberId: $id) { pdfUrl entries { bookedOn description kind \
        amount { amount } balance { amount } } closingBalance { amount } } }";
    let (mut statement, mut statement_pdf) = (Vec::new(), Vec::new());
    let (mut entries, mut statement_bytes) = (0, 0);
    for _ in 0..STATEMENTS {
        let begun = Instant::now();
        let answer = caller.ask(query, json!({ "id": caller.subscriber })).await?;
        statement.push(begun.elapsed());
        entries = answer["accountStatement"]["entries"].as_array().map_or(0, Vec::len);
        let url = answer["accountStatement"]["pdfUrl"].as_str().context("its PDF")?.to_owned();
        // Another entry, so that what was typeset is not the answer again.
        record_payment(&mut caller).await?;
        let begun = Instant::now();
        statement_bytes = caller.pdf(&url).await?;
        statement_pdf.push(begun.elapsed());
    }
    ensure!(entries >= ENTRIES, "the statement has {entries} entries");
    Ok(Documents {
        pdfs: PDFS,
        took: took.as_secs_f64(),
        rendering: rendering.as_secs_f64(),
        statement: median(statement),
        entries,
        statement_pdf: median(statement_pdf),
        statement_bytes,
    })
}

/// Each once: how long all took, and how much of the processor the renderer had for them.
async fn invoices(ground: &Ground, caller: &mut Caller, admin: &mut PgConnection) -> Result<(Duration, Duration)> {
    let sql = format!(
        "SELECT id FROM \"{}\".invoice WHERE id > '01920000-0000-7000-8000-000000000000' ORDER BY id LIMIT {}",
        ground.role(1),
        WARM_UP + PDFS
    );
    let ids: Vec<Uuid> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(admin).await?;
    ensure!(ids.len() == WARM_UP + PDFS, "{} invoices are too few", ids.len());
    let path = |id: &Uuid| format!("/invoices/invoice_{}.pdf", id.simple());
    for id in &ids[..WARM_UP] {
        caller.pdf(&path(id)).await?;
    }
    let renderers = || -> Duration { children(ground.server.pid).into_iter().map(processor_time).sum() };
    let (begun, used) = (Instant::now(), renderers());
    for id in &ids[WARM_UP..] {
        caller.pdf(&path(id)).await?;
    }
    Ok((begun.elapsed(), renderers().saturating_sub(used)))
}

async fn pay(caller: &mut Caller) -> Result<()> {
    for _ in 0..ENTRIES {
        record_payment(caller).await?;
    }
    Ok(())
}

async fn record_payment(caller: &mut Caller) -> Result<()> {
    let query = "mutation($i: PaymentRecordInput!) { paymentRecord(input: $i) { payment { id } userErrors { message } } }";
    let input =
        json!({ "subscriberId": caller.subscriber, "amount": "1.00", "method": "CASH", "idempotencyKey": Uuid::now_v7() });
    let answer = caller.ask(query, json!({ "i": input })).await?;
    ensure!(answer.pointer("/paymentRecord/payment/id").is_some(), "{answer}");
    Ok(())
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64)
}
