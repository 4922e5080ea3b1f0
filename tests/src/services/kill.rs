//! A billing run is killed again and again: what it leaves behind is what a run leaves that nobody disturbed.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use trunkline_domain::Actor;
use trunkline_domain::kernel::db::TenantDb;
use trunkline_domain::kernel::ids::{PlanId, SubscriberId};
use trunkline_domain::payments::{self, PaymentMethod, RecordPayment};
use trunkline_domain::runs::{self, ServiceOrder};
use trunkline_domain::services::CreateService;
use trunkline_domain::subscribers::{self, Address, CreateSubscriber};
use uuid::Uuid;

use crate::harness::{TestApp, TestTenant, env, execute};
use crate::jobs::probe::{enqueue, spawn, until, work};

/// Documents and ledger of each service, without ids, times and numbers.
const LEFT_BEHIND: &str = "
    SELECT s.username, s.status, s.suspension_cause, s.next_billing_on, s.billed_until, s.paid_until, (
        SELECT jsonb_agg(to_jsonb(i) ORDER BY i.kind, i.period, i.total) FROM (
            SELECT l.kind, c.period::text, l.amount, v.subtotal, v.tax_total, v.total, v.amount_due, v.status, v.issued_on, v.due_on,
                (SELECT jsonb_agg(jsonb_build_array(t.name, t.rate, t.base, t.amount) ORDER BY t.position)
                 FROM invoice_tax t WHERE t.line_id = l.id) AS taxes,
                (SELECT jsonb_agg(jsonb_build_array(e.kind, e.booked_on, d.kind, d.detail, k.kind, k.detail, t.amount)
                     ORDER BY e.kind, d.kind, d.detail, k.kind, k.detail)
                 FROM ledger_entry e JOIN ledger_transfer t ON t.entry_id = e.id JOIN ledger_account d ON d.id = t.debit_account_id
                 JOIN ledger_account k ON k.id = t.credit_account_id WHERE e.source_id = v.id) AS booked
            FROM invoice_line l JOIN invoice v ON v.id = l.invoice_id LEFT JOIN coverage c ON c.invoice_line_id = l.id
            WHERE l.service_id = s.id) i) AS documents
    FROM service s ORDER BY s.username";

/// Services under three plans on the first of April; one subscriber in seven has not paid.
async fn open(app: &TestApp, tenant: &TestTenant, services: usize) {
    let isp = app.on(&tenant.slug).as_owner();
    isp.register_for_gst().await;
    isp.bills(json!({ "lateFee": "50.00", "suspensionCredit": "NONE" })).await;
    let mut plans: Vec<PlanId> = Vec::new();
    for (code, plan) in [
        ("prepaid", json!({ "price": "799.00" })),
        (
            "postpaid",
            json!({ "paymentMode": "POSTPAID", "price": "999.00", "taxInclusive": true }),
        ),
        (
            "arrears",
            json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS", "price": "611.11" }),
        ),
    ] {
        plans.push(isp.plan(code, plan).await.parse().unwrap());
    }
    let known = app.app.directory.by_slug(&tenant.slug).await.unwrap().expect("an ISP");
    let db = TenantDb::new(app.app.database.clone(), known, Arc::new(Actor::System));
    for n in 0..services {
        let (plan, pays) = (plans[n % plans.len()], !n.is_multiple_of(7));
        db.write(async move |tx| {
            let who = subscribers::create(tx, subscriber(n)).await?.id;
            let service = CreateService {
                subscriber_id: who,
                plan_id: plan,
                username: Some(format!("user{n:05}")),
                password: Some("network-secret".into()),
                installation_address: None,
                starts_on: None,
            };
            let order = ServiceOrder {
                addons: Vec::new(),
                coupon_code: None,
                service,
                activate: true,
                idempotency_key: Uuid::now_v7(),
            };
            let (_, invoice) = runs::service_create(tx, &order).await?;
            if let Some(invoice) = invoice.filter(|_| pays) {
                payments::record(tx, cash(who, invoice.total)).await?;
            }
            Ok(())
        })
        .await
        .unwrap();
    }
}

fn subscriber(n: usize) -> CreateSubscriber {
    CreateSubscriber {
        name: format!("Somebody {n}"),
        email: None,
        phone: None,
        tax_id: None,
        tax_class: None,
        address: Some(Address {
            line1: "1 MG Road".into(),
            line2: None,
            city: None,
            region: Some(if n.is_multiple_of(2) { "KA" } else { "MH" }.into()),
            postal_code: None,
            country: "IN".into(),
        }),
        bill_to_id: None,
        key: None,
    }
}

