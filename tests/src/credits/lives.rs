//! Many at once, and random lives of two subscribers' money.

use proptest::prelude::*;
use rust_decimal::Decimal;
use trunkline_domain::billing::{self, ReverseWriteOff, WriteOffInvoice};
use trunkline_domain::credits::{self, ChargeDeposit, PayOut, RefundCredit, ReturnDeposit, TransferCredit};
use trunkline_domain::kernel::db::TenantDb;
use trunkline_domain::kernel::ids::{DepositId, InvoiceId, SubscriberId};
use trunkline_domain::payments::PaymentMethod;
use trunkline_domain::{Error, Result};
use uuid::Uuid;

use crate::payments::isp::{Isp, cash, isp};

async fn refund(db: TenantDb, subscriber: SubscriberId, amount: Decimal) -> Result<()> {
    let cmd = RefundCredit {
        subscriber_id: subscriber,
        amount,
        method: PaymentMethod::Cash,
        reference: None,
        reason: "Asked for".into(),
        payment_id: None,
        idempotency_key: Uuid::now_v7(),
    };
    db.write(async move |tx| credits::credit_refund(tx, cmd.clone()).await)
        .await
        .map(|_| ())
}

async fn transfer(db: TenantDb, from: SubscriberId, to: SubscriberId, amount: Decimal) -> Result<()> {
    let cmd = TransferCredit {
        from_subscriber_id: from,
        to_subscriber_id: to,
        amount,
        reason: "Asked for".into(),
        idempotency_key: Uuid::now_v7(),
    };
    db.write(async move |tx| credits::credit_transfer(tx, cmd.clone()).await)
        .await
        .map(|_| ())
}

async fn write_off(db: TenantDb, invoice: InvoiceId, amount: Option<Decimal>) -> Result<()> {
    let cmd = WriteOffInvoice {
        invoice_id: invoice,
        amount,
        reason: "Gone".into(),
        idempotency_key: Uuid::now_v7(),
    };
    db.write(async move |tx| billing::invoice_write_off(tx, cmd.clone()).await)
        .await
        .map(|_| ())
}

/// Two of one customer: the second is paid for by the first.
async fn pair(isp: &Isp) -> (SubscriberId, SubscriberId) {
    let (a, b) = (isp.subscriber().await, isp.subscriber().await);
    let sql = "UPDATE subscriber SET phone = '+919845012345' WHERE id = ANY($1)";
    isp.db
        .write(async move |tx| tx.sql(sql).bind(SubscriberId::array(&[a, b])).run().await)
        .await
        .unwrap();
    (a, b)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_no_more_than_is_there_succeed() {
    let isp = isp().await;
    let (a, b) = pair(&isp).await;
    isp.pay(cash(a, "1000")).await.unwrap();
    let owed = isp.invoice(b, "1000", 10).await;
    let calls = (0..12).map(|n| {
        let db = isp.db.clone();
        async move {
            match n % 3 {
                0 => refund(db, a, Decimal::from(150)).await,
                1 => transfer(db, a, b, Decimal::from(150)).await,
                _ => write_off(db, owed, Some(Decimal::from(300))).await,
            }
        }
    });
    let done = isp.pile_up(a, 6, calls).await;
    assert!(done.iter().all(|d| matches!(d, Ok(()) | Err(Error::User(_)))), "{done:?}");
    let (_, credit) = isp.standing(a).await;
    assert_eq!(credit, "100.00", "six of 150 fit into 1000: {done:?}");
    isp.assert_books().await;
}

/// What may happen to two subscribers' money.
#[derive(Clone, Debug)]
enum Step {
    Pay(bool, u16),
    Invoice(bool, u16),
    Refund(bool, u16),
    Transfer(bool, u16),
    WriteOff(u16),
    Recover,
    Deposit(bool, u16),
    Return(u16, bool),
    ReversePayment,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let amount = 1_u16..60_000;
    let step = prop_oneof![
        (any::<bool>(), amount.clone()).prop_map(|(w, n)| Step::Pay(w, n)),
        (any::<bool>(), amount.clone()).prop_map(|(w, n)| Step::Invoice(w, n)),
        (any::<bool>(), amount.clone()).prop_map(|(w, n)| Step::Refund(w, n)),
        (any::<bool>(), amount.clone()).prop_map(|(w, n)| Step::Transfer(w, n)),
        amount.clone().prop_map(Step::WriteOff),
        Just(Step::Recover),
        (any::<bool>(), amount.clone()).prop_map(|(w, n)| Step::Deposit(w, n)),
        (amount, any::<bool>()).prop_map(|(n, out)| Step::Return(n, out)),
        Just(Step::ReversePayment),
    ];
    prop::collection::vec(step, 5..25)
}

struct Lives<'a> {
    isp: &'a Isp,
    pair: (SubscriberId, SubscriberId),
    invoices: Vec<InvoiceId>,
    deposits: Vec<DepositId>,
    payments: Vec<trunkline_domain::kernel::ids::PaymentId>,
}

