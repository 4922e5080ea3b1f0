use chrono::{Duration, TimeZone, Utc};
use trunkline_domain::kernel::ids::{InvoiceId, SubscriberId};
use trunkline_domain::payments::{PaymentMethod, RecordPayment};
use uuid::Uuid;

use super::isp::{cash, decimal, isp, refused, two_isps};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oldest_due_is_settled_first_and_a_surplus_is_credit_that_the_next_invoice_takes() {
    let isp = isp().await;
    let payer = isp.subscriber().await;
    let late = isp.invoice(payer, "500", 20).await;
    let soon = isp.invoice(payer, "300.50", 10).await;
    assert_eq!(isp.standing(payer).await, ("800.50".into(), "0.00".into()));

    let first = isp.pay(cash(payer, "400")).await.unwrap();
    assert_eq!(
        isp.allocations(first.id).await,
        [(soon, "300.5".into()), (late, "99.5".into())]
    );
    assert_eq!(isp.state(soon).await, "PAID 300.5 0 0");
    assert_eq!(isp.state(late).await, "PARTIALLY_PAID 99.5 0 400.5");

    let second = isp.pay(cash(payer, "1000")).await.unwrap();
    assert_eq!(second.unallocated, decimal("599.50"));
    assert_eq!(isp.standing(payer).await, ("-599.50".into(), "599.50".into()));

    let next = isp.invoice(payer, "700", 15).await;
    assert_eq!(isp.state(next).await, "PARTIALLY_PAID 0 599.5 100.5");
    assert_eq!(isp.standing(payer).await, ("100.50".into(), "0.00".into()));
    assert_eq!(isp.cash_in_hand().await, "1400");
    isp.assert_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn named_invoices_are_settled_in_their_order_and_no_others() {
    let (isp, other) = two_isps().await;
    let payer = isp.subscriber().await;
    let a = isp.invoice(payer, "100", 1).await;
    let b = isp.invoice(payer, "100", 2).await;
    let c = isp.invoice(payer, "100", 3).await;
    let naming = |amount: &str, invoice_ids: Vec<InvoiceId>| RecordPayment {
        invoice_ids,
        ..cash(payer, amount)
    };
    let paid = isp.pay(naming("150", vec![c, b])).await.unwrap();
    assert_eq!(isp.allocations(paid.id).await, [(c, "100".into()), (b, "50".into())]);
    assert_eq!(isp.state(a).await, "ISSUED 0 0 100");

    let neighbour = isp.subscriber().await;
    let theirs = isp.invoice(neighbour, "100", 1).await;
    let abroad = other.invoice(other.subscriber().await, "100", 1).await;
    let wrong = isp.pay(naming("10", vec![a, c, theirs, abroad, InvoiceId::new()])).await;
    assert_eq!(
        refused(wrong),
        [
            "INVALID_STATE invoiceIds.1",
            "NOT_FOUND invoiceIds.2",
            "NOT_FOUND invoiceIds.3",
            "NOT_FOUND invoiceIds.4"
        ]
    );
    assert_eq!(refused(isp.pay(naming("10", vec![a, b, a])).await), ["INVALID invoiceIds.2"]);
    assert_eq!(refused(isp.pay(naming("10", vec![a; 101])).await), ["INVALID invoiceIds"]);
    assert_eq!(isp.payments().await, 1, "a refusal leaves nothing behind");

    let over = isp.pay(naming("250", vec![a])).await.unwrap();
    assert_eq!(over.unallocated, decimal("150"));
    assert_eq!(isp.state(b).await, "PARTIALLY_PAID 50 0 50");
    isp.assert_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_payment_can_be() {
    let (isp, other) = two_isps().await;
    let payer = isp.subscriber().await;
    let foreign = other.subscriber().await;
    let now = Utc.with_ymd_and_hms(1999, 12, 31, 23, 59, 59).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the product runs on the machine's clock here")]
    let soon = Utc::now() + Duration::minutes(6);
    let changed: Vec<(Box<dyn Fn(&mut RecordPayment)>, &[&str])> = vec![
        (Box::new(|c| c.amount = decimal("0")), &["INVALID amount"]),
        (Box::new(|c| c.amount = decimal("-5")), &["INVALID amount"]),
        (Box::new(|c| c.amount = decimal("0.001")), &["INVALID amount"]),
        (Box::new(|c| c.amount = decimal("1000000000000.01")), &["INVALID amount"]),
        (Box::new(|c| c.amount = decimal("999999999999999.9999")), &["INVALID amount"]),
        (Box::new(move |c| c.received_at = Some(now)), &["INVALID receivedAt"]),
        (Box::new(move |c| c.received_at = Some(soon)), &["INVALID receivedAt"]),
        (Box::new(|c| c.reference = Some("x".repeat(101))), &["INVALID reference"]),
        (Box::new(|c| c.reference = Some("a\u{0}b".into())), &["INVALID reference"]),
        (
            Box::new(|c| c.subscriber_id = SubscriberId::new()),
            &["NOT_FOUND subscriberId"],
        ),
        (Box::new(move |c| c.subscriber_id = foreign), &["NOT_FOUND subscriberId"]),
        (
            Box::new(move |c| {
                c.amount = decimal("-1");
                c.received_at = Some(now);
                c.reference = Some("\n\u{7}\n".into());
            }),
            &["INVALID amount", "INVALID reference", "INVALID receivedAt"],
        ),
    ];
    for (n, (change, wanted)) in changed.iter().enumerate() {
        let mut cmd = cash(payer, "10");
        change(&mut cmd);
        assert_eq!(refused(isp.pay(cmd.clone()).await), *wanted, "case {n}");
        // A refusal stores no key: mended, the same call goes through.
        let mended = RecordPayment {
            key: cmd.key,
            ..cash(payer, "10")
        };
        isp.pay(mended).await.unwrap();
    }
    assert_eq!(isp.payments().await, changed.len() as i64);
    assert_eq!(other.payments().await, 0);
    isp.assert_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reference_of_electronic_money_is_used_once_whatever_its_case() {
    let isp = isp().await;
    let payer = isp.subscriber().await;
    let by = |method, reference: &str| RecordPayment {
        method,
        reference: Some(reference.into()),
        ..cash(payer, "10")
    };
    let first = isp.pay(by(PaymentMethod::MobileMoney, "  QK12ab ")).await.unwrap();
    assert_eq!(first.reference.as_deref(), Some("QK12ab"));
    for method in [PaymentMethod::MobileMoney, PaymentMethod::Upi, PaymentMethod::Card] {
        assert_eq!(refused(isp.pay(by(method, "qk12AB")).await), ["TAKEN reference"]);
    }
    for method in [
        PaymentMethod::Cash,
        PaymentMethod::Cheque,
        PaymentMethod::BankTransfer,
        PaymentMethod::Other,
    ] {
        isp.pay(by(method, "QK12ab")).await.unwrap();
    }
    let anonymous = RecordPayment {
        method: PaymentMethod::Upi,
        reference: Some("   ".into()),
        ..cash(payer, "10")
    };
    for _ in 0..2 {
        let paid = isp
            .pay(RecordPayment {
                key: None,
                ..anonymous.clone()
            })
            .await
            .unwrap();
        assert_eq!(paid.reference, None, "blank is no reference");
    }
    isp.assert_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_makes_one_payment() {
    let isp = isp().await;
    let payer = isp.subscriber().await;
    isp.invoice(payer, "100", 5).await;
    let cmd = RecordPayment {
        reference: Some("R1".into()),
        ..cash(payer, "100")
    };
    let first = isp.pay(cmd.clone()).await.unwrap();
    assert_eq!(isp.pay(cmd.clone()).await.unwrap(), first);
    let respelt = RecordPayment {
        amount: decimal("100.0000"),
        reference: Some(" R1 ".into()),
        ..cmd.clone()
    };
    assert_eq!(isp.pay(respelt).await.unwrap(), first, "the same input, written otherwise");

    let others = [
        RecordPayment {
            amount: decimal("101"),
            ..cmd.clone()
        },
        RecordPayment {
            method: PaymentMethod::Cheque,
            ..cmd.clone()
        },
        RecordPayment {
            reference: None,
            ..cmd.clone()
        },
        RecordPayment {
            subscriber_id: isp.subscriber().await,
            ..cmd.clone()
        },
        RecordPayment {
            received_at: Some(first.received_at),
            ..cmd.clone()
        },
    ];
    for other in others {
        assert_eq!(refused(isp.pay(other).await), ["IDEMPOTENCY_KEY_REUSED idempotencyKey"]);
    }
    isp.pay(RecordPayment {
        key: Some(Uuid::now_v7()),
        ..cmd.clone()
    })
    .await
    .unwrap();
    assert_eq!(isp.payments().await, 2);

    // A replay tells how things stand now.
    isp.reverse(first.id).await.unwrap();
    let replayed = isp.pay(cmd).await.unwrap();
    assert_eq!((replayed.id, replayed.status.to_string()), (first.id, "REVERSED".into()));
    isp.assert_books().await;
}
