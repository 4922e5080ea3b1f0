//! A year, with days on which no run took place: every day of every service is charged once, in periods that follow from
//! its start and from nothing else, at the plan's price.

use std::sync::Arc;

use chrono::{Datelike, Days, Months, NaiveDate};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use trunkline_domain::Actor;
use trunkline_domain::kernel::db::TenantDb;
use trunkline_domain::kernel::ids::SubscriberId;
use trunkline_domain::payments::{self, PaymentMethod, RecordPayment};
use uuid::Uuid;

use crate::harness::{TestApp, execute, id};

const DAYS: u64 = 400;

/// New York's clocks go on on 8 March and Auckland's back on 5 April 2026; months of 28, 30 and 31 days are clamped to.
const STARTS: [&str; 5] = ["2026-03-02", "2026-03-07", "2026-03-31", "2026-04-04", "2026-04-30"];

/// What is sold: periods of what length, at which price, charged when.
struct Offer {
    unit: &'static str,
    count: u32,
    price: &'static str,
    mode: &'static str,
    bill_in: &'static str,
}

const fn offer(unit: &'static str, count: u32, price: &'static str, mode: &'static str, bill_in: &'static str) -> Offer {
    Offer {
        unit,
        count,
        price,
        mode,
        bill_in,
    }
}

static OFFERS: [Offer; 8] = [
    offer("MONTH", 1, "999.00", "PREPAID", "ADVANCE"),
    offer("MONTH", 1, "777.77", "POSTPAID", "ADVANCE"),
    offer("MONTH", 1, "611.11", "POSTPAID", "ARREARS"),
    offer("DAY", 2, "33.30", "PREPAID", "ADVANCE"),
    offer("DAY", 10, "120.00", "POSTPAID", "ARREARS"),
    offer("WEEK", 1, "250.01", "PREPAID", "ADVANCE"),
    offer("WEEK", 2, "410.00", "POSTPAID", "ADVANCE"),
    offer("MONTH", 3, "2500.00", "PREPAID", "ADVANCE"),
];

/// An ISP whose services are watched.
struct Isp {
    db: TenantDb,
    role: String,
    zone: &'static str,
    /// Under CALENDAR.
    calendar_day: Option<u32>,
    lead_days: u64,
    sold: Vec<Sold>,
}

struct Sold {
    service: Uuid,
    offer: &'static Offer,
    start: NaiveDate,
}

impl Isp {
    async fn open(app: &TestApp, slug: &str, zone: &'static str, random: &mut StdRng) -> Self {
        let mut admin = app.db.admin().await;
        let sql = format!("UPDATE platform.tenant SET timezone = '{zone}' WHERE slug = '{slug}'");
        execute(&mut admin, sql).await;
        let calendar_day = random.random_bool(0.5).then(|| random.random_range(1..=28));
        let lead_days = random.random_range(0..5);
        let isp = app.on(slug).as_owner();
        // A run is late by three days at most, and what it invoices is paid at once.
        isp.bills(json!({
            "anchor": if calendar_day.is_some() { "CALENDAR" } else { "ANNIVERSARY" }, "calendarDay": calendar_day.unwrap_or(1),
            "activation": "ON_CREATE", "renewalLeadDays": lead_days, "graceDays": 5,
        }))
        .await;
        println!("{slug} in {zone}: on day {calendar_day:?}, {lead_days} days ahead");
        let mut sold = Vec::new();
        for (n, offer) in OFFERS.iter().enumerate() {
            let plan = json!({ "price": offer.price, "paymentMode": offer.mode, "billIn": offer.bill_in,
                "period": { "unit": offer.unit, "count": offer.count } });
            let plan = isp.plan(&format!("p{n}"), plan).await;
            for start in [STARTS[n % STARTS.len()], STARTS[random.random_range(0..STARTS.len())]] {
                let name = format!("{}.{n}", sold.len());
                let (subscriber, _) = isp.subscriber(&name, json!({ "address": null })).await;
                let (service, _) = isp.service(&subscriber, &plan, &name, json!({ "startsOn": start })).await;
                sold.push(Sold {
                    service: uuid_of(&id(&service)),
                    offer,
                    start: start.parse().unwrap(),
                });
            }
        }
        let tenant = app.app.directory.by_slug(slug).await.unwrap().expect("an ISP");
        Self {
            role: tenant.role().to_owned(),
            db: TenantDb::new(app.app.database.clone(), tenant, Arc::new(Actor::System)),
            zone,
            calendar_day,
            lead_days,
            sold,
        }
    }

    /// Everybody pays what is due.
    async fn pay_all(&self, admin: &mut PgConnection) {
        let sql = format!(
            "SELECT subscriber_id, sum(amount_due)::text FROM \"{}\".invoice WHERE amount_due > 0 GROUP BY 1",
            self.role
        );
        let owing: Vec<(Uuid, String)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(admin).await.unwrap();
        for (subscriber, amount) in owing {
            let payment = RecordPayment {
                subscriber_id: SubscriberId(subscriber),
                amount: amount.parse().unwrap(),
                method: PaymentMethod::Cash,
                reference: None,
                received_at: None,
                invoice_ids: Vec::new(),
                key: Some(Uuid::now_v7()),
            };
            let paid = self
                .db
                .write(async move |tx| payments::record(tx, payment.clone()).await)
                .await;
            paid.unwrap();
        }
    }

