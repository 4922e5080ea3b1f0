//! Random lives of services, with trials, add-ons and discounts: whatever happens in whatever order, each day is charged once or
//! provably credited, what is charged less what is credited is the exact value of the days but for rounding, and the books
//! balance after every step. Busy lives are those of which staff correct the money meanwhile, too; those with pauses are off for some
//! days because their subscriber is away.

mod checks;
mod staff;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sqlx::PgConnection;

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
    /// Of what staff do, and of pauses, so that a life without them stays the same.
    staff: Option<StdRng>,
    pauses: Option<StdRng>,
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
    async fn begin(app: &'a TestApp, slug: &str, zone: &'static str, seed: Seed) -> Self {
        let mut random = StdRng::seed_from_u64(seed.number);
        let staff = seed.busy.then(|| StdRng::seed_from_u64(!seed.number));
        let mut pauses = seed.pauses.then(|| StdRng::seed_from_u64(seed.number.rotate_left(32)));
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
        if let Some(random) = &mut pauses {
            isp.bills(json!({ "prepaidRenewal": one(random, &["INVOICE", "WHEN_COVERED"]) }))
                .await;
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
            staff,
            pauses,
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
}

/// What makes a life.
#[derive(Clone, Copy, Debug)]
struct Seed {
    number: u64,
    /// Staff correct prices and money meanwhile.
    busy: bool,
    /// It is off for some days now and then.
    pauses: bool,
}

impl Seed {
    const fn of(number: u64) -> Self {
        Self {
            number,
            busy: false,
            pauses: false,
        }
    }

    const fn busy(self) -> Self {
        Self { busy: true, ..self }
    }

    const fn pausing(self) -> Self {
        Self { pauses: true, ..self }
    }
}

/// `TRUNKLINE_LIFE=9638214685261598412`, or `…=busy:9638214685261598412`, `…=pausing:…`, `…=busy:pausing:…`: that one alone, with
/// what each step leaves behind.
fn told() -> Option<Seed> {
    let told = std::env::var_os("TRUNKLINE_LIFE")?.into_string().unwrap();
    let mut parts = told.split(':').rev();
    let number = parts.next().unwrap().parse().unwrap();
    Some(parts.fold(Seed::of(number), |seed, kind| match kind {
        "busy" => seed.busy(),
        "pausing" => seed.pausing(),
        other => panic!("a life that is {other}"),
    }))
}

async fn live(slug: &str, zone: &'static str, seed: Seed) {
    let app = TestApp::new().await;
    println!("{seed:?} in {zone}");
    let mut life = Life::begin(&app, slug, zone, seed).await;
    let mut story = vec![format!("{seed:?} in {zone}")];
    for step in 0..STEPS {
        // Nobody has heard of its first invoice yet when the first days go by.
        let on_at = (step > 0 && life.is_on().await).then_some(life.at);
        life.later().await;
        life.tell(&story).await;
        life.check_between(on_at, &story).await;
        let (at, step) = (life.at, life.step().await);
        story.push(format!("{at}: {step}"));
        life.tell(&story).await;
        life.check(&story).await;
        for step in [life.correct().await, life.pause().await].into_iter().flatten() {
            story.push(format!("{at}: {step}"));
            life.tell(&story).await;
            life.check(&story).await;
        }
    }
    app.run_jobs().await;
}

/// Fixed seeds, so that a run is like the one before, and those that found something; `make soak` draws a hundred that nobody has
/// seen.
fn seeds(found: &[Seed]) -> Vec<Seed> {
    if let Some(seed) = told() {
        tracing_subscriber::fmt().with_test_writer().try_init().ok();
        return vec![seed];
    }
    let both = |seed: Seed| seed.busy().pausing();
    let fixed = [1, 2]
        .map(Seed::of)
        .into_iter()
        .flat_map(|seed| [seed, seed.busy(), seed.pausing(), both(seed)]);
    let unseen = || Seed::of(rand::random());
    let mut seeds: Vec<Seed> = fixed.chain(found.to_vec()).chain([Seed::of(3)]).collect();
    if std::env::var_os("TRUNKLINE_SOAK").is_some() {
        let round = |_| [both(unseen()), unseen().busy(), unseen().pausing(), unseen()];
        seeds.extend((0..25).flat_map(round));
    }
    seeds
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
    lives_in_kolkata: "asha" "Asia/Kolkata" [
        Seed::of(16154046346852824258),
        Seed::of(8698286195664362134),
        Seed::of(4080608494375361254).busy(),
        Seed::of(17866613938743758451).busy(),
    ];
    lives_in_nairobi: "asha" "Africa/Nairobi" [];
    lives_in_new_york: "chandra" "America/New_York" [
        Seed::of(9638214685261598412).busy(),
        Seed::of(878462593068789187).busy().pausing(),
        Seed::of(4891455405151781608).busy().pausing(),
    ];
    lives_in_auckland: "chandra" "Pacific/Auckland" [
        Seed::of(8937032837867416405),
        Seed::of(2152691551775721603),
        Seed::of(2308862693544670012).busy(),
        Seed::of(2723835211731635747).busy(),
        Seed::of(14678698124979207977).busy(),
        Seed::of(4482338248468368911).busy(),
    ];
}
