//! Random lives of services, with trials, add-ons and discounts: whatever happens in whatever order, each day is charged once or
//! provably credited, what is charged less what is credited is the exact value of the days but for rounding, and the books
//! balance after every step.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use trunkline_domain::billing::rules::{CreditExplanation, Explanation, replay, replay_credit};

use crate::harness::{Ask, TestApp, execute, id, key};

const STEPS: usize = 22;

/// One that is watched.
struct Life<'a> {
    app: &'a TestApp,
    isp: Ask<'a>,
    admin: PgConnection,
    role: String,
    zone: &'static str,
    random: StdRng,
    service: String,
    subscriber: String,
    plans: Vec<String>,
    addons: Vec<String>,
    at: chrono::NaiveDateTime,
}

fn one<'v>(random: &mut StdRng, of: &[&'v str]) -> &'v str {
    of[random.random_range(0..of.len())]
}

impl<'a> Life<'a> {
    async fn begin(app: &'a TestApp, slug: &str, zone: &'static str, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut admin = app.db.admin().await;
        execute(
            &mut admin,
            format!("UPDATE platform.tenant SET timezone = '{zone}' WHERE slug = '{slug}'"),
        )
        .await;
        // New York puts its clocks on on 8 March, Auckland back on 5 April.
        let at = "2026-02-20T06:00:00".parse::<chrono::NaiveDateTime>().unwrap();
        app.set_clock(&format!("{at}Z")).await;
        let isp = app.on(slug).as_owner();
        isp.bills(json!({
            "suspensionCredit": one(&mut random, &["NONE", "CREDIT_DAYS", "SHIFT_PERIOD"]),
            "terminationCredit": one(&mut random, &["NONE", "UNUSED_DAYS"]),
            "planChangeDocument": one(&mut random, &["CREDIT_NOTE_AND_INVOICE", "DIFFERENCE"]),
            "anchor": one(&mut random, &["ANNIVERSARY", "CALENDAR"]),
            "renewalLeadDays": random.random_range(0..6), "graceDays": random.random_range(0..6),
            "calendarDay": random.random_range(1..=28),
        }))
        .await;
        if random.random_bool(0.5) {
            isp.register_for_gst().await;
        }
        let mut plans = Vec::new();
        for (n, plan) in [
            json!({ "price": "900.00" }),
            json!({ "price": "1499.99" }),
            json!({ "price": "333.33" }),
            json!({ "paymentMode": "POSTPAID", "price": "777.77" }),
            json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS", "price": "611.00" }),
            json!({ "period": { "unit": "WEEK", "count": 1 }, "price": "250.01" }),
            json!({ "price": "450.00", "trialDays": 9 }),
            json!({ "paymentMode": "POSTPAID", "billIn": "ARREARS", "price": "512.34", "trialDays": 16 }),
        ]
        .into_iter()
        .enumerate()
        {
            plans.push(isp.plan(&format!("p{n}"), plan).await);
        }
        let addons = vec![
            isp.addon("ip", json!({ "price": "123.45" })).await,
            isp.addon("tv", json!({ "price": "66.00" })).await,
        ];
        let (subscriber, _) = isp.subscriber("Somebody", json!({ "address": null })).await;
        let (service, _) = isp
            .service(&subscriber, &plans[random.random_range(0..plans.len())], "user", json!({}))
            .await;
        let role = app.db.tenants.iter().find(|t| t.slug == slug).unwrap().role.clone();
        Self {
            app,
            service: id(&service),
            isp,
            admin,
            role,
            zone,
            random,
            subscriber,
            plans,
            addons,
            at,
        }
    }

    async fn later(&mut self) {
        let hours = self.random.random_range(1..240);
        self.at += chrono::TimeDelta::hours(hours);
        self.app.set_clock(&format!("{}Z", self.at)).await;
        self.app.run_jobs().await;
    }

