//! Accounts' names, as trial balances show them and as hledger and beancount read them. Pure.

use sha2::{Digest, Sha256};

use super::account::AccountKind;

/// The account's place in the chart: a root of beancount's five, then words of letters, digits and hyphens. Different accounts
/// have different names. A subscriber's account ends in its account number; without one the name is that of all of them.
pub fn account_name(kind: AccountKind, detail: &str, account_number: Option<&str>) -> String {
    let stem = match kind {
        AccountKind::Receivable => "Assets:Receivable",
        AccountKind::SubscriberCredit => "Liabilities:Credit",
        AccountKind::Revenue => "Income:Sales",
        AccountKind::TaxPayable => "Liabilities:Tax",
        AccountKind::Rounding => "Income:Rounding",
        AccountKind::Cash => "Assets:Cash",
        AccountKind::WithholdingReceivable => "Assets:Withholding",
        AccountKind::GatewayClearing => "Assets:Gateway",
        AccountKind::WriteOff => "Expenses:Write-Off",
        AccountKind::Deposit => "Liabilities:Deposit",
        AccountKind::VoucherLiability => "Liabilities:Vouchers",
        AccountKind::PartnerPayable => "Liabilities:Partners",
        AccountKind::Opening => "Equity:Opening",
    };
    let mut name = stem.to_owned();
    // Methods of payment are ours: MOBILE_MONEY is MOBILE-MONEY.
    let detail = match kind {
        AccountKind::Cash => detail.replace('_', "-"),
        _ => detail.to_owned(),
    };
    for part in [detail.as_str(), account_number.unwrap_or_default()] {
        if !part.is_empty() {
            name.push(':');
            name.push_str(&word(part));
        }
    }
    name
}

/// A word that both programs take. What had to be changed ends in what tells it from its likes.
fn word(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let begins = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    if text.chars().all(fits) && text.starts_with(begins) {
        return text.to_owned();
    }
    let changed: String = text.chars().map(|c| if fits(c) { c } else { '-' }).take(40).collect();
    let first = if changed.starts_with(begins) { "" } else { "X" };
    let mark = hex::encode(&Sha256::digest(text.as_bytes())[..4]);
    format!("{first}{changed}-{mark}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_the_usual_accounts() {
        let name = |kind, detail, number| account_name(kind, detail, number);
        assert_eq!(
            name(AccountKind::Receivable, "", Some("100000018")),
            "Assets:Receivable:100000018"
        );
        assert_eq!(name(AccountKind::Receivable, "", None), "Assets:Receivable");
        assert_eq!(name(AccountKind::TaxPayable, "CGST", None), "Liabilities:Tax:CGST");
        assert_eq!(name(AccountKind::Cash, "MOBILE_MONEY", None), "Assets:Cash:MOBILE-MONEY");
        assert_eq!(
            name(AccountKind::TaxPayable, "Excise duty", None),
            "Liabilities:Tax:Excise-duty-ce7e56c3"
        );
    }

    proptest! {
        #[test]
        fn names_are_words_that_both_programs_take(a in ".{1,60}", b in ".{1,60}") {
            let name = |detail: &str| account_name(AccountKind::TaxPayable, detail, None);
            for part in name(&a).split(':') {
                prop_assert!(part.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit()), "{}", part);
                prop_assert!(part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{}", part);
            }
            prop_assert_eq!(a == b, name(&a) == name(&b));
        }
    }
}
