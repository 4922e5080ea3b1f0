//! Looks ahead at what is asked of subscribers and loads it for all of them at once, where they are loaded: a page with
//! services and balances takes three statements, and no field waits for another's batch.

use std::collections::HashMap;

use async_graphql::{Context, Lookahead, Value};
use trunkline_domain::kernel::db::TenantTx;
use trunkline_domain::kernel::ids::SubscriberId;
use trunkline_domain::kernel::money;
use trunkline_domain::kernel::page::{MAX_PAGE, Page};
use trunkline_domain::{Permission, Result, ledger, services, subscribers};

use super::types::Subscriber;

/// The page size of `Subscriber.services` where the document has none.
pub const SERVICES: i32 = 20;

/// What was loaded with a subscriber before its fields asked.
#[derive(Clone, Default)]
pub struct Ahead {
    services: Option<(u32, Page<services::Service>)>,
    pub balance: Option<money::Money>,
}

impl Ahead {
    /// The first page of this size, if it is the one that was loaded.
    pub fn services(&self, first: i32, after: Option<&str>) -> Option<Page<services::Service>> {
        let (loaded, page) = self.services.as_ref()?;
        (after.is_none() && u32::try_from(first) == Ok(*loaded)).then(|| page.clone())
    }
}

/// What a selection of subscribers asks for that can be loaded for many at once.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub struct Wanted {
    services: Option<u32>,
    balance: bool,
}

impl Wanted {
    /// Of the one subscriber that the field answers with.
    pub fn of_this(ctx: &Context<'_>) -> Self {
        Self::of(&[ctx.look_ahead()])
    }

    /// Of the nodes of the connection that the field answers with.
    pub fn of_nodes(ctx: &Context<'_>) -> Self {
        let ahead = ctx.look_ahead();
        Self::of(&[ahead.field("nodes"), ahead.field("edges").field("node")])
    }

    fn of(selections: &[Lookahead<'_>]) -> Self {
        let mut pages = Vec::new();
        for field in selections.iter().flat_map(|s| s.field("services").selection_fields()) {
            // Pages that are counted or begin later are loaded by their own fields.
            if Lookahead::from(field).field("totalCount").exists() {
                continue;
            }
            let arguments = field.arguments().unwrap_or_default();
            let argument = |name: &str| arguments.iter().find(|(n, _)| n == name).map(|(_, value)| value);
            let first = match argument("first") {
                None => Some(i64::from(SERVICES)),
                Some(Value::Number(n)) => n.as_i64(),
                Some(_) => None,
            };
            let from_start = matches!(argument("after"), None | Some(Value::Null));
            let size = first.and_then(|n| u32::try_from(n).ok()).filter(|n| *n <= MAX_PAGE);
            pages.extend(size.filter(|_| from_start));
        }
        Self {
            services: pages.first().copied(),
            balance: selections.iter().any(|s| s.field("balance").exists()),
        }
    }
}

/// As [`load_all`], for a page.
pub async fn load(tx: &TenantTx, page: Page<subscribers::Subscriber>, wanted: Wanted) -> Result<Page<Subscriber>> {
    Ok(Page {
        has_next: page.has_next,
        has_previous: page.has_previous,
        items: load_all(tx, page.items, wanted).await?,
    })
}

/// Loads what is wanted and the actor may see; what it may not is left to the fields, which say so.
pub async fn load_all(tx: &TenantTx, rows: Vec<subscribers::Subscriber>, wanted: Wanted) -> Result<Vec<Subscriber>> {
    let ids: Vec<SubscriberId> = rows.iter().map(|s| s.id).collect();
    let may = |permission| !ids.is_empty() && ids.iter().all(|id| tx.actor().may_for(permission, *id));
    let mut pages = match wanted.services.filter(|_| may(Permission::ServiceRead)) {
        Some(first) => Some((first, services::first_of_each(tx, &ids, first).await?)),
        None => None,
    };
    let balances = match wanted.balance && may(Permission::InvoiceRead) {
        true => ledger::balances(tx, &ids).await?,
        false => HashMap::new(),
    };
    let with = |row: subscribers::Subscriber| Subscriber {
        ahead: Ahead {
            services: pages.as_mut().and_then(|(first, all)| Some((*first, all.remove(&row.id)?))),
            balance: balances.get(&row.id).copied(),
        },
        row,
    };
    Ok(rows.into_iter().map(with).collect())
}
