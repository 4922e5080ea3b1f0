//! An ISP that bills, one transaction a call.

use std::sync::Arc;

use chrono::Duration;
use futures::future::join_all;
use rust_decimal::Decimal;
use trunkline_domain::billing::{self, Invoice, IssueInvoice, ManualLine};
use trunkline_domain::kernel::actor::Permissions;
use trunkline_domain::kernel::db::{Database, DatabaseSettings, TenantDb};
use trunkline_domain::kernel::ids::{InvoiceId, PaymentId, StaffId, SubscriberId};
use trunkline_domain::payments::{self, Payment, PaymentMethod, RecordPayment, ReversePayment};
use trunkline_domain::subscribers::{self, CreateSubscriber};
use trunkline_domain::tenants::Directory;
use trunkline_domain::{Actor, Clock, Error, Permission, Result, ledger};
use uuid::Uuid;

use super::books;
use crate::harness::{TestDb, settings};

pub struct Isp {
    database: Database,
    /// Everything is allowed here.
    pub db: TenantDb,
    test: Arc<TestDb>,
}

/// Two Indian ISPs of one installation.
pub async fn two_isps() -> (Isp, Isp) {
    let test = Arc::new(TestDb::new().await);
    let settings = DatabaseSettings {
        max_connections: 16,
        ..settings(&test)
    };
    let database = Database::open(settings, Clock::system()).await.unwrap();
    let directory = Directory::new(database.clone(), "localhost");
    let mut isps = Vec::new();
    for slug in ["asha", "chandra"] {
        let tenant = directory.by_slug(slug).await.unwrap().expect("an ISP of the template");
        let db = TenantDb::new(database.clone(), tenant, Arc::new(Actor::System));
        isps.push(Isp {
            database: database.clone(),
            db,
            test: test.clone(),
        });
    }
    let second = isps.pop().unwrap();
    (isps.pop().unwrap(), second)
}

pub async fn isp() -> Isp {
    two_isps().await.0
}

impl Isp {
    /// The same ISP as another actor sees it.
    pub fn seen_by(&self, actor: Actor) -> TenantDb {
        TenantDb::new(self.database.clone(), self.db.tenant().clone(), Arc::new(actor))
    }

    pub fn staff(&self, permissions: &[Permission]) -> TenantDb {
        let names: Vec<String> = permissions.iter().map(ToString::to_string).collect();
        self.seen_by(Actor::Staff {
            id: StaffId::new(),
            name: "Clerk".into(),
            permissions: Arc::new(Permissions::parse(names.iter().map(String::as_str))),
        })
    }

    pub fn portal(&self, id: SubscriberId) -> TenantDb {
        self.seen_by(Actor::Subscriber {
            id,
            name: "Payer".into(),
        })
    }

    pub async fn subscriber(&self) -> SubscriberId {
        let cmd = CreateSubscriber {
            name: "Asha Rao".into(),
            email: None,
            phone: None,
            tax_id: None,
            tax_class: None,
            address: None,
            bill_to_id: None,
            key: None,
        };
        let made = self
            .db
            .write(async move |tx| subscribers::create(tx, cmd.clone()).await)
            .await;
        made.unwrap().id
    }

    /// An invoice over that much, due so many days from now.
    pub async fn invoice(&self, subscriber: SubscriberId, amount: &str, days: i64) -> InvoiceId {
        let cmd = IssueInvoice {
            subscriber_id: subscriber,
            lines: vec![ManualLine {
                description: "Cable".into(),
                quantity: Decimal::ONE,
                unit_price: decimal(amount),
                discount_percent: None,
                tax_code: None,
            }],
            due_on: None,
            idempotency_key: Uuid::now_v7(),
        };
        let made = self
            .db
            .write(async move |tx| {
                let due_on = Some(tx.today() + Duration::days(days));
                billing::issue_manual(tx, IssueInvoice { due_on, ..cmd.clone() }).await
            })
            .await
            .unwrap();
        assert_eq!(made.total, decimal(amount), "without a registration no tax is charged");
        made.id
    }

