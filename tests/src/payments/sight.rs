//! Who may record, reverse and see what.

use trunkline_domain::kernel::actor::Permissions;
use trunkline_domain::kernel::db::TenantDb;
use trunkline_domain::kernel::ids::{PaymentId, SubscriberId};
use trunkline_domain::kernel::page::PageRequest;
use trunkline_domain::payments::{self, ReversePayment};
use trunkline_domain::{Actor, Error, Permission, ledger};

use super::isp::{cash, two_isps};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_those_who_may_move_money() {
    let (isp, _) = two_isps().await;
    let payer = isp.subscriber().await;
    let paid = isp.pay(cash(payer, "10")).await.unwrap();
    let money = [Permission::PaymentWrite, Permission::PaymentReverse];
    let everything_else: Vec<Permission> = Permissions::all().iter().filter(|p| !money.contains(p)).collect();
    let actors = [
        (isp.staff(&everything_else), false, false),
        (isp.staff(&[Permission::PaymentWrite]), true, false),
        (isp.staff(&[Permission::PaymentReverse]), false, true),
        (isp.portal(payer), false, false),
        (isp.seen_by(Actor::Anonymous), false, false),
    ];
    for (n, (db, may_record, may_reverse)) in actors.iter().enumerate() {
        let record = cash(payer, "1");
        let recorded = db.write(async |tx| payments::record(tx, record.clone()).await).await;
        assert_eq!(allowed(recorded), *may_record, "actor {n} records");
        let reverse = ReversePayment {
            id: paid.id,
            reason: "Test".into(),
            key: None,
        };
        let reversed = db.write(async |tx| payments::reverse(tx, reverse.clone()).await).await;
        assert_eq!(allowed(reversed), *may_reverse, "actor {n} reverses");
    }
    isp.assert_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_sees_its_own_money_and_another_isp_nothing() {
    let (isp, other) = two_isps().await;
    let (mine, theirs) = (isp.subscriber().await, isp.subscriber().await);
    let invoice = isp.invoice(mine, "5", 1).await;
    let own = isp.pay(cash(mine, "10")).await.unwrap();
    let foreign = isp.pay(cash(theirs, "20")).await.unwrap();

    let portal = isp.portal(mine);
    assert_eq!(seen(&portal, own.id).await, Some(own.clone()));
    assert_eq!(seen(&portal, foreign.id).await, None);
    assert_eq!(listed(&portal, None).await.unwrap(), [own.id]);
    assert_eq!(listed(&portal, Some(mine)).await.unwrap(), [own.id]);
    assert!(matches!(listed(&portal, Some(theirs)).await, Err(Error::Forbidden)));
    let allocations = portal
        .read(async |tx| payments::allocations_of(tx, &[own.id, foreign.id]).await)
        .await
        .unwrap();
    assert_eq!(allocations.iter().map(|a| a.invoice_id).collect::<Vec<_>>(), [invoice]);
    let balances = portal
        .read(async |tx| ledger::balances(tx, &[mine, theirs]).await)
        .await
        .unwrap();
    assert_eq!(balances.len(), 1);
    assert_eq!(balances[&mine].amount().to_string(), "-5.00");

    let clerk = isp.staff(&[Permission::PaymentRead]);
    assert_eq!(listed(&clerk, None).await.unwrap(), [foreign.id, own.id], "newest first");
    assert_eq!(listed(&clerk, Some(theirs)).await.unwrap(), [foreign.id]);
    assert!(matches!(
        clerk.read(async |tx| ledger::balances(tx, &[mine]).await).await,
        Err(Error::Forbidden)
    ));
    assert!(matches!(
        listed(&isp.staff(&[Permission::PaymentWrite]), None).await,
        Err(Error::Forbidden)
    ));
    assert!(matches!(
        listed(&isp.seen_by(Actor::Anonymous), None).await,
        Err(Error::Unauthenticated)
    ));

    assert_eq!(seen(&other.db, own.id).await, None);
    assert_eq!(listed(&other.db, None).await.unwrap(), []);
    assert_eq!(listed(&other.db, Some(mine)).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_follow_each_other_without_gaps() {
    let (isp, _) = two_isps().await;
    let payer = isp.subscriber().await;
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(isp.pay(cash(payer, "1")).await.unwrap().id);
    }
    made.reverse();
    let (mut walked, mut after) = (Vec::new(), None);
    loop {
        let request = PageRequest { first: 3, after };
        let page = isp
            .db
            .read(async |tx| payments::list(tx, request.clone(), Some(payer)).await)
            .await
            .unwrap();
        walked.extend(page.items.iter().map(|p| p.id));
        after = page.items.last().map(|p| (p.created_at, p.id));
        if !page.has_next {
            break;
        }
    }
    assert_eq!(walked, made);
}

fn allowed<T>(result: Result<T, Error>) -> bool {
    match result {
        Ok(_) => true,
        Err(Error::Forbidden | Error::Unauthenticated) => false,
        Err(other) => panic!("{other:?}"),
    }
}

async fn seen(db: &TenantDb, id: PaymentId) -> Option<payments::Payment> {
    db.read(async |tx| payments::find(tx, id).await).await.unwrap()
}

async fn listed(db: &TenantDb, of: Option<SubscriberId>) -> Result<Vec<PaymentId>, Error> {
    let request = PageRequest { first: 10, after: None };
    let page = db.read(async |tx| payments::list(tx, request.clone(), of).await).await?;
    Ok(page.items.iter().map(|p| p.id).collect())
}
