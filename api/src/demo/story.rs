//! Three months in the life of the demo's ISPs, lived day by day under the product's clock by the product's own use cases.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use chrono::{Days, TimeDelta};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rust_decimal::Decimal;
use trunkline_domain::billing::{self, AddTaxRegistration, Invoice, InvoiceFilter};
use trunkline_domain::branding::{self, UpdateBranding};
use trunkline_domain::identity::{self, CreateStaff, NewAccount};
use trunkline_domain::kernel::db::TenantDb;
use trunkline_domain::kernel::ids::{DirectorId, InvoiceId, PlanId, SubscriberId};
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::kernel::patch::Patch;
use trunkline_domain::network::{self, CreateNas, NasSecret};
use trunkline_domain::payments::{self, PaymentMethod, RecordPayment};
use trunkline_domain::plans;
use trunkline_domain::runs::{self, CreateDirector, ServiceOrder};
use trunkline_domain::services::CreateService;
use trunkline_domain::subscribers::{self, CreateSubscriber};
use trunkline_domain::tenants::{OpenTenant, Owner};
use trunkline_domain::{Actor, Clock, DAILY_JOBS, Error, jobs};
use uuid::Uuid;

use super::cast::{ADMIN, DIRECTOR, ISPS, Isp, PASSWORD};
use super::people::{Payer, Person, people};
use super::sessions::Network;
use crate::app::App;

/// Today is the last of them.
pub const DAYS: usize = 92;
/// So many days from the end usage is told day by day; before, more coarsely.
const DETAILED: usize = 31;

/// Tells the whole story. `radius_url` is where FreeRADIUS' login reaches the database.
pub async fn tell(app: &App, radius_url: &str, mut progress: impl FnMut(usize, usize)) -> Result<()> {
    let end = Clock::real();
    let day = |n: usize| end - TimeDelta::days((DAYS - 1 - n) as i64);
    app.database.set_test_clock(day(0)).await?;
    let director = open_platform(app).await?;
    let mut shops = Vec::new();
    for isp in &ISPS {
        shops.push(Shop::open(app, isp, director, radius_url).await?);
    }
    for n in 0..DAYS {
        progress(n, DAYS);
        let now = if n == DAYS - 1 { Clock::real() } else { day(n) };
        app.database.set_test_clock(now).await?;
        jobs::schedule_daily(&app.database, DAILY_JOBS).await?;
        drain(app).await?;
        all(&mut shops, async |shop| shop.trade(n).await).await?;
        drain(app).await?;
        all(&mut shops, async |shop| shop.collect(n).await).await?;
        drain(app).await?;
        all(&mut shops, async |shop| {
            let last = n == DAYS - 1;
            shop.network.day(now, n + DETAILED >= DAYS, last).await
        })
        .await?;
    }
    app.database.set_test_clock(Clock::real()).await?;
    Ok(())
}

/// The ISPs live side by side.
async fn all(shops: &mut [Shop], act: impl AsyncFn(&mut Shop) -> Result<()>) -> Result<()> {
    futures::future::try_join_all(shops.iter_mut().map(|shop| act(shop))).await?;
    Ok(())
}

async fn drain(app: &App) -> Result<()> {
    let drained = app.worker.drain().await?;
    anyhow::ensure!(
        drained.parked == 0,
        "{} jobs failed while the demo's history was made",
        drained.parked
    );
    Ok(())
}

async fn open_platform(app: &App) -> Result<DirectorId> {
    identity::ensure_first_admin(&app.database, ADMIN, PASSWORD).await?;
    let (name, person, email) = DIRECTOR;
    let account = NewAccount {
        name: person.into(),
        email: email.into(),
        password: PASSWORD.into(),
    };
    let cmd = CreateDirector {
        name: name.into(),
        account,
    };
    let director = runs::director_create(&app.database, &Arc::new(Actor::System), cmd).await?;
    Ok(director.id)
}

/// One ISP while its story is told.
struct Shop {
    isp: &'static Isp,
    db: TenantDb,
    network: Network,
    plans: HashMap<String, plans::Plan>,
    /// In the order in which they come.
    to_come: Vec<Person>,
    customers: HashMap<SubscriberId, Customer>,
    seen: HashSet<InvoiceId>,
    /// What will be paid on which day.
    promised: BTreeMap<usize, Vec<Promise>>,
    payments: u64,
    rng: StdRng,
}

struct Customer {
    payer: Payer,
    invoices: u32,
    /// What a pass of some hours costs, for those who buy one now and then.
    pass: Option<Decimal>,
    owes: bool,
}

struct Promise {
    subscriber: SubscriberId,
    invoice: InvoiceId,
    part: Part,
}

enum Part {
    All,
    Half,
    More,
}

