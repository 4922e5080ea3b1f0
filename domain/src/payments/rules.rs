//! What an acceptable payment is, and what it does to the books. Pure.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use rust_decimal::Decimal;

use super::entity::PaymentMethod;
use crate::kernel::check::Checks;
use crate::kernel::ids::SubscriberId;
use crate::kernel::money::{Currency, Money};
use crate::ledger::{Account, Transfer};

/// Above this an amount is a slip of the finger.
const MAX_AMOUNT: Decimal = Decimal::from_parts(3_567_587_328, 232, 0, false, 0);
/// Invoices that one payment may name.
pub(super) const MAX_INVOICES: usize = 100;
/// How far a payer's clock may be ahead of ours.
const LEEWAY: TimeDelta = TimeDelta::minutes(5);

/// A positive amount at the currency's scale; notes what is wrong with any other.
pub fn amount(amount: Decimal, currency: Currency, checks: &mut Checks) -> Option<Money> {
    if amount <= Decimal::ZERO {
        checks.ensure(false, "amount", "Must be positive.");
        return None;
    }
    if amount > MAX_AMOUNT {
        checks.ensure(false, "amount", "Is larger than any payment can be.");
        return None;
    }
    let money = Money::new(amount, currency).ok();
    let message = format!("Must have at most {} decimals.", currency.scale());
    checks.ensure(money.is_some(), "amount", &message);
    money
}

/// Money is received at or before it is recorded, and not before ISPs took payments through software.
pub(super) fn received_at(at: Option<DateTime<Utc>>, now: DateTime<Utc>, checks: &mut Checks) {
    let Some(at) = at else { return };
    checks.ensure(at <= now + LEEWAY, "receivedAt", "Must not be in the future.");
    let earliest = Utc.with_ymd_and_hms(2000, 1, 1, 0, 0, 0).earliest();
    checks.ensure(
        earliest.is_none_or(|e| at >= e),
        "receivedAt",
        "Must not be before the year 2000.",
    );
}

/// What a payment books: the money is in; invoices are owed less by what they took; the rest is credit in hand.
pub(super) fn booking(subscriber: SubscriberId, method: PaymentMethod, allocated: Money, unallocated: Money) -> Vec<Transfer> {
    let cash = Account::Cash(method.to_string());
    vec![
        Transfer::new(cash.clone(), Account::Receivable(subscriber), allocated),
        Transfer::new(cash, Account::SubscriberCredit(subscriber), unallocated),
    ]
}

/// What its reversal books.
pub(super) fn reversal(subscriber: SubscriberId, method: PaymentMethod, allocated: Money, unallocated: Money) -> Vec<Transfer> {
    let booked = booking(subscriber, method, allocated, unallocated);
    booked.into_iter().map(Transfer::reversed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T>(check: impl FnOnce(&mut Checks) -> T) -> bool {
        let mut checks = Checks::new();
        check(&mut checks);
        checks.done().is_err()
    }

    #[test]
    fn amounts_that_nobody_pays() {
        let inr: Currency = "INR".parse().expect("a currency");
        let jpy: Currency = "JPY".parse().expect("a currency");
        for (text, currency, good) in [
            ("0.01", inr, true),
            ("799", inr, true),
            ("799.00", inr, true),
            ("799.5000", inr, true),
            ("1000000000000", inr, true),
            ("1000000000000.01", inr, false),
            ("999999999999999.9999", inr, false),
            ("0", inr, false),
            ("-0.00", inr, false),
            ("-1", inr, false),
            ("0.001", inr, false),
            ("799.005", inr, false),
            ("500", jpy, true),
            ("500.0", jpy, true),
            ("500.5", jpy, false),
        ] {
            let value: Decimal = text.parse().expect("a decimal");
            assert_eq!(!refused(|c| amount(value, currency, c)), good, "{text} {currency}");
        }
        let padded = amount(Decimal::from(799), inr, &mut Checks::new()).expect("accepted");
        assert_eq!(padded.amount().to_string(), "799.00");
    }

    #[test]
    fn money_comes_in_before_it_is_recorded() {
        let now = Utc.with_ymd_and_hms(2026, 4, 1, 0, 0, 0).earliest().expect("an instant");
        for (minutes, good) in [(-60, true), (0, true), (5, true), (6, false), (-27 * 366 * 24 * 60, false)] {
            let at = now + TimeDelta::minutes(minutes);
            assert_eq!(!refused(|c| received_at(Some(at), now, c)), good, "{at}");
        }
        assert!(!refused(|c| received_at(None, now, c)));
    }

    #[test]
    fn a_reversal_mirrors_the_booking() {
        let subscriber = SubscriberId::new();
        let rupees = |n| Money::from_minor_units(n, "INR".parse().expect("a currency")).expect("an amount");
        let booked = booking(subscriber, PaymentMethod::Upi, rupees(900), rupees(100));
        let mirrored = reversal(subscriber, PaymentMethod::Upi, rupees(900), rupees(100));
        for (there, back) in booked.iter().zip(&mirrored) {
            assert_eq!(
                (there.debit(), there.credit(), there.amount()),
                (back.credit(), back.debit(), back.amount())
            );
        }
        assert_eq!(booked.len(), mirrored.len());
        assert!(booked.iter().all(|t| *t.debit() == Account::Cash("UPI".into())));
    }
}
