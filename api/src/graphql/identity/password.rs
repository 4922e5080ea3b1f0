use async_graphql::{Context, InputObject, Object, SimpleObject};
use trunkline_domain::Result;
use trunkline_domain::identity::{self, SignedIn};

use super::session_types::SecondFactor;
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::{ApiResult, UserError, settle};

#[derive(Default)]
pub struct PasswordMutation;

#[Object]
impl PasswordMutation {
    /// Changes your password. Your other sessions end. Wrong current passwords count like wrong attempts to sign in.
    async fn password_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PasswordChangeInput,
    ) -> ApiResult<PasswordChangePayload> {
        let rq = ctx.rq();
        let who = rq.signed_in()?;
        let (current, new) = (&input.current_password, &input.new_password);
        let changed = rq.app.authenticator.password_change(rq.tenant(), &who, current, new).await;
        let (done, user_errors) = settle(changed)?;
        Ok(PasswordChangePayload {
            changed: done.is_some(),
            user_errors,
        })
    }

    /// Public: asks for a link to set a new password, for staff and accounts of the platform. The answer is the same whether
    /// somebody has the address; within five minutes nothing more is sent.
    async fn password_reset_request(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PasswordResetRequestInput,
    ) -> ApiResult<PasswordResetRequestPayload> {
        let rq = ctx.rq();
        let (tenant, client) = (rq.tenant(), &rq.asker.client);
        let asked = rq
            .app
            .authenticator
            .password_reset_request(tenant, &input.email, client)
            .await;
        let (done, user_errors) = settle(asked)?;
        Ok(PasswordResetRequestPayload {
            accepted: done.is_some(),
            user_errors,
        })
    }

    /// Public: sets a new password with the token of a link, which is good once and for half an hour. All sessions end; a
    /// second factor stays. INVALID_CREDENTIALS for whatever is wrong with the token.
    async fn password_reset_complete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PasswordResetCompleteInput,
    ) -> ApiResult<PasswordResetCompletePayload> {
        let rq = ctx.rq();
        let (tenant, client) = (rq.tenant(), &rq.asker.client);
        let (token, new) = (&input.token, &input.new_password);
        let reset = rq.app.authenticator.password_reset_complete(tenant, token, new, client).await;
        let (done, user_errors) = settle(reset)?;
        Ok(PasswordResetCompletePayload {
            changed: done.is_some(),
            user_errors,
        })
    }

    /// A secret for your authenticator app, shown this once. Sign-in asks for codes when `totpConfirm` has seen the first.
    async fn totp_enrol(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: TotpEnrolInput,
    ) -> ApiResult<TotpEnrolPayload> {
        let rq = ctx.rq();
        let who = rq.signed_in()?;
        let enrolled = rq.app.authenticator.totp_enrol(rq.tenant(), &who, &input.password).await;
        let (enrolment, user_errors) = settle(enrolled)?;
        Ok(TotpEnrolPayload {
            enrolment: enrolment.map(TotpEnrolment::from),
            user_errors,
        })
    }

    /// Switches two-factor sign-in on with a first code. The recovery codes are shown this once. Your other sessions end.
    async fn totp_confirm(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: TotpConfirmInput,
    ) -> ApiResult<TotpConfirmPayload> {
        let rq = ctx.rq();
        let who = rq.signed_in()?;
        let confirmed = rq.app.authenticator.totp_confirm(rq.tenant(), &who, &input.code).await;
        let (recovery_codes, user_errors) = settle(confirmed)?;
        Ok(TotpConfirmPayload {
            recovery_codes,
            user_errors,
        })
    }

    /// Switches two-factor sign-in off.
    async fn totp_disable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: TotpDisableInput,
    ) -> ApiResult<TotpDisablePayload> {
        let rq = ctx.rq();
        let who = rq.signed_in()?;
        let (password, code) = (&input.password, &input.code);
        let disabled = async {
            let authenticator = &rq.app.authenticator;
            authenticator.totp_disable(rq.tenant(), &who, password, code).await?;
            authenticator.second_factor(rq.tenant(), &who).await
        };
        let (factor, user_errors) = settle(disabled.await)?;
        Ok(TotpDisablePayload {
            second_factor: factor.map(SecondFactor::from),
            user_errors,
        })
    }

    /// Ten new recovery codes, shown this once; the old ones are no longer good.
    async fn recovery_codes_renew(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: RecoveryCodesRenewInput,
    ) -> ApiResult<RecoveryCodesRenewPayload> {
        let rq = ctx.rq();
        let who = rq.signed_in()?;
        let (password, code) = (&input.password, &input.code);
        let authenticator = &rq.app.authenticator;
        let renewed = authenticator.recovery_codes_renew(rq.tenant(), &who, password, code).await;
        let (recovery_codes, user_errors) = settle(renewed)?;
        Ok(RecoveryCodesRenewPayload {
            recovery_codes,
            user_errors,
        })
    }
}

