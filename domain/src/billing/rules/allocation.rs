//! Which invoices a payment settles.

use chrono::NaiveDate;

use crate::kernel::money::{Money, MoneyError};

/// An invoice with something due on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenInvoice<Id> {
    pub id: Id,
    pub due_on: NaiveDate,
    pub issued_on: NaiveDate,
    pub amount_due: Money,
}

/// What went where; the allocations and `unallocated` sum to the amount received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocated<Id> {
    /// Only positive amounts, in the order of settlement.
    pub allocations: Vec<(Id, Money)>,
    pub unallocated: Money,
}

/// Why an amount cannot be allocated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllocationError<Id> {
    #[error(transparent)]
    Money(#[from] MoneyError),
    #[error("only a positive amount can be allocated")]
    NotPositive,
    #[error("the invoice is not open")]
    NotOpen(Id),
}

/// Allocates to the `preferred` invoices in their order and to no others; when none are named, to the oldest
/// due first, then the oldest issued, then the order given. Never more than is due on an invoice.
pub fn allocate<Id: Copy + PartialEq>(
    amount: Money,
    open: &[OpenInvoice<Id>],
    preferred: &[Id],
) -> Result<Allocated<Id>, AllocationError<Id>> {
    if !amount.is_positive() {
        return Err(AllocationError::NotPositive);
    }
    let mut allocations: Vec<(Id, Money)> = Vec::new();
    let mut left = amount;
    for invoice in in_order(open, preferred)? {
        let part = left.at_most(invoice.amount_due)?;
        let known = allocations.iter().any(|(id, _)| *id == invoice.id);
        if part.is_positive() && !known {
            left = left.checked_sub(part)?;
            allocations.push((invoice.id, part));
        }
    }
    Ok(Allocated {
        allocations,
        unallocated: left,
    })
}

fn in_order<'a, Id: Copy + PartialEq>(
    open: &'a [OpenInvoice<Id>],
    preferred: &[Id],
) -> Result<Vec<&'a OpenInvoice<Id>>, AllocationError<Id>> {
    if preferred.is_empty() {
        let mut all: Vec<_> = open.iter().collect();
        all.sort_by_key(|invoice| (invoice.due_on, invoice.issued_on));
        return Ok(all);
    }
    let find = |id: &Id| (open.iter()).find(|invoice| invoice.id == *id);
    (preferred.iter())
        .map(|id| find(id).ok_or(AllocationError::NotOpen(*id)))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    fn rupees(minor: i64) -> Money {
        Money::from_minor_units(minor, "INR".parse().expect("a currency")).expect("an amount")
    }

    fn open(id: u32, due: i32, issued: i32, minor: i64) -> OpenInvoice<u32> {
        let day = |n| NaiveDate::from_num_days_from_ce_opt(739_000 + n).expect("a date");
        OpenInvoice {
            id,
            due_on: day(due),
            issued_on: day(issued),
            amount_due: rupees(minor),
        }
    }

    #[test]
    fn who_comes_first() {
        let invoices = [open(1, 20, 5, 100), open(2, 10, 9, 100), open(3, 10, 8, 100)];
        let ids = |amount, preferred: &[u32]| {
            let done = allocate(rupees(amount), &invoices, preferred).expect("allocated");
            let pairs: Vec<_> = (done.allocations.iter())
                .map(|(id, part)| (*id, part.minor_units()))
                .collect();
            (pairs, done.unallocated.minor_units())
        };
        assert_eq!(ids(150, &[]), (vec![(3, 100), (2, 50)], 0));
        assert_eq!(ids(350, &[]), (vec![(3, 100), (2, 100), (1, 100)], 50));
        assert_eq!(ids(150, &[1]), (vec![(1, 100)], 50));
        assert_eq!(ids(150, &[1, 2]), (vec![(1, 100), (2, 50)], 0));
        assert_eq!(ids(250, &[1, 1]), (vec![(1, 100)], 150));
    }

    #[test]
    fn what_cannot_be_allocated() {
        let invoices = [open(1, 0, 0, 100)];
        assert_eq!(allocate(rupees(0), &invoices, &[]), Err(AllocationError::NotPositive));
        assert_eq!(allocate(rupees(1), &invoices, &[9]), Err(AllocationError::NotOpen(9)));
        let shillings = Money::new(Decimal::ONE, "KES".parse().expect("a currency"));
        let refused = allocate(shillings.expect("an amount"), &invoices, &[]);
        assert!(matches!(refused, Err(AllocationError::Money(_))));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_given_twice(
            amount in 1_i64..2_000_000,
            dues in prop::collection::vec((0_i32..30, 0_i32..30, 0_i64..200_000), 0..12),
            chosen in prop::collection::vec(0_usize..12, 0..6),
        ) {
            let invoices: Vec<_> = dues.iter().zip(0_u32..)
                .map(|((due, issued, minor), id)| open(id, *due, *issued, *minor)).collect();
            let preferred: Vec<_> = chosen.iter().filter_map(|i| invoices.get(*i)).map(|i| i.id).collect();
            let done = allocate(rupees(amount), &invoices, &preferred).expect("allocated");
            let given: i128 = done.allocations.iter().map(|(_, part)| part.minor_units()).sum();
            prop_assert_eq!(given + done.unallocated.minor_units(), i128::from(amount));
            for invoice in &invoices {
                let parts: Vec<_> = done.allocations.iter().filter(|(id, _)| *id == invoice.id).collect();
                prop_assert!(parts.len() <= 1);
                prop_assert!(parts.iter().all(|(_, part)| part.is_positive() && part.amount() <= invoice.amount_due.amount()));
            }
            if preferred.is_empty() && done.unallocated.is_positive() {
                let due: i128 = invoices.iter().map(|i| i.amount_due.minor_units()).sum();
                prop_assert_eq!(given, due);
            }
        }
    }
}
