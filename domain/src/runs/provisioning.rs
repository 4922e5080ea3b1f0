//! Opening an ISP: the one use case that touches every capability at once.

use std::sync::Arc;

use crate::billing::rules::BillingPack;
use crate::kernel::actor::Actor;
use crate::kernel::db::{Database, TenantTx};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::StaffId;
use crate::plans::{BillIn, CreatePlan, PaymentMode, PlanKind, Terms};
use crate::tenants::template::{Template, TemplateBillIn, TemplatePaymentMode, TemplatePlan, TemplatePlanKind};
use crate::tenants::{New, OpenTenant, Opening, TenantDetails};
use crate::{billing, branding, identity, plans, tenants};

/// Opens an ISP from a template, in one transaction: it is whole or it is not there.
pub async fn tenant_create(database: &Database, actor: &Arc<Actor>, cmd: OpenTenant) -> Result<TenantDetails> {
    let id = match tenants::open(database, actor, cmd).await? {
        Opening::Known(id) => id,
        Opening::New(new) => {
            let New {
                tx,
                tenant,
                template,
                owner,
                password_hash,
            } = *new;
            identity::adopt_roles(&tx, template.roles()).await?;
            let staff = identity::NewStaff {
                name: &owner.name,
                email: &owner.email,
                password_hash,
                role: identity::OWNER,
            };
            identity::insert_staff(&tx, StaffId::new(), staff).await?;
            branding::adopt(&tx).await?;
            starter_plans(&tx, &template).await?;
            billing_terms(&tx, &template).await?;
            tx.commit().await?;
            tenant.id()
        }
    };
    tenants::get(database, actor, id).await
}

/// The template's billing settings and tax rules. Amounts among them must suit the currency that the ISP bills in.
async fn billing_terms(tx: &TenantTx, template: &Template) -> Result<()> {
    let pack = BillingPack::from_template(template).map_err(Error::internal)?;
    pack.settings
        .check(tx.tenant().currency(), &pack.number_rule, &[])
        .map_err(|e| Error::invalid("currency", format!("The template cannot be used with this currency: {e}.")))?;
    billing::adopt(tx, template).await
}

/// The template's plans. An ISP that bills in another currency than its template's gets none: the prices would be wrong.
async fn starter_plans(tx: &TenantTx, template: &Template) -> Result<()> {
    if tx.tenant().currency() != template.profile().currency {
        return Ok(());
    }
    for plan in template.plans() {
        plans::create(tx, command(plan)?).await?;
    }
    Ok(())
}

fn command(plan: &TemplatePlan) -> Result<CreatePlan> {
    let number = |n: u32| i32::try_from(n).map_err(Error::internal);
    let kbps = |n: Option<u32>| n.map(number).transpose();
    Ok(CreatePlan {
        code: plan.code.clone(),
        name: plan.name.clone(),
        kind: match plan.kind {
            TemplatePlanKind::Broadband => PlanKind::Broadband,
            TemplatePlanKind::Hotspot => PlanKind::Hotspot,
            TemplatePlanKind::Addon => PlanKind::Addon,
        },
        payment_mode: match plan.payment_mode {
            TemplatePaymentMode::Prepaid => PaymentMode::Prepaid,
            TemplatePaymentMode::Postpaid => PaymentMode::Postpaid,
        },
        bill_in: match plan.bill_in {
            TemplateBillIn::Advance => BillIn::Advance,
            TemplateBillIn::Arrears => BillIn::Arrears,
        },
        period_unit: plan.period.unit(),
        period_count: number(plan.period.count())?,
        terms: Terms {
            price: plan.price,
            tax_inclusive: plan.tax_inclusive,
            tax_code: plan.tax_code.clone(),
            download_kbps: kbps(plan.download_kbps)?,
            upload_kbps: kbps(plan.upload_kbps)?,
            data_cap_bytes: plan.data_cap_bytes.map(i64::try_from).transpose().map_err(Error::internal)?,
            fair_use_download_kbps: kbps(plan.fair_use_download_kbps)?,
            fair_use_upload_kbps: kbps(plan.fair_use_upload_kbps)?,
            simultaneous_sessions: plan.simultaneous_sessions.into(),
            trial_days: None,
            minimum_term: None,
        },
    })
}
