//! Who documents are from and to. What an invoice or a credit note has to say of both is kept as of its issue, so that the document
//! stays what it was when somebody moves or has another name.

use std::collections::BTreeMap;

use sea_orm::{FromJsonQueryResult, FromQueryResult};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::entity::TaxRegistration;
use crate::branding::{self, Branding};
use crate::kernel::db::TenantTx;
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::{CreditNoteId, InvoiceId, SubscriberId};
use crate::subscribers::{self, Address, Subscriber};

/// The ISP as a document names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seller {
    pub display_name: String,
    pub legal_name: String,
    pub address: Vec<String>,
    pub country: String,
    pub tax_id: Option<String>,
    pub region: Option<String>,
}

/// A subscriber as a document names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
#[serde(rename_all = "camelCase")]
pub(super) struct Buyer {
    pub name: String,
    pub account_number: String,
    /// Lines of an envelope, without name and region.
    pub address: Vec<String>,
    pub country: String,
    pub region: Option<String>,
    pub tax_id: Option<String>,
    /// Of others for whom lines of the document are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<SubscriberId, String>,
    /// Where all of it is supplied, if that is not where the buyer is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_to: Option<Site>,
}

/// An address as a document has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Site {
    /// Lines of an envelope, without region.
    pub address: Vec<String>,
    pub country: String,
    pub region: Option<String>,
}

impl From<Address> for Site {
    fn from(a: Address) -> Self {
        let town = [a.city, a.postal_code].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let lines = [Some(a.line1), a.line2, Some(town).filter(|town| !town.is_empty())];
        Self {
            address: lines.into_iter().flatten().collect(),
            country: a.country,
            region: a.region,
        }
    }
}

/// What was kept with a document; None: it was issued before anything was.
#[derive(Clone, Debug, Default, FromQueryResult)]
pub(super) struct Parties {
    pub seller: Option<Seller>,
    pub buyer: Option<Buyer>,
}

impl Seller {
    fn of(branding: Branding, country: &str, under: Option<&TaxRegistration>) -> Self {
        Self {
            display_name: branding.display_name,
            legal_name: branding.legal_name,
            address: branding.address,
            country: country.to_owned(),
            tax_id: under.map(|r| r.tax_id.clone()),
            region: under.and_then(|r| r.region.clone()),
        }
    }
}

impl Buyer {
    pub fn of(s: &Subscriber) -> Self {
        let at = s.address.clone().map(Site::from);
        let (address, country, region) = at.map(|at| (at.address, at.country, at.region)).unwrap_or_default();
        Self {
            name: s.name.clone(),
            account_number: s.account_number.clone(),
            address,
            country,
            region,
            tax_id: s.tax_id.clone(),
            others: BTreeMap::new(),
            delivered_to: None,
        }
    }

    /// On a document whose lines are for these.
    pub fn of_lines<'s>(payer: &Subscriber, lines_for: impl Iterator<Item = &'s Subscriber>) -> Self {
        let others = lines_for.filter(|s| s.id != payer.id);
        Self {
            others: others.map(|s| (s.id, s.name.clone())).collect(),
            ..Self::of(payer)
        }
    }
}

/// Keeps how the ISP names itself today under these registrations; answers where, for each of them.
pub(super) async fn sellers(tx: &TenantTx, under: &[Option<&TaxRegistration>]) -> Result<Vec<Uuid>> {
    let branding = branding::get(tx).await?;
    let mut known: Vec<(Option<&TaxRegistration>, Uuid, String)> = Vec::new();
    let mut ids = Vec::with_capacity(under.len());
    for registration in under {
        let found = known.iter().find(|(of, ..)| of.map(|r| r.id) == registration.map(|r| r.id));
        if let Some((_, id, _)) = found {
            ids.push(*id);
            continue;
        }
        let seller = Seller::of(branding.clone(), tx.tenant().country(), *registration);
        let body = serde_json::to_string(&seller)?;
        let id = digest(&body)?;
        known.push((*registration, id, body));
        ids.push(id);
    }
    tx.sql(
        "INSERT INTO seller (id, body, created_at)
         SELECT s.id, s.body::jsonb, $3 FROM unnest($1::uuid[], $2::text[]) AS s(id, body) ORDER BY s.id ON CONFLICT (id) DO NOTHING",
    )
    .bind(known.iter().map(|(_, id, _)| *id).collect::<Vec<_>>())
    .bind(known.iter().map(|(.., body)| body.clone()).collect::<Vec<_>>())
    .bind(tx.now())
    .run()
    .await?;
    Ok(ids)
}

/// As [`sellers`], for one document to a subscriber, with lines for these; and how it names them today.
pub(super) async fn of_today(
    tx: &TenantTx,
    under: Option<&TaxRegistration>,
    payer: &Subscriber,
    lines_for: &[SubscriberId],
) -> Result<(Uuid, serde_json::Value)> {
    let id = sellers(tx, &[under]).await?.pop();
    let id = id.ok_or_else(|| Error::internal("no seller was kept"))?;
    Ok((id, serde_json::to_value(buyer(tx, payer, lines_for).await?)?))
}

/// As a document names the payer today, and others for whom its lines are.
pub(super) async fn buyer(tx: &TenantTx, payer: &Subscriber, lines_for: &[SubscriberId]) -> Result<Buyer> {
    let others: Vec<SubscriberId> = lines_for.iter().copied().filter(|id| *id != payer.id).collect();
    if others.is_empty() {
        return Ok(Buyer::of(payer));
    }
    let found = subscribers::with_payers(tx, &others).await?;
    Ok(Buyer::of_lines(payer, found.iter().filter(|s| others.contains(&s.id))))
}

fn digest(body: &str) -> Result<Uuid> {
    let digest = Sha256::digest(body.as_bytes());
    let half = digest
        .get(..16)
        .ok_or_else(|| Error::internal("a digest of less than 16 octets"))?;
    Uuid::from_slice(half).map_err(Error::internal)
}

/// With whom an invoice was issued.
pub(super) async fn of_invoice(tx: &TenantTx, id: InvoiceId) -> Result<Parties> {
    let kept = tx.sql("SELECT s.body AS seller, i.buyer FROM invoice i LEFT JOIN seller s ON s.id = i.seller_id WHERE i.id = $1");
    Ok(kept.bind(id).optional().await?.unwrap_or_default())
}

/// With whom a credit note was issued.
pub(super) async fn of_credit_note(tx: &TenantTx, id: CreditNoteId) -> Result<Parties> {
    let kept = tx.sql(
        "SELECT s.body AS seller, n.buyer FROM credit_note_party n LEFT JOIN seller s ON s.id = n.seller_id
         WHERE n.credit_note_id = $1",
    );
    Ok(kept.bind(id).optional().await?.unwrap_or_default())
}