fn cash(subscriber_id: SubscriberId, amount: rust_decimal::Decimal) -> RecordPayment {
    RecordPayment {
        subscriber_id,
        amount,
        method: PaymentMethod::Cash,
        reference: None,
        received_at: None,
        invoice_ids: Vec::new(),
        key: None,
    }
}

async fn inside(admin: &mut PgConnection, tenant: &TestTenant) {
    execute(admin, format!("SET search_path = \"{}\"", tenant.role)).await;
}

async fn invoices(admin: &mut PgConnection, tenant: &TestTenant) -> i64 {
    let sql = format!("SELECT count(*) FROM \"{}\".invoice", tenant.role);
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(admin).await.unwrap()
}

async fn left_behind(admin: &mut PgConnection, tenant: &TestTenant) -> Vec<Value> {
    inside(admin, tenant).await;
    let sql = format!("SELECT to_jsonb(x) FROM ({LEFT_BEHIND}) x");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(admin).await.unwrap()
}

/// Fails unless the invoices' numbers are 1, 2, 3, … in the order in which they were given.
async fn numbers_have_no_gap(admin: &mut PgConnection, tenant: &TestTenant) {
    inside(admin, tenant).await;
    let numbers: Vec<String> = sqlx::query_scalar("SELECT number FROM invoice ORDER BY number")
        .fetch_all(&mut *admin)
        .await
        .unwrap();
    let last = |number: &String| number.rsplit('/').next().unwrap().parse::<usize>().unwrap();
    assert!(numbers.iter().map(last).eq(1..=numbers.len()), "{numbers:?}");
}

/// A run, in transactions of so many services.
async fn ask_for_run(app: &TestApp, tenant: &TestTenant, together: usize) {
    let payload = format!("'{{\"date\": \"2026-05-01\", \"together\": {together}}}'");
    enqueue(&app.db, tenant, "billing.renew", &payload, 1, 1).await;
}

/// `(to be done, parked)`.
async fn jobs(admin: &mut PgConnection) -> (i64, i64) {
    let sql = "SELECT count(*) FILTER (WHERE parked_at IS NULL), count(*) FILTER (WHERE parked_at IS NOT NULL)
         FROM platform.job WHERE kind IN ('billing.renew', 'billing.run')";
    sqlx::query_as(sql).fetch_one(admin).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_a_run_bills_as_if_undisturbed() {
    let (services, kills): (usize, i64) = if env("TRUNKLINE_SOAK").is_some() {
        (5_000, 20)
    } else {
        (360, 12)
    };
    let app = TestApp::new().await;
    app.jobs_may_remain();
    let (killed, undisturbed) = (&app.db.tenants[0], &app.db.tenants[2]);
    for tenant in [killed, undisturbed] {
        open(&app, tenant, services).await;
    }
    app.run_jobs().await;
    app.set_clock("2026-05-01T04:30:00Z").await;
    let mut admin = app.db.admin().await;
    let before = invoices(&mut admin, killed).await;
    ask_for_run(&app, undisturbed, 500).await;
    app.app.worker.drain().await.unwrap();
    let wanted = left_behind(&mut admin, undisturbed).await;
    let made = invoices(&mut admin, undisturbed).await - before;
    assert!(made > services as i64 / 2, "{made} invoices make no run");

    // Small ones, so that there are more of them than kills.
    ask_for_run(&app, killed, services / 60).await;
    let (mut done, mut landed): (i64, i64) = (0, 0);
    for kill in 0..kills {
        let worker = spawn(&app.db, "services::kill::worker_process");
        // Each worker gets a little further than the one before.
        let enough = before + 1 + done.max(made * kill / kills);
        until("the run goes on", Duration::from_secs(60), async || {
            invoices(&mut admin, killed).await >= enough
        })
        .await;
        let pause = rand::rng().random_range(0..60);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        worker.kill();
        done = invoices(&mut admin, killed).await - before;
        if done >= made {
            break;
        }
        landed += 1;
    }
    assert!(
        landed >= kills / 2,
        "only {landed} of {kills} kills came before the run was done: too few to prove anything"
    );
    let worker = spawn(&app.db, "services::kill::worker_process");
    until("the run is done", Duration::from_secs(180), async || {
        let (open, parked) = jobs(&mut admin).await;
        assert_eq!(parked, 0, "a run that is killed often is not one that fails");
        open == 0
    })
    .await;
    drop(worker);

    let found = left_behind(&mut admin, killed).await;
    assert_eq!(found.len(), services);
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found, wanted);
    }
    for tenant in [killed, undisturbed] {
        numbers_have_no_gap(&mut admin, tenant).await;
    }
    eprintln!("{landed} kills in a run of {services} services: {made} invoices, as undisturbed");
}

/// Not a test: what the test above kills.
#[test]
#[ignore = "a process of other tests"]
fn worker_process() {
    work(trunkline_domain::registry());
}
