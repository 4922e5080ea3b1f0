use crate::kernel::ids::SubscriberId;
use crate::kernel::text_enum;

text_enum! {
    /// What an account is for, as the database names it.
    AccountKind {
        Receivable, SubscriberCredit, Revenue, TaxPayable, Rounding, Cash, WithholdingReceivable, GatewayClearing, WriteOff,
        Deposit, VoucherLiability, PartnerPayable, Opening,
    }
}

/// One account of the ISP's books, in its currency. It is opened when something is first booked on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Account {
    /// What a subscriber has been invoiced and not yet paid (an asset).
    Receivable(SubscriberId),
    /// What a subscriber has paid or been credited beyond its invoices (a liability).
    SubscriberCredit(SubscriberId),
    Revenue,
    /// Collected for the tax authority, by the tax's name: CGST, VAT, …
    TaxPayable(String),
    /// What rounding of invoices leaves over.
    Rounding,
    /// Money that came in, by payment method.
    Cash(String),
    /// What payers withheld and the tax authority owes (an asset).
    WithholdingReceivable,
    /// What was given up (an expense).
    WriteOff,
    /// Held for a subscriber, to be given back (a liability).
    Deposit(SubscriberId),
    /// What other systems' books are taken over against (equity).
    Opening,
}

impl Account {
    pub fn kind(&self) -> AccountKind {
        match self {
            Self::Receivable(_) => AccountKind::Receivable,
            Self::SubscriberCredit(_) => AccountKind::SubscriberCredit,
            Self::Revenue => AccountKind::Revenue,
            Self::TaxPayable(_) => AccountKind::TaxPayable,
            Self::Rounding => AccountKind::Rounding,
            Self::Cash(_) => AccountKind::Cash,
            Self::WithholdingReceivable => AccountKind::WithholdingReceivable,
            Self::Opening => AccountKind::Opening,
            Self::WriteOff => AccountKind::WriteOff,
            Self::Deposit(_) => AccountKind::Deposit,
        }
    }

    /// Whose it is, if it is a subscriber's; only these keep running totals.
    pub fn subscriber(&self) -> Option<SubscriberId> {
        match self {
            Self::Receivable(id) | Self::SubscriberCredit(id) | Self::Deposit(id) => Some(*id),
            _ => None,
        }
    }

    /// What tells it from others of its kind.
    pub fn detail(&self) -> &str {
        match self {
            Self::TaxPayable(detail) | Self::Cash(detail) => detail,
            _ => "",
        }
    }
}