    /// Something happens; a refusal is all right, an error is not.
    async fn step(&mut self) -> String {
        let plan = self.plans[self.random.random_range(0..self.plans.len())].clone();
        let (service, key) = (self.service.clone(), key());
        let (name, input) = match self.random.random_range(0..22) {
            0..=5 => return self.pay().await,
            16..=21 => return self.vary().await,
            6 | 7 => (
                "serviceSuspend",
                json!({ "id": service, "reason": "x", "idempotencyKey": key }),
            ),
            8..=10 => ("serviceResume", json!({ "id": service, "idempotencyKey": key })),
            11 | 12 => (
                "serviceChangePlan",
                json!({ "id": service, "planId": plan, "timing": "NOW", "idempotencyKey": key }),
            ),
            13 => (
                "serviceChangePlan",
                json!({ "id": service, "planId": plan, "timing": "NEXT_PERIOD", "idempotencyKey": key }),
            ),
            14 => ("serviceChangeCancel", json!({ "id": service })),
            _ if self.random.random_range(0..3) == 0 => {
                let day = (self.at.date() + chrono::Days::new(self.random.random_range(0..20))).to_string();
                (
                    "serviceTerminate",
                    json!({ "id": service, "reason": "x", "effectiveOn": day, "idempotencyKey": key }),
                )
            }
            _ => return "nothing".into(),
        };
        let refusals = self.isp.mutate(name, input.clone(), "service { id }").await.refusals();
        self.app.run_jobs().await;
        format!("{name} {input}: {refusals:?}")
    }

    /// Add-ons and discounts come and go.
    async fn vary(&mut self) -> String {
        let (service, key) = (self.service.clone(), key());
        let (name, input, made) = match self.random.random_range(0..6) {
            0 | 1 => {
                let addon = self.addons[self.random.random_range(0..self.addons.len())].clone();
                let (quantity, later) = (self.random.random_range(1..4), self.random.random_range(0..20));
                let from = (self.at.date() + chrono::Days::new(later)).to_string();
                let input = json!({ "serviceId": service, "addonId": addon, "quantity": quantity, "startsOn": from,
                    "idempotencyKey": key });
                ("serviceAddonAdd", input, "serviceAddon { id }")
            }
            2 => match self.some_of("addons").await {
                Some(addon) => (
                    "serviceAddonEnd",
                    json!({ "id": addon, "idempotencyKey": key }),
                    "serviceAddon { id }",
                ),
                None => return "no add-on".into(),
            },
            3 | 4 => {
                let mut input = json!({ "serviceId": service, "name": "Off", "idempotencyKey": key });
                match self.random.random_range(0..4) {
                    0 => input["amount"] = json!(one(&mut self.random, &["50.00", "333.34", "2000.00"])),
                    _ => {
                        input["percent"] = json!(one(&mut self.random, &["10", "33.3333", "100"]));
                        input["withAddons"] = json!(self.random.random_bool(0.5));
                    }
                }
                if self.random.random_bool(0.7) {
                    input["periods"] = json!(self.random.random_range(1..3));
                }
                ("serviceDiscountAdd", input, "discount { id }")
            }
            _ => match self.some_of("discounts").await {
                Some(discount) => ("serviceDiscountEnd", json!({ "id": discount }), "discount { id }"),
                None => return "no discount".into(),
            },
        };
        let refusals = self.isp.mutate(name, input.clone(), made).await.refusals();
        self.app.run_jobs().await;
        format!("{name} {input}: {refusals:?}")
    }

    /// One of the add-ons or discounts that the service has or had.
    async fn some_of(&mut self, what: &str) -> Option<Value> {
        let query = "query($id: ID!) { service(id: $id) { addons { id } discounts { id } } }";
        let service = self.isp.gql(query, json!({ "id": self.service })).await.at("service");
        let all = service[what].as_array().unwrap();
        (!all.is_empty()).then(|| all[self.random.random_range(0..all.len())]["id"].clone())
    }

    async fn pay(&mut self) -> String {
        let query = "query($id: ID!) { subscriber(id: $id) { balance { amount } } }";
        let owed = self
            .isp
            .gql(query, json!({ "id": self.subscriber }))
            .await
            .text_at("subscriber.balance.amount");
        let owed: Decimal = owed.parse().unwrap();
        if owed <= Decimal::ZERO {
            return "nothing to pay".into();
        }
        self.isp.pay(&self.subscriber, &owed.to_string()).await;
        self.app.run_jobs().await;
        format!("paid {owed}")
    }

    async fn ask(&mut self, sql: &str) -> Vec<Value> {
        let text = format!("SELECT to_jsonb(x) FROM ({sql}) x").replace("{role}", &format!("\"{}\"", self.role));
        let text = text.replace("{zone}", self.zone);
        sqlx::query_scalar(AssertSqlSafe(text))
            .fetch_all(&mut self.admin)
            .await
            .unwrap()
    }

    async fn none(&mut self, what: &str, sql: &str, story: &[String]) {
        let found = self.ask(sql).await;
        assert!(found.is_empty(), "{what}: {found:#?}\n{}", story.join("\n"));
    }

