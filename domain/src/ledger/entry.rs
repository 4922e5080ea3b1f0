use std::collections::BTreeMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::account::Account;
use crate::kernel::error::{Error, Result};
use crate::kernel::money::{Currency, Money};

/// Moves an amount from one account to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    debit: Account,
    credit: Account,
    amount: Money,
}

impl Transfer {
    /// A negative amount is the positive one the other way round; a zero amount leaves no trace in the books.
    pub fn new(debit: Account, credit: Account, amount: Money) -> Self {
        if amount.is_negative() {
            Self {
                debit: credit,
                credit: debit,
                amount: -amount,
            }
        } else {
            Self { debit, credit, amount }
        }
    }

    /// What takes it back.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self {
            debit: self.credit,
            credit: self.debit,
            amount: self.amount,
        }
    }

    pub fn debit(&self) -> &Account {
        &self.debit
    }

    pub fn credit(&self) -> &Account {
        &self.credit
    }

    pub fn amount(&self) -> Money {
        self.amount
    }
}

/// What one source (an invoice, a payment, its reversal, …) does to the books.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What kind of source it is, such as `payment`; posted once per source.
    pub kind: &'static str,
    pub source: Uuid,
    pub booked_on: NaiveDate,
    pub description: String,
    pub transfers: Vec<Transfer>,
}

/// What was debited and what was credited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Delta {
    pub debit: Decimal,
    pub credit: Decimal,
}

/// The sum of the transfers per account. Refuses another currency than the books are kept in.
pub(super) fn deltas<'t>(
    transfers: impl IntoIterator<Item = &'t Transfer>,
    currency: Currency,
) -> Result<BTreeMap<&'t Account, Delta>> {
    let mut sums: BTreeMap<&Account, Delta> = BTreeMap::new();
    for transfer in transfers {
        if transfer.amount.currency() != currency {
            return Err(Error::internal(format!("{} booked in books of {currency}", transfer.amount)));
        }
        sums.entry(&transfer.debit).or_default().debit += transfer.amount.amount();
        sums.entry(&transfer.credit).or_default().credit += transfer.amount.amount();
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::ids::SubscriberId;

    fn currency(code: &str) -> Currency {
        code.parse().expect("a currency")
    }

    fn rupees(minor: i64) -> Money {
        Money::from_minor_units(minor, currency("INR")).expect("an amount")
    }

    fn account(n: u8) -> Account {
        let subscriber = SubscriberId(Uuid::from_u128(u128::from(n)));
        match n % 6 {
            0 => Account::Receivable(subscriber),
            1 => Account::SubscriberCredit(subscriber),
            2 => Account::Revenue,
            3 => Account::TaxPayable(format!("TAX{n}")),
            4 => Account::Rounding,
            _ => Account::Cash("CASH".into()),
        }
    }

    #[test]
    fn a_negative_amount_swaps_the_sides() {
        let back = Transfer::new(Account::Revenue, Account::Rounding, rupees(-5));
        assert_eq!(back, Transfer::new(Account::Rounding, Account::Revenue, rupees(5)));
    }

    #[test]
    fn other_currencies_are_refused() {
        let shilling = Money::from_minor_units(100, currency("KES")).expect("an amount");
        let transfer = Transfer::new(Account::Revenue, Account::Rounding, shilling);
        assert!(deltas([&transfer], currency("INR")).is_err());
    }

    proptest! {
        #[test]
        fn entries_balance(rows in prop::collection::vec((0_u8..40, 0_u8..40, -1_000_000_i64..1_000_000), 0..30)) {
            let transfers: Vec<_> = (rows.iter())
                .map(|(debit, credit, minor)| Transfer::new(account(*debit), account(*credit), rupees(*minor)))
                .collect();
            let sums = deltas(&transfers, currency("INR")).expect("one currency");
            let debit: Decimal = sums.values().map(|d| d.debit).sum();
            let credit: Decimal = sums.values().map(|d| d.credit).sum();
            let moved: i64 = rows.iter().map(|(_, _, minor)| minor.abs()).sum();
            prop_assert_eq!(debit, credit);
            prop_assert_eq!(debit, rupees(moved).amount());
            // Each account's net is what the rows say of it, whichever side a negative amount ended on.
            for (name, sum) in &sums {
                let net: i64 = (rows.iter())
                    .map(|(d, c, minor)| {
                        i64::from(account(*d) == **name) * minor - i64::from(account(*c) == **name) * minor
                    })
                    .sum();
                prop_assert_eq!(sum.debit - sum.credit, rupees(net).amount());
            }
        }
    }
}
