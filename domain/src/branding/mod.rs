//! Branding: how an ISP shows itself on its host and its documents. Public, one row an ISP, made when the ISP is opened.
//!
//! Owns `branding`.

mod update;

use sea_orm::FromQueryResult;
pub use update::{UpdateBranding, update};

use crate::kernel::db::TenantTx;
use crate::kernel::error::Result;

#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Branding {
    pub display_name: String,
    pub logo_url: Option<String>,
    /// `#rrggbb`.
    pub primary_color: String,
    pub accent_color: String,
    pub support_email: Option<String>,
    pub support_phone: Option<String>,
    /// Shown on invoices.
    pub legal_name: String,
    pub address: Vec<String>,
    /// Where payments by UPI go; its code is printed on invoices that wait for money.
    pub upi_id: Option<String>,
    /// Counts changes, for `expectedVersion`.
    pub version: i32,
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT display_name, logo_url, primary_color, accent_color, support_email, support_phone, legal_name, address,
                 upi_id, version
             FROM branding ",
            $tail
        )
    };
}

/// A neutral look under the ISP's own name, when it is opened.
pub async fn adopt(tx: &TenantTx) -> Result<()> {
    tx.sql(
        "INSERT INTO branding (display_name, primary_color, accent_color, legal_name, address)
         VALUES ($1, '#1f4e79', '#f28c28', $1, '{}')",
    )
    .bind(tx.tenant().name())
    .run()
    .await?;
    Ok(())
}

/// For anyone, signed in or not.
pub async fn get(tx: &TenantTx) -> Result<Branding> {
    tx.sql(select!("")).one().await
}

async fn lock(tx: &TenantTx) -> Result<Branding> {
    tx.sql(select!("FOR UPDATE")).one().await
}