impl Shop {
    async fn open(app: &App, isp: &'static Isp, director: DirectorId, radius_url: &str) -> Result<Self> {
        let cmd = OpenTenant {
            slug: isp.slug.into(),
            name: isp.name.into(),
            template: isp.template.into(),
            currency: None,
            timezone: None,
            director_id: Some(director),
            owner: Owner {
                name: isp.owner.into(),
                email: isp.owner_email(),
                password: PASSWORD.into(),
            },
            idempotency_key: None,
        };
        let system = Arc::new(Actor::System);
        runs::tenant_create(&app.database, &system, cmd)
            .await
            .map_err(told(isp.slug))?;
        app.directory.flush();
        let tenant = app.directory.by_slug(isp.slug).await?.context("the ISP was opened")?;
        let db = TenantDb::new(app.database.clone(), tenant, system);
        furnish(&db, isp).await.map_err(told(isp.slug))?;
        let plans = db
            .read(async |tx| plans::list(tx, PageRequest { first: 100, after: None }, false).await)
            .await?;
        let mut to_come = people(isp, DAYS);
        // taken from the end, in the order of `people` within a day
        to_come.reverse();
        to_come.sort_by_key(|p| std::cmp::Reverse(p.joins));
        Ok(Self {
            isp,
            db,
            network: Network::connect(radius_url, isp).await?,
            plans: plans.items.into_iter().map(|p| (p.code.clone(), p)).collect(),
            to_come,
            customers: HashMap::new(),
            seen: HashSet::new(),
            promised: BTreeMap::new(),
            payments: 0,
            rng: StdRng::seed_from_u64(isp.people as u64),
        })
    }

    /// Who comes today signs up; who uses passes may buy one.
    async fn trade(&mut self, day: usize) -> Result<()> {
        while let Some(person) = self.to_come.pop_if(|p| p.joins <= day) {
            self.sign_up(person).await?;
        }
        let mut buyers: Vec<_> = (self.customers.iter())
            .filter(|(_, c)| !c.owes)
            .filter_map(|(id, c)| Some((*id, c.pass?)))
            .collect();
        buyers.sort_by_key(|(id, _)| *id);
        for (subscriber, price) in buyers {
            if self.rng.random_range(0..100) < 8 {
                self.pay(subscriber, price, Vec::new()).await?;
            }
        }
        Ok(())
    }

    async fn sign_up(&mut self, person: Person) -> Result<()> {
        let plan = self
            .plans
            .get(person.plan)
            .with_context(|| format!("no plan {}", person.plan))?;
        let (plan_id, key) = (plan.id, Uuid::from_u128(self.rng.random()));
        let pass = matches!(person.plan, "HOUR" | "DAY").then_some(plan.price);
        let subscriber = register(&self.db, &person, plan_id, key)
            .await
            .map_err(told(&person.username))?;
        self.network.plug_in(&person);
        let customer = Customer {
            payer: person.payer,
            invoices: 0,
            pass,
            owes: false,
        };
        self.customers.insert(subscriber, customer);
        Ok(())
    }

    /// Hands new invoices to their payers and takes what they have promised for today.
    async fn collect(&mut self, day: usize) -> Result<()> {
        for invoice in self.new_invoices().await? {
            self.promise(day, &invoice);
        }
        for promise in self.promised.remove(&day).unwrap_or_default() {
            let invoice = self.db.read(async |tx| billing::get(tx, promise.invoice).await).await?;
            let hundred = Decimal::ONE_HUNDRED;
            let amount = match promise.part {
                Part::All => invoice.amount_due,
                Part::Half => (invoice.amount_due / Decimal::TWO).round_dp(2),
                Part::More => (invoice.amount_due / hundred).ceil() * hundred + hundred,
            };
            if let Some(customer) = self.customers.get_mut(&promise.subscriber) {
                customer.owes = false;
            }
            if invoice.amount_due > Decimal::ZERO {
                self.pay(promise.subscriber, amount, vec![promise.invoice]).await?;
            }
        }
        Ok(())
    }

    async fn new_invoices(&mut self) -> Result<Vec<Invoice>> {
        let mut new = Vec::new();
        let mut after = None;
        loop {
            let page = (self.db)
                .read(async move |tx| {
                    let yesterday = tx.today() - Days::new(1);
                    let filter = InvoiceFilter {
                        issued: Some((yesterday, tx.today())),
                        ..InvoiceFilter::default()
                    };
                    billing::list(tx, PageRequest { first: 100, after }, &filter).await
                })
                .await?;
            after = page.items.last().map(|i| (i.created_at, i.id));
            let more = page.has_next;
            new.extend(page.items.into_iter().filter(|i| self.seen.insert(i.id)));
            if !more {
                new.sort_by_key(|i| i.id);
                return Ok(new);
            }
        }
    }

    fn promise(&mut self, day: usize, invoice: &Invoice) {
        let Some(customer) = self.customers.get_mut(&invoice.subscriber_id) else {
            return;
        };
        customer.invoices += 1;
        customer.owes = true;
        let plan = match customer.payer {
            _ if customer.pass.is_some() => vec![(0, Part::All)],
            Payer::Prompt => vec![(self.rng.random_range(0..3), Part::All)],
            Payer::Late => vec![(self.rng.random_range(4..12), Part::All)],
            Payer::Halves => vec![(1, Part::Half), (self.rng.random_range(4..12), Part::All)],
            Payer::Generous => vec![(self.rng.random_range(0..3), Part::More)],
            Payer::Stops(after) if customer.invoices <= after => vec![(1, Part::All)],
            Payer::Stops(_) => Vec::new(),
        };
        for (days, part) in plan {
            let promise = Promise {
                subscriber: invoice.subscriber_id,
                invoice: invoice.id,
                part,
            };
            self.promised.entry(day + days).or_default().push(promise);
        }
    }

