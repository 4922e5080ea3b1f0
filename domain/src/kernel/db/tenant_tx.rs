use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;
use tokio::sync::{Mutex, Notify};
use uuid::Uuid;

use super::begin;
use super::lease::Lease;
use super::pool::Held;
use super::sql::{Runner, Sql, connection_trait};
use super::tenant::Tenant;
use crate::kernel::actor::{Actor, Permission};
use crate::kernel::error::{Error, ErrorCode, Result};
use crate::kernel::event::{Event, Fact, Job};
use crate::kernel::ids::SubscriberId;

/// A transaction inside one ISP's schema, under its role. Dropping it rolls back.
pub struct TenantTx {
    pub(super) conn: Mutex<Held>,
    own_statements: bool,
    read_only: bool,
    /// How often it was begun anew.
    begun: AtomicU32,
    spoilt: AtomicBool,
    tenant: Tenant,
    actor: Arc<Actor>,
    now: DateTime<Utc>,
    /// Of a rehearsal: by how many nanoseconds its clock was moved. None: what is done counts.
    rehearsal: Option<AtomicI64>,
    wake: Arc<Notify>,
    has_work: AtomicBool,
    gets_on: AtomicBool,
}

impl TenantTx {
    pub(super) fn new(
        mut conn: Held,
        read_only: bool,
        tenant: Tenant,
        actor: Arc<Actor>,
        now: DateTime<Utc>,
        wake: Arc<Notify>,
    ) -> Self {
        Self {
            own_statements: conn.meet(tenant.number()),
            conn: Mutex::new(conn),
            read_only,
            begun: AtomicU32::new(0),
            spoilt: AtomicBool::new(false),
            tenant,
            actor,
            now,
            rehearsal: None,
            wake,
            has_work: AtomicBool::new(false),
            gets_on: AtomicBool::new(false),
        }
    }

    /// It will be rolled back, whatever comes of it; its clock can be moved.
    pub(super) fn rehearsing(mut self) -> Self {
        self.rehearsal = Some(AtomicI64::new(0));
        self
    }

    /// Goes on as of that instant; only in a rehearsal.
    pub fn move_clock(&self, to: DateTime<Utc>) -> Result<()> {
        let moved = (self.rehearsal.as_ref()).ok_or_else(|| Error::internal("what counts happens now"))?;
        let by = (to - self.now).num_nanoseconds();
        let by = by.ok_or_else(|| Error::internal("a time out of range"))?;
        moved.store(by, Ordering::Relaxed);
        Ok(())
    }