    pub async fn pay(&self, cmd: RecordPayment) -> Result<Payment> {
        self.db.write(async move |tx| payments::record(tx, cmd.clone()).await).await
    }

    pub async fn reverse(&self, id: PaymentId) -> Result<Payment> {
        self.reverse_with(id, Uuid::now_v7()).await
    }

    pub async fn reverse_with(&self, id: PaymentId, key: Uuid) -> Result<Payment> {
        let cmd = ReversePayment {
            id,
            reason: "Cheque bounced".into(),
            key: Some(key),
        };
        self.db.write(async move |tx| payments::reverse(tx, cmd.clone()).await).await
    }

    /// Status, paid, credited, due.
    pub async fn state(&self, invoice: InvoiceId) -> String {
        let i: Invoice = self.db.read(async move |tx| billing::get(tx, invoice).await).await.unwrap();
        let n = |d: Decimal| d.normalize();
        format!(
            "{} {} {} {}",
            i.status,
            n(i.amount_paid),
            n(i.amount_credited),
            n(i.amount_due)
        )
    }

    /// What the subscriber owes, and its credit in hand.
    pub async fn standing(&self, subscriber: SubscriberId) -> (String, String) {
        self.db
            .read(async move |tx| {
                let balance = ledger::balance(tx, subscriber).await?;
                let credit = ledger::credit_in_hand(tx, subscriber).await?;
                Ok((balance.amount().to_string(), credit.amount().to_string()))
            })
            .await
            .unwrap()
    }

    /// Invoices and amounts that a payment settled, in order.
    pub async fn allocations(&self, payment: PaymentId) -> Vec<(InvoiceId, String)> {
        let found = self
            .db
            .read(async move |tx| payments::allocations_of(tx, &[payment]).await)
            .await;
        let found = found.unwrap();
        found
            .iter()
            .map(|a| (a.invoice_id, a.amount.normalize().to_string()))
            .collect()
    }

    pub async fn assert_books(&self) {
        books::assert_hold(&self.db).await;
    }

    pub async fn cash_in_hand(&self) -> String {
        books::cash_in_hand(&self.db).await
    }

    /// Starts the calls while the subscriber is locked, and lets them go once so many of them wait: they truly meet.
    pub async fn pile_up<T: Send + 'static>(
        &self,
        subscriber: SubscriberId,
        waiting: i64,
        calls: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
    ) -> Vec<T> {
        let holder = self.db.begin(false).await.unwrap();
        subscribers::lock(&holder, subscriber).await.unwrap().expect("a subscriber");
        let calls: Vec<_> = calls.map(tokio::spawn).collect();
        let stand = self.until_waiting(waiting).await;
        drop(holder);
        let done = join_all(calls).await.into_iter().map(|c| c.unwrap()).collect();
        assert!(stand >= waiting, "only {stand} of {waiting} calls met");
        done
    }

    /// Waits until so many transactions wait for locks, for eight seconds at most; how many do.
    pub async fn until_waiting(&self, waiting: i64) -> i64 {
        let mut admin = self.test.admin().await;
        let mut stand = 0;
        for _ in 0..400 {
            stand = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(&mut admin)
            .await
            .unwrap();
            if stand >= waiting {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        stand
    }

    pub async fn payments(&self) -> i64 {
        self.db.read(async move |tx| payments::count(tx, None).await).await.unwrap()
    }
}

/// Cash, with a key of its own.
pub fn cash(subscriber: SubscriberId, amount: &str) -> RecordPayment {
    RecordPayment {
        subscriber_id: subscriber,
        amount: decimal(amount),
        method: PaymentMethod::Cash,
        reference: None,
        received_at: None,
        invoice_ids: Vec::new(),
        key: Some(Uuid::now_v7()),
    }
}

pub fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// The refusals, as `CODE field`.
pub fn refused<T>(result: Result<T>) -> Vec<String> {
    match result {
        Ok(_) => panic!("accepted"),
        Err(Error::User(all)) => all.iter().map(|e| format!("{} {}", e.code, e.field.join("."))).collect(),
        Err(other) => panic!("{other:?}"),
    }
}