impl RequestCtx {
    /// Whoever asks, if signed in.
    pub fn signed_in(&self) -> Result<SignedIn> {
        let session = self.asker.session.ok_or(trunkline_domain::Error::Unauthenticated)?;
        Ok(SignedIn {
            actor: self.actor.clone(),
            session,
        })
    }
}

/// A new password of one's own.
#[derive(InputObject)]
pub struct PasswordChangeInput {
    /// The one that you sign in with now.
    current_password: String,
    /// 10 to 200 characters.
    new_password: String,
}

/// Whose password was forgotten.
#[derive(InputObject)]
pub struct PasswordResetRequestInput {
    /// With which they sign in on this host.
    email: String,
}

/// A new password instead of a forgotten one.
#[derive(InputObject)]
pub struct PasswordResetCompleteInput {
    /// From the link.
    token: String,
    /// 10 to 200 characters.
    new_password: String,
}

/// The password once more, before a second factor is set up.
#[derive(InputObject)]
pub struct TotpEnrolInput {
    /// The one that you sign in with.
    password: String,
}

/// A first code of the authenticator app.
#[derive(InputObject)]
pub struct TotpConfirmInput {
    /// Six digits.
    code: String,
}

/// Both factors, before one of them goes.
#[derive(InputObject)]
pub struct TotpDisableInput {
    /// The one that you sign in with.
    password: String,
    /// Six digits, or a recovery code.
    code: String,
}

/// Both factors, before recovery codes are replaced.
#[derive(InputObject)]
pub struct RecoveryCodesRenewInput {
    /// The one that you sign in with.
    password: String,
    /// Six digits, or a recovery code.
    code: String,
}

/// What an authenticator app needs to know.
#[derive(SimpleObject)]
pub struct TotpEnrolment {
    /// In base 32, to be typed in where no QR code can be read.
    secret: String,
    /// `otpauth://totp/…`, to be shown as a QR code.
    uri: String,
}

impl From<identity::Enrolment> for TotpEnrolment {
    fn from(enrolment: identity::Enrolment) -> Self {
        Self {
            secret: enrolment.secret,
            uri: enrolment.uri,
        }
    }
}

/// What became of the change.
#[derive(SimpleObject)]
pub struct PasswordChangePayload {
    /// Whether the new password is the one to sign in with.
    changed: bool,
    /// Business refusals; empty when it was done.
    user_errors: Vec<UserError>,
}

/// What became of the request.
#[derive(SimpleObject)]
pub struct PasswordResetRequestPayload {
    /// True also when nobody has the address.
    accepted: bool,
    /// Business refusals; empty when it was done.
    user_errors: Vec<UserError>,
}

/// What became of the reset.
#[derive(SimpleObject)]
pub struct PasswordResetCompletePayload {
    /// Whether the new password is the one to sign in with.
    changed: bool,
    /// Business refusals; empty when it was done.
    user_errors: Vec<UserError>,
}

/// What the authenticator app needs, if it was made.
#[derive(SimpleObject)]
pub struct TotpEnrolPayload {
    /// Null when it was refused.
    enrolment: Option<TotpEnrolment>,
    /// Business refusals; empty when it was done.
    user_errors: Vec<UserError>,
}

/// What became of the first code.
#[derive(SimpleObject)]
pub struct TotpConfirmPayload {
    /// Ten, each good once in place of a code.
    recovery_codes: Option<Vec<String>>,
    /// Business refusals; empty when it was done.
    user_errors: Vec<UserError>,
}

/// What became of two-factor sign-in.
#[derive(SimpleObject)]
pub struct TotpDisablePayload {
    /// As it is now.
    second_factor: Option<SecondFactor>,
    /// Business refusals; empty when it was done.
    user_errors: Vec<UserError>,
}

/// The codes, if they were made.
#[derive(SimpleObject)]
pub struct RecoveryCodesRenewPayload {
    /// Ten, each good once in place of a code.
    recovery_codes: Option<Vec<String>>,
    /// Business refusals; empty when it was done.
    user_errors: Vec<UserError>,
}
