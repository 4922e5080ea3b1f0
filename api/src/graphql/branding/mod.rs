use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use trunkline_domain::branding::{self, UpdateBranding};

use crate::graphql::ctx::CtxExt;
use crate::graphql::error::{ApiResult, payload};
use crate::graphql::scalars::patch;

/// How an ISP shows itself. Public.
#[derive(SimpleObject)]
pub struct Branding {
    /// The name that subscribers see.
    pub display_name: String,
    /// Absolute or host-relative.
    pub logo_url: Option<String>,
    /// #rrggbb
    pub primary_color: String,
    /// #rrggbb
    pub accent_color: String,
    /// Where subscribers may write to.
    pub support_email: Option<String>,
    /// Where subscribers may call.
    pub support_phone: Option<String>,
    /// Shown on invoices.
    pub legal_name: String,
    /// Shown on invoices, a line each.
    pub address: Vec<String>,
    /// Payments by UPI go there; invoices that wait for money show its QR code.
    pub upi_id: Option<String>,
    /// Pass it as `expectedVersion`.
    pub version: i32,
}

impl From<branding::Branding> for Branding {
    fn from(b: branding::Branding) -> Self {
        Self {
            display_name: b.display_name,
            logo_url: b.logo_url,
            primary_color: b.primary_color,
            accent_color: b.accent_color,
            support_email: b.support_email,
            support_phone: b.support_phone,
            legal_name: b.legal_name,
            address: b.address,
            upi_id: b.upi_id,
            version: b.version,
        }
    }
}

#[derive(Default)]
pub struct BrandingQuery;

#[Object]
impl BrandingQuery {
    /// Public: the branding of the host that was asked; null on the platform host.
    async fn branding(&self, ctx: &Context<'_>) -> ApiResult<Option<Branding>> {
        if ctx.rq().tenant().is_none() {
            return Ok(None);
        }
        let found = ctx.rq().read(async |tx| branding::get(tx).await).await?;
        Ok(Some(found.into()))
    }
}

/// What is absent stays; null clears it.
#[derive(InputObject)]
pub struct BrandingUpdateInput {
    /// The `version` that you saw; another one is STALE_VERSION.
    expected_version: i32,
    /// The name that subscribers see.
    display_name: MaybeUndefined<String>,
    /// #rrggbb
    primary_color: MaybeUndefined<String>,
    /// #rrggbb
    accent_color: MaybeUndefined<String>,
    /// Where subscribers may write to.
    support_email: MaybeUndefined<String>,
    /// Where subscribers may call.
    support_phone: MaybeUndefined<String>,
    /// The name on invoices.
    legal_name: MaybeUndefined<String>,
    /// At most six lines; null: none.
    address: MaybeUndefined<Vec<String>>,
    /// Such as example@okbank; null: none.
    upi_id: MaybeUndefined<String>,
}

impl From<BrandingUpdateInput> for UpdateBranding {
    fn from(input: BrandingUpdateInput) -> Self {
        Self {
            expected_version: input.expected_version,
            display_name: patch(input.display_name, |v| v),
            primary_color: patch(input.primary_color, |v| v),
            accent_color: patch(input.accent_color, |v| v),
            support_email: patch(input.support_email, |v| v),
            support_phone: patch(input.support_phone, |v| v),
            legal_name: patch(input.legal_name, |v| v),
            address: patch(input.address, |v| v),
            upi_id: patch(input.upi_id, |v| v),
        }
    }
}

payload!(BrandingUpdatePayload { branding: Branding });

#[derive(Default)]
pub struct BrandingMutation;

#[Object]
impl BrandingMutation {
    /// Changes how the ISP shows itself.
    async fn branding_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: BrandingUpdateInput,
    ) -> ApiResult<BrandingUpdatePayload> {
        let cmd = UpdateBranding::from(input);
        BrandingUpdatePayload::of(ctx.rq().write(async move |tx| branding::update(tx, cmd.clone()).await).await)
    }
}