    async fn pay(&mut self, subscriber_id: SubscriberId, amount: Decimal, invoice_ids: Vec<InvoiceId>) -> Result<()> {
        self.payments += 1;
        let (method, reference) = self.means();
        let cmd = RecordPayment {
            subscriber_id,
            amount,
            method,
            reference,
            received_at: None,
            invoice_ids,
            key: Some(Uuid::from_u128(self.rng.random())),
        };
        let paid = self.db.write(async |tx| payments::record(tx, cmd.clone()).await).await;
        paid.map(|_| ()).map_err(told("a payment"))
    }

    /// What people pay with, with a reference as they come with it.
    fn means(&mut self) -> (PaymentMethod, Option<String>) {
        let luck = self.rng.random_range(0..100);
        let number = self.payments * 7_919;
        match (self.isp.country, luck) {
            ("KE", 0..85) => (PaymentMethod::MobileMoney, Some(format!("TKJ{:0>7}", base36(number)))),
            ("KE", _) | (_, 0..15) => (PaymentMethod::Cash, None),
            (_, 15..80) => (PaymentMethod::Upi, Some(format!("5{number:011}"))),
            (_, 80..90) => (PaymentMethod::Card, Some(format!("txn_{number:010}"))),
            _ => (PaymentMethod::BankTransfer, Some(format!("NEFT{number:010}"))),
        }
    }
}

/// What an owner does on the first day.
async fn furnish(db: &TenantDb, isp: &'static Isp) -> trunkline_domain::Result<()> {
    db.write(async move |tx| {
        let look = UpdateBranding {
            expected_version: branding::get(tx).await?.version,
            display_name: Patch::Keep,
            primary_color: Patch::Set(isp.color.into()),
            legal_name: Patch::Set(isp.legal_name.into()),
            address: Patch::Set(isp.address.iter().map(|l| (*l).into()).collect()),
            support_email: Patch::Set(format!("help@{}.example", isp.slug)),
            accent_color: Patch::Keep,
            support_phone: Patch::Keep,
            upi_id: isp.upi_id.map_or(Patch::Keep, |id| Patch::Set(id.into())),
        };
        branding::update(tx, look).await?;
        if let Some((region, tax_id)) = isp.tax_registration {
            let cmd = AddTaxRegistration {
                country: isp.country.into(),
                region: region.map(Into::into),
                tax_id: tax_id.into(),
            };
            billing::tax_registration_add(tx, cmd).await?;
        }
        let clerk = CreateStaff {
            name: isp.clerk.into(),
            email: isp.clerk_email(),
            password: PASSWORD.into(),
            role: "billing".into(),
        };
        identity::staff_create(tx, clerk).await?;
        let router = CreateNas {
            name: isp.router.name.into(),
            address: Some(isp.router.address.into()),
            secret: NasSecret::new(isp.router.secret),
            vendor: isp.router.vendor,
            coa_port: 3799,
        };
        network::create(tx, router).await?;
        Ok(())
    })
    .await
}

/// A new subscriber with a service, in one go as at a counter.
async fn register(db: &TenantDb, person: &Person, plan_id: PlanId, key: Uuid) -> trunkline_domain::Result<SubscriberId> {
    db.write(async |tx| {
        let cmd = CreateSubscriber {
            name: person.name.clone(),
            email: Some(person.email.clone()),
            phone: Some(person.phone.clone()),
            tax_id: None,
            tax_class: None,
            address: Some(person.address.clone()),
            bill_to_id: None,
            key: Some(key),
        };
        let subscriber = subscribers::create(tx, cmd).await?;
        if person.joins == 0 && person.username.ends_with(".1") {
            identity::subscriber_password_set(tx, subscriber.id, PASSWORD, None).await?;
        }
        let order = ServiceOrder {
            addons: Vec::new(),
            coupon_code: None,
            service: CreateService {
                subscriber_id: subscriber.id,
                plan_id,
                username: Some(person.username.clone()),
                password: Some(person.password.clone()),
                installation_address: None,
                starts_on: None,
            },
            activate: true,
            idempotency_key: key,
        };
        runs::service_create(tx, &order).await?;
        Ok(subscriber.id)
    })
    .await
}

/// A refusal here is a defect of the demo: say all of it.
fn told(what: &str) -> impl FnOnce(Error) -> anyhow::Error {
    let what = what.to_owned();
    move |e| anyhow!("{what}: {e:?}")
}

fn base36(mut n: u64) -> String {
    let mut digits = Vec::new();
    while n > 0 {
        digits.push(char::from_digit((n % 36) as u32, 36).unwrap_or('0').to_ascii_uppercase());
        n /= 36;
    }
    digits.into_iter().rev().collect()
}