    /// Where the periods of a service begin and end, as long as they are charged by `today`.
    fn wanted(&self, sold: &Sold, today: NaiveDate) -> Vec<[NaiveDate; 2]> {
        let offer = sold.offer;
        let months = offer.unit == "MONTH";
        // A whole period from the day itself, or the days up to it first.
        let first = match self.calendar_day.filter(|_| months) {
            Some(day) => (sold.start.iter_days())
                .find(|d| d.day() == day)
                .expect("every month has that day"),
            None => sold.start,
        };
        let nth = |k: u32| match offer.unit {
            "MONTH" => first.checked_add_months(Months::new(k * offer.count)).unwrap(),
            "WEEK" => first + Days::new(u64::from(7 * k * offer.count)),
            _ => first + Days::new(u64::from(k * offer.count)),
        };
        let stub = (first != sold.start).then_some([sold.start, first]);
        let all = stub.into_iter().chain((0..).map(|k| [nth(k), nth(k + 1)]));
        let charged = |[from, until]: &[NaiveDate; 2]| match offer.bill_in {
            "ARREARS" => *until <= today,
            // The first is charged when it is ordered.
            _ => *from == sold.start || *from <= today + Days::new(self.lead_days),
        };
        all.take_while(charged).collect()
    }

    /// What a period costs: the price, or its share of the days up to the ISP's day of the month.
    fn price(&self, sold: &Sold, [from, until]: [NaiveDate; 2]) -> Decimal {
        let price: Decimal = sold.offer.price.parse().unwrap();
        let months = Months::new(sold.offer.count);
        if sold.offer.unit != "MONTH" || self.calendar_day.is_none() || from.checked_add_months(months) == Some(until) {
            return price;
        }
        let full = (until - until.checked_sub_months(months).unwrap()).num_days();
        let share = price * Decimal::from((until - from).num_days()) / Decimal::from(full);
        share.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
    }

    async fn check(&self, admin: &mut PgConnection) {
        let today: NaiveDate = sqlx::query_scalar("SELECT (platform.now() AT TIME ZONE $1)::date")
            .bind(self.zone)
            .fetch_one(&mut *admin)
            .await
            .unwrap();
        for sold in &self.sold {
            let sql = format!(
                "SELECT (lower(c.period) AT TIME ZONE $2)::text, (upper(c.period) AT TIME ZONE $2)::text, l.amount::numeric(19,2)::text
                 FROM \"{}\".coverage c JOIN \"{}\".invoice_line l ON l.id = c.invoice_line_id
                 WHERE c.service_id = $1 ORDER BY lower(c.period)",
                self.role, self.role
            );
            let charged: Vec<(String, String, String)> = sqlx::query_as(AssertSqlSafe(sql))
                .bind(sold.service)
                .bind(self.zone)
                .fetch_all(&mut *admin)
                .await
                .unwrap();
            let wanted = self.wanted(sold, today).into_iter().map(|p| {
                let [from, until] = p.map(|day| format!("{day} 00:00:00"));
                (from, until, format!("{:.2}", self.price(sold, p)))
            });
            let wanted: Vec<_> = wanted.collect();
            let Offer { unit, count, mode, .. } = sold.offer;
            assert!(wanted.len() >= 4, "a year has several periods of {count} {unit}");
            assert_eq!(
                charged, wanted,
                "{count} {unit}, {mode}, from {} in {}",
                sold.start, self.zone
            );
        }
        let sql = format!(
            "SELECT (SELECT count(*) FROM \"{role}\".invoice_line) - (SELECT count(*) FROM \"{role}\".coverage),
                 (SELECT count(*) FROM \"{role}\".service WHERE status <> 'ACTIVE'),
                 (SELECT count(*) FROM \"{role}\".invoice WHERE amount_due <> 0)",
            role = self.role
        );
        let wrong: (i64, i64, i64) = sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&mut *admin).await.unwrap();
        assert_eq!(
            wrong,
            (0, 0, 0),
            "lines that charge no period, services that are off, invoices that are owed"
        );
    }
}

fn uuid_of(id: &str) -> Uuid {
    id.parse::<trunkline_domain::kernel::ids::ServiceId>().unwrap().0
}

async fn a_year(isps: [(&str, &'static str); 2], seed: u64) {
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let app = TestApp::new().await;
    app.set_clock("2026-03-02T06:00:00Z").await;
    let mut watched = Vec::new();
    for (slug, zone) in isps {
        watched.push(Box::pin(Isp::open(&app, slug, zone, &mut random)).await);
    }
    let mut admin = app.db.admin().await;
    let first: NaiveDate = "2026-03-02".parse().unwrap();
    let (mut day, mut left_out) = (0, 0);
    while day < DAYS {
        // At any hour of the day, some ISPs being in tomorrow already; not within minutes of anybody's midnight.
        let at = first + Days::new(day);
        let at = at
            .and_hms_opt(random.random_range(0..24), random.random_range(1..25), 0)
            .unwrap();
        if day > 0 {
            app.set_clock(&format!("{at}Z").replace(' ', "T")).await;
        }
        let done = app.run_jobs().await;
        assert_eq!(done.parked, 0, "{at}");
        for isp in &watched {
            isp.pay_all(&mut admin).await;
        }
        app.run_jobs().await;
        let skipped = if random.random_bool(0.3) {
            random.random_range(1..=3)
        } else {
            0
        };
        left_out += skipped;
        day += 1 + skipped;
    }
    assert!(left_out > DAYS / 5, "only {left_out} days without a run");
    for isp in &watched {
        isp.check(&mut admin).await;
    }
}

#[tokio::test]
async fn in_kolkata_and_nairobi() {
    a_year([("asha", "Asia/Kolkata"), ("baraka", "Africa/Nairobi")], rand::random()).await;
}

#[tokio::test]
async fn in_new_york_and_auckland() {
    a_year(
        [("asha", "America/New_York"), ("chandra", "Pacific/Auckland")],
        rand::random(),
    )
    .await;
}
