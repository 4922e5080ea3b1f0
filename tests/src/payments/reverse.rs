use trunkline_domain::kernel::ids::PaymentId;
use trunkline_domain::payments::{PaymentStatus, RecordPayment, ReversePayment, reverse};
use uuid::Uuid;

use super::isp::{cash, isp, refused, two_isps};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_payment_settled_is_owed_again() {
    let isp = isp().await;
    let payer = isp.subscriber().await;
    let a = isp.invoice(payer, "100", 1).await;
    let b = isp.invoice(payer, "100", 2).await;
    isp.pay(cash(payer, "30")).await.unwrap();
    let wrong = isp.pay(cash(payer, "190")).await.unwrap();
    assert_eq!(isp.standing(payer).await, ("-20.00".into(), "20.00".into()));

    let reversed = isp.reverse(wrong.id).await.unwrap();
    assert_eq!(reversed.status, PaymentStatus::Reversed);
    assert!(reversed.reversed_at.is_some());
    assert_eq!(isp.state(a).await, "PARTIALLY_PAID 30 0 70");
    assert_eq!(isp.state(b).await, "ISSUED 0 0 100");
    assert_eq!(isp.standing(payer).await, ("170.00".into(), "0.00".into()));
    assert_eq!(isp.cash_in_hand().await, "30");
    isp.assert_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credit_that_invoices_consumed_is_taken_back_from_the_newest() {
    let isp = isp().await;
    let payer = isp.subscriber().await;
    let kept = isp.pay(cash(payer, "100")).await.unwrap();
    let wrong = isp.pay(cash(payer, "250")).await.unwrap();
    let oldest = isp.invoice(payer, "120", 1).await;
    let middle = isp.invoice(payer, "120", 1).await;
    let newest = isp.invoice(payer, "120", 1).await;
    assert_eq!(isp.state(newest).await, "PARTIALLY_PAID 0 110 10");
    assert_eq!(isp.standing(payer).await, ("10.00".into(), "0.00".into()));

    isp.reverse(wrong.id).await.unwrap();
    // 250 were left over; 110 come back from the newest, 120 from the middle, 20 of 120 from the oldest.
    assert_eq!(isp.state(newest).await, "ISSUED 0 0 120");
    assert_eq!(isp.state(middle).await, "ISSUED 0 0 120");
    assert_eq!(isp.state(oldest).await, "PARTIALLY_PAID 0 100 20");
    assert_eq!(isp.standing(payer).await, ("260.00".into(), "0.00".into()));
    isp.assert_books().await;

    isp.reverse(kept.id).await.unwrap();
    assert_eq!(isp.state(oldest).await, "ISSUED 0 0 120");
    assert_eq!(isp.standing(payer).await, ("360.00".into(), "0.00".into()));
    assert_eq!(isp.cash_in_hand().await, "0");
    isp.assert_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_reversed_once() {
    let (isp, other) = two_isps().await;
    let payer = isp.subscriber().await;
    isp.invoice(payer, "100", 1).await;
    let paid = isp.pay(cash(payer, "150")).await.unwrap();
    let key = Uuid::now_v7();
    let reversed = isp.reverse_with(paid.id, key).await.unwrap();
    assert_eq!(isp.reverse_with(paid.id, key).await.unwrap(), reversed, "a replay");
    assert_eq!(refused(isp.reverse(paid.id).await), ["INVALID_STATE id"]);
    assert_eq!(refused(isp.reverse(PaymentId::new()).await), ["NOT_FOUND id"]);
    assert_eq!(refused(other.reverse(paid.id).await), ["NOT_FOUND id"]);
    let another = isp.pay(cash(payer, "10")).await.unwrap();
    assert_eq!(
        refused(isp.reverse_with(another.id, key).await),
        ["IDEMPOTENCY_KEY_REUSED idempotencyKey"]
    );
    for reason in ["", "  ", "a\u{0}", &"x".repeat(501)] {
        let cmd = ReversePayment {
            id: another.id,
            reason: reason.into(),
            key: None,
        };
        let result = isp.db.write(async |tx| reverse(tx, cmd.clone()).await).await;
        assert_eq!(refused(result).len(), 1, "{reason:?}");
    }
    assert_eq!(isp.cash_in_hand().await, "10");
    isp.assert_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_electronic_reference_stays_used_after_a_reversal() {
    let isp = isp().await;
    let payer = isp.subscriber().await;
    let cmd = RecordPayment {
        method: trunkline_domain::payments::PaymentMethod::Upi,
        reference: Some("UPI-1".into()),
        ..cash(payer, "10")
    };
    let paid = isp.pay(cmd.clone()).await.unwrap();
    isp.reverse(paid.id).await.unwrap();
    let again = isp.pay(RecordPayment { key: None, ..cmd }).await;
    assert_eq!(refused(again), ["TAKEN reference"]);
}