    async fn check(&mut self, story: &[String]) {
        self.none(
            "a running total is not what its transfers sum to",
            "SELECT a.* FROM {role}.ledger_account a LEFT JOIN LATERAL (
                 SELECT coalesce(sum(amount) FILTER (WHERE debit_account_id = a.id), 0) AS debit,
                     coalesce(sum(amount) FILTER (WHERE credit_account_id = a.id), 0) AS credit
                 FROM {role}.ledger_transfer t WHERE a.id IN (t.debit_account_id, t.credit_account_id)) s ON true
             WHERE a.subscriber_id IS NOT NULL AND (a.debit_total, a.credit_total) <> (s.debit, s.credit)",
            story,
        )
        .await;
        self.none(
            "the balance is not what is due less the credit in hand",
            "SELECT 1 FROM (SELECT coalesce(sum(debit_total - credit_total), 0) AS owed FROM {role}.ledger_account
                 WHERE kind = 'RECEIVABLE') r, (SELECT coalesce(sum(amount_due), 0) AS due FROM {role}.invoice) i WHERE owed <> due",
            story,
        )
        .await;
        self.none(
            "credit notes are not what their invoice says",
            "SELECT i.id FROM {role}.invoice i LEFT JOIN {role}.credit_note n ON n.invoice_id = i.id GROUP BY i.id
             HAVING i.credit_noted <> coalesce(sum(n.total), 0)",
            story,
        )
        .await;
        self.check_days(story).await;
        self.check_today(story).await;
        self.check_explanations(story).await;
    }

    /// Each line comes out of its explanation again.
    async fn check_explanations(&mut self, story: &[String]) {
        for line in self
            .ask("SELECT amount::numeric(19,2)::text, explanation FROM {role}.invoice_line")
            .await
        {
            let of: Explanation = serde_json::from_value(line["explanation"].clone()).unwrap();
            let again = replay(&of).unwrap().amount.amount().to_string();
            assert_eq!(json!(again), line["amount"], "{line:#}\n{}", story.join("\n"));
        }
        for line in self
            .ask("SELECT amount::numeric(19,2)::text, explanation FROM {role}.credit_note_line")
            .await
        {
            let of: CreditExplanation = serde_json::from_value(line["explanation"].clone()).unwrap();
            let again = replay_credit(&of).unwrap().amounts.amount.amount().to_string();
            assert_eq!(json!(again), line["amount"], "{line:#}\n{}", story.join("\n"));
        }
    }

    /// Of each line: the days that it charges are covered or credited, and it has come to what the covered ones are worth.
    async fn check_days(&mut self, story: &[String]) {
        let lines = self
            .ask(
                "SELECT l.id, l.amount, (l.explanation #>> '{line,charge,price,amount}')::numeric AS price,
                     (l.explanation #>> '{line,charge,days,days}')::integer AS days,
                     (l.explanation #>> '{line,charge,days,period_days}')::integer AS total,
                     coalesce((l.explanation #>> '{line,charge,units}')::integer, 1) AS units,
                     coalesce(l.explanation #> '{line,discount,parts}', '[]') AS parts,
                     c.spread, coalesce(c.days, 0) AS covered, coalesce(c.value, 0) AS value,
                     coalesce(n.days, 0) AS credited, coalesce(n.amount, 0) AS gone, coalesce(n.lines, 0) AS lines
                 FROM {role}.invoice_line l
                 LEFT JOIN LATERAL (
                     SELECT max(c.days) AS spread, sum(d.days) AS days,
                         sum(d.days * coalesce(c.price, (l.explanation #>> '{line,charge,price,amount}')::numeric)) AS value
                     FROM {role}.coverage c, LATERAL (SELECT (upper(c.period) AT TIME ZONE '{zone}')::date
                         - (lower(c.period) AT TIME ZONE '{zone}')::date AS days) d WHERE c.invoice_line_id = l.id) c ON true
                 LEFT JOIN LATERAL (
                     SELECT sum(m.amount) AS amount, count(*) AS lines,
                         sum((m.period_ends_at AT TIME ZONE '{zone}')::date - (m.period_starts_at AT TIME ZONE '{zone}')::date)
                             FILTER (WHERE m.explanation #>> '{credit,type}' <> 'CHEAPER') AS days
                     FROM {role}.credit_note_line m WHERE m.invoice_line_id = l.id) n ON true
                 WHERE l.kind = 'PERIOD'",
            )
            .await;
        for line in lines {
            let number = |name: &str| line[name].to_string().trim_matches('"').parse::<Decimal>().unwrap();
            let spread = if line["spread"].is_null() {
                number("days")
            } else {
                number("spread")
            };
            let moved = spread != number("days");
            // What was charged at nothing is not covered any more without a credit note.
            if number("covered") > Decimal::ZERO && number("amount") > Decimal::ZERO {
                assert_eq!(
                    number("covered") + number("credited"),
                    spread,
                    "{line:#}\n{}",
                    story.join("\n")
                );
            }
            let left = number("amount") - number("gone");
            let parts = line["parts"].as_array().unwrap();
            let of_full_period = number("days") / spread / number("total");
            let worth = number("value") * number("units") * of_full_period;
            let worth = parts
                .iter()
                .fold(worth, |left, part| less(left, part, number("covered") * of_full_period));
            let rounded = Decimal::from(parts.len() + 1);
            let bound = Decimal::new(1, 2) * (number("lines") + Decimal::ONE) * rounded;
            let close = (left - worth).abs() <= bound;
            assert!(
                close || moved,
                "{left} is left, {worth} is worth: {line:#}\n{}",
                story.join("\n")
            );
        }
    }

    /// A service that is on has today charged once, or is charged for it when its period ends.
    async fn check_today(&mut self, story: &[String]) {
        // Nothing is charged between the day's run and the next: what resumes meanwhile waits for that.
        let sql = "SELECT s.status, p.bill_in, s.ends_on, s.next_billing_on,
                 coalesce(s.next_billing_on <= (platform.now() AT TIME ZONE '{zone}')::date, false) AS is_due, (SELECT count(*) FROM {role}.coverage c
                 JOIN {role}.invoice_line l ON l.id = c.invoice_line_id
                 WHERE c.service_id = s.id AND c.charge = 'plan' AND c.period @> platform.now()
                     AND (p.bill_in = 'ADVANCE' OR l.description NOT LIKE '%free trial%')) AS covered
             FROM {role}.service s JOIN {role}.plan p ON p.id = s.plan_id";
        for service in self.ask(sql).await {
            let on = ["ACTIVE", "GRACE"].contains(&service["status"].as_str().unwrap());
            let expected = match (on, service["bill_in"].as_str().unwrap()) {
                (true, "ADVANCE") if service["is_due"] == true => continue,
                (true, "ADVANCE") => json!(1),
                (true, _) => json!(0),
                (false, _) => continue,
            };
            assert_eq!(service["covered"], expected, "{service:#}\n{}", story.join("\n"));
        }
    }
}

/// What a discount leaves of what a share of a full period is worth.
fn less(left: Decimal, part: &Value, share: Decimal) -> Decimal {
    let number = |value: &Value| value.as_str().unwrap().parse::<Decimal>().unwrap();
    match part["off"]["type"].as_str().unwrap() {
        "PERCENT" => left * (Decimal::ONE_HUNDRED - number(&part["off"]["percent"])) / Decimal::ONE_HUNDRED,
        _ => (left - number(&part["off"]["amount"]["amount"]) * share).max(Decimal::ZERO),
    }
}

async fn live(slug: &str, zone: &'static str, seed: u64) {
    let app = TestApp::new().await;
    println!("seed {seed} in {zone}");
    let mut life = Life::begin(&app, slug, zone, seed).await;
    let mut story = vec![format!("seed {seed} in {zone}")];
    for _ in 0..STEPS {
        life.later().await;
        let (at, step) = (life.at, life.step().await);
        story.push(format!("{at}: {step}"));
        life.check(&story).await;
    }
    app.run_jobs().await;
}

/// Fixed seeds, so that a run is like the one before, those that found something, and one that nobody has seen; `make soak`
/// has many of these.
fn seeds(found: &[u64]) -> impl Iterator<Item = u64> {
    let unseen = if std::env::var_os("TRUNKLINE_SOAK").is_some() { 50 } else { 1 };
    [1, 2, 3]
        .into_iter()
        .chain(found.to_vec())
        .chain(std::iter::repeat_with(rand::random).take(unseen))
}

macro_rules! lives {
    ($($name:ident: $slug:literal $zone:literal $found:expr;)+) => {$(
        #[tokio::test]
        async fn $name() {
            for seed in seeds(&$found) {
                live($slug, $zone, seed).await;
            }
        }
    )+};
}

lives! {
    lives_in_kolkata: "asha" "Asia/Kolkata" [16154046346852824258, 8698286195664362134];
    lives_in_nairobi: "asha" "Africa/Nairobi" [];
    lives_in_new_york: "chandra" "America/New_York" [];
    lives_in_auckland: "chandra" "Pacific/Auckland" [8937032837867416405, 2152691551775721603];
}