    pub async fn commit(mut self) -> Result<()> {
        if self.rehearsal.is_some() {
            return Err(Error::internal("a rehearsal is never committed"));
        }
        begin::commit(self.conn.get_mut()).await?;
        if self.has_work.load(Ordering::Relaxed) {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Which beginning a caller works on; see [`Self::begin_anew`].
    pub fn beginning(&self) -> u32 {
        self.begun.load(Ordering::Acquire)
    }

    /// Rolls back what was done since the beginning that the caller knows, clears the connection's prepared statements if
    /// they no longer fit the schema, and begins again. Of several callers who share the transaction the first does it; to
    /// the others it is done. A connection that was left half-way is closed.
    pub async fn begin_anew(&self, known: u32) -> Result<()> {
        let mut conn = self.conn.lock().await;
        if self.beginning() != known {
            return Ok(());
        }
        let forget = self.spoilt.swap(true, Ordering::AcqRel);
        let prologue = match self.read_only {
            true => self.tenant.begin_read(),
            false => self.tenant.begin_write(),
        };
        begin::again(&mut conn, prologue, forget).await?;
        self.has_work.store(false, Ordering::Relaxed);
        self.gets_on.store(false, Ordering::Relaxed);
        if let Some(moved) = &self.rehearsal {
            moved.store(0, Ordering::Relaxed);
        }
        self.begun.fetch_add(1, Ordering::AcqRel);
        self.spoilt.store(false, Ordering::Release);
        Ok(())
    }

    /// A statement of this tenant's own schema.
    pub fn sql(&self, text: &'static str) -> Sql<'_> {
        Sql::new(self, text)
    }

    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// One instant for the whole transaction.
    pub fn now(&self) -> DateTime<Utc> {
        let moved = self.rehearsal.as_ref().map_or(0, |by| by.load(Ordering::Relaxed));
        self.now + TimeDelta::nanoseconds(moved)
    }

    /// The date on the tenant's calendar.
    pub fn today(&self) -> NaiveDate {
        self.now().with_timezone(&self.tenant.timezone()).date_naive()
    }

    pub fn require(&self, permission: Permission) -> Result<()> {
        self.check(self.actor.may(permission))
    }

    /// Anyone of this ISP: staff of any role, or a subscriber.
    pub fn require_signed_in(&self) -> Result<()> {
        self.check(matches!(
            *self.actor,
            Actor::System | Actor::Staff { .. } | Actor::Subscriber { .. }
        ))
    }

    /// Staff with the permission, or the subscriber whose data it is.
    pub fn require_for(&self, permission: Permission, subscriber: SubscriberId) -> Result<()> {
        self.check(self.actor.may_for(permission, subscriber))
    }

    fn check(&self, allowed: bool) -> Result<()> {
        match (allowed, &*self.actor) {
            (true, _) => Ok(()),
            (false, Actor::Anonymous) => Err(Error::Unauthenticated),
            (false, _) => Err(Error::Forbidden),
        }
    }

    /// Claims an idempotency key for the object `result` that this transaction is about to make. `Some(id)` is the object
    /// that an earlier call with the same key and input made: return it and do nothing. A concurrent call waits here until
    /// the first has ended; a refused call leaves no key behind, since its transaction is rolled back.
    pub async fn claim_key(
        &self,
        mutation: &'static str,
        key: Option<Uuid>,
        input: &impl Serialize,
        result: Uuid,
    ) -> Result<Option<Uuid>> {
        let Some(key) = key else { return Ok(None) };
        let principal = self.actor.principal().unwrap_or(Uuid::nil());
        let hash = crate::kernel::crypto::fingerprint(input)?;
        let claimed = self
            .sql(
                "INSERT INTO idempotency (mutation, principal, key, input_hash, result_id, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            )
            .bind(mutation)
            .bind(principal)
            .bind(key)
            .bind(hash.clone())
            .bind(result)
            .bind(self.now())
            .run()
            .await?;
        if claimed == 1 {
            return Ok(None);
        }
        let known: Known = self
            .sql("SELECT input_hash, result_id FROM idempotency WHERE mutation = $1 AND principal = $2 AND key = $3")
            .bind(mutation)
            .bind(principal)
            .bind(key)
            .one()
            .await?;
        if known.input_hash == hash {
            Ok(Some(known.result_id))
        } else {
            Err(Error::user(
                ErrorCode::IdempotencyKeyReused,
                "idempotencyKey",
                "This key was used with another input; use a new key.",
            ))
        }
    }

    /// Writes down who did what to which object. Append-only.
    pub async fn audit(&self, action: &'static str, target: Uuid, detail: impl Serialize) -> Result<()> {
        self.sql("INSERT INTO audit_entry (id, at, actor_kind, actor_id, action, target_id, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(Uuid::now_v7())
            .bind(self.now())
            .bind(self.actor.kind())
            .bind(self.actor.principal())
            .bind(action)
            .bind(target)
            .bind(serde_json::to_value(detail)?)
            .run()
            .await?;
        Ok(())
    }

    /// As [`Self::audit`], for many objects in one statement. Each detail is JSON.
    pub async fn audit_all(&self, action: &'static str, entries: Vec<(Uuid, String)>) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = entries.iter().map(|_| Uuid::now_v7()).collect();
        let (targets, details): (Vec<Uuid>, Vec<String>) = entries.into_iter().unzip();
        self.sql(
            "INSERT INTO audit_entry (id, at, actor_kind, actor_id, action, target_id, detail)
             SELECT e.id, $4, $5, $6, $7, e.target_id, e.detail::jsonb
             FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS e(id, target_id, detail)",
        )
        .bind(ids)
        .bind(targets)
        .bind(details)
        .bind(self.now)
        .bind(self.actor.kind())
        .bind(self.actor.principal())
        .bind(action)
        .run()
        .await?;
        Ok(())
    }

    /// Leaves a fact for later modules; their handlers run after the commit, each in a transaction of its own.
    pub async fn emit<E: Event>(&self, event: &E) -> Result<()> {
        self.has_work.store(true, Ordering::Relaxed);
        self.sql("INSERT INTO platform.outbox (tenant_id, event_id, kind, payload, occurred_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(self.tenant.number())
            .bind(Uuid::now_v7())
            .bind(E::KIND)
            .bind(serde_json::to_value(event)?)
            .bind(self.now())
            .run()
            .await?;
        Ok(())
    }

    /// As [`Self::emit`], for many facts in one statement and in their order.
    pub async fn emit_all(&self, facts: Vec<Fact>) -> Result<()> {
        if facts.is_empty() {
            return Ok(());
        }
        self.has_work.store(true, Ordering::Relaxed);
        let ids: Vec<Uuid> = facts.iter().map(|_| Uuid::now_v7()).collect();
        let kinds: Vec<String> = facts.iter().map(|f| f.kind.to_owned()).collect();
        self.sql(
            "INSERT INTO platform.outbox (tenant_id, event_id, kind, payload, occurred_at)
             SELECT $1, f.event_id, f.kind, f.payload::jsonb, $5
             FROM unnest($2::uuid[], $3::text[], $4::text[]) AS f(event_id, kind, payload)",
        )
        .bind(self.tenant.number())
        .bind(ids)
        .bind(kinds)
        .bind(facts.into_iter().map(|f| f.payload).collect::<Vec<_>>())
        .bind(self.now)
        .run()
        .await?;
        Ok(())
    }

    /// What this transaction does need not be done again: the job gets on. Workers that die over it are counted anew.
    pub fn gets_on(&self) {
        self.gets_on.store(true, Ordering::Relaxed);
    }

    /// Fails unless the job is still this worker's; then nobody takes it over before this transaction has ended.
    pub(super) async fn hold_job(&self, lease: &Lease) -> Result<()> {
        let hold = match self.gets_on.load(Ordering::Relaxed) {
            true => self.sql("SELECT platform.advance_job($1, $2)"),
            false => self.sql("SELECT platform.hold_job($1, $2)"),
        };
        let held = hold.bind(lease.job).bind(lease.token);
        still_ours(held.scalar::<Option<bool>>().await?.flatten())
    }

    /// The job is done when this transaction commits. Fails unless it is still this worker's.
    pub async fn end_job(&self, lease: &Lease) -> Result<()> {
        let ended = self.sql("SELECT platform.end_job($1, $2)").bind(lease.job).bind(lease.token);
        still_ours(ended.scalar::<Option<bool>>().await?.flatten())
    }

    /// Asks for work, at `run_at` by the product's clock.
    pub async fn enqueue<J: Job>(&self, job: &J, run_at: DateTime<Utc>) -> Result<()> {
        self.has_work.store(true, Ordering::Relaxed);
        self.sql("INSERT INTO platform.job (tenant_id, kind, dedup_key, payload, run_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING")
            .bind(self.tenant.number())
            .bind(J::KIND)
            .bind(job.dedup_key())
            .bind(serde_json::to_value(job)?)
            .bind(run_at)
            .run()
            .await?;
        Ok(())
    }
}

fn still_ours(held: Option<bool>) -> Result<()> {
    match held {
        Some(true) => Ok(()),
        _ => Err(Error::Unavailable("another worker has taken the job over".into())),
    }
}

#[derive(sea_orm::FromQueryResult)]
struct Known {
    input_hash: Vec<u8>,
    result_id: Uuid,
}

impl Drop for TenantTx {
    fn drop(&mut self) {
        if *self.spoilt.get_mut() {
            self.conn.get_mut().close_on_drop();
        }
    }
}

impl Runner for TenantTx {
    fn connection(&self) -> &Mutex<Held> {
        &self.conn
    }

    fn spoilt(&self) -> &AtomicBool {
        &self.spoilt
    }

    fn own_statements(&self) -> Option<i32> {
        self.own_statements.then(|| self.tenant.number())
    }
}

connection_trait!(TenantTx);
