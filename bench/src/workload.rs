//! What is asked: the three requests, and over which ISPs.

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// Every ISP of the bench has these subscribers, under the same ids. HTTP pays for one half of them and pgbench for the
/// other: a pgbench that is paused inside a transaction must not hold what the server waits for.
pub const SUBSCRIBERS: u32 = 200;
pub const ISP_SHARE: std::ops::RangeInclusive<u32> = 1..=SUBSCRIBERS / 2;
pub const PGBENCH_SHARE: std::ops::RangeInclusive<u32> = SUBSCRIBERS / 2 + 1..=SUBSCRIBERS;

/// Ids of the bench's rows end in twelve digits from here on, which pgbench can count in.
pub const FIRST: u64 = 100_000_000_000;

/// Ids of subscribers begin so.
pub const SUBSCRIBER: &str = "01900001";

pub fn id(kind: &str, number: u32) -> Uuid {
    let text = format!("{kind}-0000-7000-8000-{}", FIRST + u64::from(number));
    Uuid::parse_str(&text).unwrap_or_default()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Workload {
    Point,
    Page,
    Payment,
}

impl Workload {
    pub const ALL: [Self; 3] = [Self::Point, Self::Page, Self::Payment];

    pub fn title(self) -> &'static str {
        match self {
            Self::Point => "a subscriber with services and balance",
            Self::Page => "a page of 50 with services and balances",
            Self::Payment => "`paymentRecord`",
        }
    }

    fn document(self) -> &'static str {
        match self {
            Self::Point => {
                "query($id: ID!) { subscriber(id: $id) { id accountNumber name email phone status \
                 services(first: 10) { nodes { id username status paidUntil nextBillingDate } } balance { amount currency } } }"
            }
            Self::Page => {
                "{ subscribers(first: 50) { nodes { id accountNumber name status \
                 services(first: 10) { nodes { id username status paidUntil } } balance { amount currency } } \
                 pageInfo { hasNextPage endCursor } } }"
            }
            Self::Payment => {
                "mutation($i: PaymentRecordInput!) { paymentRecord(input: $i) { payment { id amount { amount currency } \
                 unallocated { amount } } userErrors { code message } } }"
            }
        }
    }

    /// The body of a request about one subscriber; `key` is the payment's idempotency key.
    pub fn body(self, subscriber: u32, key: Uuid) -> String {
        let subscriber = format!("subscriber_{}", id(SUBSCRIBER, subscriber).simple());
        let variables = match self {
            Self::Point => json!({ "id": subscriber }),
            Self::Page => json!({}),
            Self::Payment => json!({ "i": {
                "subscriberId": subscriber, "amount": "1.00", "method": "CASH", "idempotencyKey": key,
            } }),
        };
        json!({ "query": self.document(), "variables": variables }).to_string()
    }

    /// What an answer must contain to be right.
    pub fn proof(self) -> &'static str {
        match self {
            Self::Point => r#""balance":{"amount":""#,
            Self::Page => r#""hasNextPage":true"#,
            Self::Payment => r#""userErrors":[]"#,
        }
    }

    pub fn reads(self) -> bool {
        self != Self::Payment
    }
}

/// Which ISPs are asked, and how evenly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    /// Those numbered 1 to this.
    pub tenants: u32,
    /// Rank k is asked as often as 1/k^s; None: all alike.
    pub zipf: Option<f64>,
}

/// Close to what PostgreSQL's documentation calls realistic, and above the 1 that pgbench wants.
pub const ZIPF: f64 = 1.1;

impl Spectrum {
    pub fn title(self) -> String {
        match (self.tenants, self.zipf) {
            (1, _) => "1 ISP".to_owned(),
            (n, None) => format!("{n} uniform"),
            (n, Some(_)) => format!("{n} Zipf"),
        }
    }
}