impl Lives<'_> {
    async fn step(&mut self, step: &Step) -> Result<()> {
        let minor = |n: u16| Decimal::new(i64::from(n), 2);
        let who = |first: bool| if first { self.pair.0 } else { self.pair.1 };
        let db = self.isp.db.clone();
        match *step {
            Step::Pay(w, n) => self
                .payments
                .push(self.isp.pay(cash(who(w), &minor(n).to_string())).await?.id),
            Step::Invoice(w, n) => self.invoices.push(self.isp.invoice(who(w), &minor(n).to_string(), 3).await),
            Step::Refund(w, n) => refund(db, who(w), minor(n)).await?,
            Step::Transfer(w, n) => transfer(db, who(w), who(!w), minor(n)).await?,
            Step::WriteOff(n) => {
                if let Some(last) = self.invoices.last() {
                    write_off(db, *last, Some(minor(n))).await?;
                }
            }
            Step::Recover => {
                let Some(last) = self.invoices.last().copied() else {
                    return Ok(());
                };
                let cmd = ReverseWriteOff {
                    invoice_id: last,
                    reason: "A slip".into(),
                    idempotency_key: Uuid::now_v7(),
                };
                db.write(async move |tx| billing::invoice_write_off_reverse(tx, cmd.clone()).await)
                    .await?;
            }
            Step::Deposit(w, n) => {
                let cmd = ChargeDeposit {
                    subscriber_id: who(w),
                    service_id: None,
                    amount: minor(n),
                    description: "Router".into(),
                    due_on: None,
                    idempotency_key: Uuid::now_v7(),
                };
                let made = db
                    .write(async move |tx| credits::deposit_charge(tx, cmd.clone()).await)
                    .await?;
                self.deposits.push(made.id);
            }
            Step::Return(n, out) => {
                let Some(last) = self.deposits.last().copied() else {
                    return Ok(());
                };
                let pay_out = out.then_some(PayOut {
                    method: PaymentMethod::Cash,
                    reference: None,
                });
                let cmd = ReturnDeposit {
                    id: last,
                    amount: Some(minor(n)),
                    reason: "Came back".into(),
                    pay_out,
                    idempotency_key: Uuid::now_v7(),
                };
                db.write(async move |tx| credits::deposit_return(tx, cmd.clone()).await)
                    .await?;
            }
            Step::ReversePayment => {
                if let Some(last) = self.payments.pop() {
                    self.isp.reverse(last).await?;
                }
            }
        }
        Ok(())
    }
}

#[test]
fn the_books_hold_after_every_step() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let isp = runtime.block_on(isp());
    let config = ProptestConfig {
        cases: 12,
        failure_persistence: None,
        max_shrink_iters: 40,
        ..ProptestConfig::default()
    };
    proptest!(config, |(steps in steps())| {
        runtime.block_on(async {
            let mut lives = Lives {
                isp: &isp,
                pair: pair(&isp).await,
                invoices: Vec::new(),
                deposits: Vec::new(),
                payments: Vec::new(),
            };
            for step in &steps {
                match lives.step(step).await {
                    Ok(()) | Err(Error::User(_)) => {}
                    Err(other) => panic!("{step:?}: {other:?}"),
                }
                isp.assert_books().await;
            }
        });
    });
    drop(isp);
}
