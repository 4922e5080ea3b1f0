use async_graphql::{Context, Object};
use trunkline_domain::identity::Session as SignedInSession;
use trunkline_domain::kernel::ErrorCode;
use trunkline_domain::{Error, Result};

use super::session_types::*;
use crate::graphql::ctx::{CtxExt, RequestCtx};
use crate::graphql::error::ApiResult;
use crate::graphql::ids;

#[derive(Default)]
pub struct SessionQuery;

#[Object]
impl SessionQuery {
    /// Where you are signed in, or with `staff:write` a colleague; at most 100, the last begun first.
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A colleague's instead of your own.")] staff_id: Option<async_graphql::ID>,
    ) -> ApiResult<Option<Vec<UserSession>>> {
        let rq = ctx.rq();
        let of = match &staff_id {
            None => None,
            Some(id) => match ids::query(id)? {
                Some(id) => Some(id),
                None => return Ok(None),
            },
        };
        let who = rq.signed_in()?;
        let found = rq.app.authenticator.sessions(rq.tenant(), &who, of).await?;
        Ok(found.map(|all| all.into_iter().map(|s| UserSession::of(s, who.session)).collect()))
    }

    /// How far your two-factor sign-in is; null for subscribers, who have none.
    async fn second_factor(&self, ctx: &Context<'_>) -> ApiResult<Option<SecondFactor>> {
        let rq = ctx.rq();
        match rq.app.authenticator.second_factor(rq.tenant(), &rq.signed_in()?).await {
            Err(Error::Forbidden) => Ok(None),
            other => Ok(Some(other?.into())),
        }
    }
}

#[derive(Default)]
pub struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Signs in: platform staff and directors on the platform host, a tenant's staff on the tenant's. Whatever is wrong, the
    /// answer is INVALID_CREDENTIALS; TOTP_REQUIRED when only the code is missing. After ten wrong attempts in a row each next
    /// one is refused for a minute, then two, up to an hour, the right password included. LIMIT_EXCEEDED: too many wrong
    /// attempts from your address.
    async fn session_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: SessionCreateInput,
    ) -> ApiResult<SessionCreatePayload> {
        let rq = ctx.rq();
        let cookie = input.cookie;
        let signed_in = async {
            allow_cookie(rq, cookie)?;
            let credentials = input.into();
            rq.app
                .authenticator
                .session_create(rq.tenant(), credentials, &rq.asker.client)
                .await
        };
        SessionCreatePayload::of(hand_over(ctx, signed_in.await, cookie))
    }

    /// Signs a subscriber in to the tenant's portal. Refusals and limits are those of `sessionCreate`.
    async fn subscriber_session_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: SubscriberSessionCreateInput,
    ) -> ApiResult<SubscriberSessionCreatePayload> {
        let rq = ctx.rq();
        let tenant = rq.tenant().ok_or(Error::Forbidden)?;
        let cookie = input.cookie;
        let signed_in = async {
            allow_cookie(rq, cookie)?;
            let credentials = input.into();
            rq.app
                .authenticator
                .subscriber_session_create(tenant, credentials, &rq.asker.client)
                .await
        };
        SubscriberSessionCreatePayload::of(hand_over(ctx, signed_in.await, cookie))
    }

    /// Trades a refresh token for new tokens. Each is good once: one that is shown again ends its session, so that a stolen
    /// token is of no use for long. Callers that share a session (tabs, for one) take turns. Without `Authorization`.
    async fn session_refresh(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: SessionRefreshInput,
    ) -> ApiResult<SessionRefreshPayload> {
        let rq = ctx.rq();
        let (token, cookie) = match (&input.refresh_token, rq.asker.cookies.refresh()) {
            (Some(token), _) => (token.as_str(), false),
            (None, Some(token)) => (token, true),
            (None, None) => {
                let missing = Error::user(
                    ErrorCode::Required,
                    "refreshToken",
                    "There is no refresh token, here or in a cookie.",
                );
                return SessionRefreshPayload::of(Err(missing));
            }
        };
        let refreshed = rq
            .app
            .authenticator
            .session_refresh(rq.tenant(), token, &rq.asker.client)
            .await;
        if cookie && matches!(refreshed, Err(Error::User(_))) {
            clear_cookies(ctx);
        }
        SessionRefreshPayload::of(hand_over(ctx, refreshed, cookie))
    }

    /// Signs out: ends the session that asks, or the one of a refresh token, and takes its cookies away. Fine to call when
    /// it is over already.
    async fn session_end(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: SessionEndInput,
    ) -> ApiResult<SessionEndPayload> {
        let rq = ctx.rq();
        let token = input.refresh_token.as_deref().or_else(|| rq.asker.cookies.refresh());
        let ended = rq.app.authenticator.session_end(rq.tenant(), rq.asker.session, token).await?;
        clear_cookies(ctx);
        Ok(SessionEndPayload {
            ended_id: ended.map(ids::out),
            user_errors: Vec::new(),
        })
    }

    /// Ends one of your sessions, or with `staff:write` one of a colleague's. Its access token is refused at the latest five
    /// seconds later.
    async fn session_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: SessionRevokeInput,
    ) -> ApiResult<SessionRevokePayload> {
        let rq = ctx.rq();
        let who = rq.signed_in()?;
        let revoked = async {
            let id = ids::input(&input.id, "id")?;
            let id = rq.app.authenticator.session_revoke(rq.tenant(), &who, id).await?;
            Ok(ids::out(id))
        };
        SessionRevokePayload::of(revoked.await)
    }

    /// Ends all your sessions but the one that asks, or with `staff:write` all of a colleague's.
    async fn session_revoke_all(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: SessionRevokeAllInput,
    ) -> ApiResult<SessionRevokeAllPayload> {
        let rq = ctx.rq();
        let who = rq.signed_in()?;
        let revoked = async {
            let of = input.staff_id.as_ref().map(|id| ids::input(id, "staffId")).transpose()?;
            let ended = rq.app.authenticator.session_revoke_all(rq.tenant(), &who, of).await?;
            Ok(i32::try_from(ended).unwrap_or(i32::MAX))
        };
        SessionRevokeAllPayload::of(revoked.await)
    }
}

pub(super) fn allow_cookie(rq: &RequestCtx, cookie: bool) -> Result<()> {
    match cookie {
        true => rq.asker.cookies.require_own_page(),
        false => Ok(()),
    }
}

/// Puts the tokens into cookies if that is asked for, and then leaves them out of the answer.
pub(super) fn hand_over(ctx: &Context<'_>, result: Result<SignedInSession>, cookie: bool) -> Result<Session> {
    let session = result?;
    if cookie {
        let rq = ctx.rq();
        for value in rq.asker.cookies.set(&session, rq.database.clock().now()) {
            ctx.append_http_header("set-cookie", value);
        }
    }
    Session::of(session, cookie).ok_or_else(|| Error::internal("a session of nobody in particular"))
}

fn clear_cookies(ctx: &Context<'_>) {
    for value in ctx.rq().asker.cookies.clear() {
        ctx.append_http_header("set-cookie", value);
    }
}
