//! What one worker has in hand.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinSet};

use super::claim::Patience;
use super::fair::{Waiting, deal};
use super::worker::Worker;
use crate::kernel::db::Lease;
use crate::kernel::error::Result;

/// How long places are gathered before they are filled together.
const GATHER: Duration = Duration::from_millis(2);

/// The jobs that a worker is running, and the tenants whose turn is next. Dropped, it ends what it runs; leases lapse.
pub struct Shift<'w> {
    worker: &'w Worker,
    patience: Patience,
    tasks: JoinSet<bool>,
    running: HashMap<Id, Running>,
    /// Tenants that may have due jobs, the longest unserved first.
    waiting: VecDeque<i32>,
    /// Behind which tenant events are dispatched next.
    dispatched: i32,
    look_round: bool,
    /// Jobs that have ended, whatever came of them.
    pub ended: u64,
}

struct Running {
    lease: Lease,
    tenant: i32,
    abort: AbortHandle,
}

impl<'w> Shift<'w> {
    pub fn new(worker: &'w Worker, patience: Patience) -> Self {
        Self {
            worker,
            patience,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            waiting: VecDeque::new(),
            dispatched: 0,
            look_round: true,
            ended: 0,
        }
    }

    fn free(&self) -> usize {
        self.worker.settings.places.saturating_sub(self.running.len())
    }

    pub fn has_place(&self) -> bool {
        self.free() > 0
    }

    pub fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// The next [`Self::fill`] asks for all tenants with due jobs, not only for those that are known to have some.
    pub fn look_round(&mut self) {
        self.look_round = true;
    }

    /// Dispatches some events and fills the free places; whether there may be more to do than there is place for.
    pub async fn fill(&mut self) -> Result<bool> {
        let events = self.dispatch().await?;
        while self.has_place() && self.claim().await? {}
        Ok(events || !self.waiting.is_empty())
    }

    async fn dispatch(&mut self) -> Result<bool> {
        let (mut tenants, mut last) = self.worker.queue.dispatch(self.dispatched).await?;
        if last.is_none() && self.dispatched > 0 {
            (tenants, last) = self.worker.queue.dispatch(0).await?;
        }
        self.dispatched = last.unwrap_or(0);
        for tenant in &tenants {
            self.wait(*tenant);
        }
        Ok(!tenants.is_empty())
    }

    fn wait(&mut self, tenant: i32) {
        if !self.waiting.contains(&tenant) {
            self.waiting.push_back(tenant);
        }
    }

    /// Claims and begins what the free places allow; whether it got anything.
    async fn claim(&mut self) -> Result<bool> {
        let queue = &self.worker.queue;
        if self.waiting.is_empty() && !self.look_round {
            return Ok(false);
        }
        let running = self.leases();
        let tx = queue.platform().await?;
        if std::mem::take(&mut self.look_round) {
            for tenant in queue.due_tenants(&tx, &self.patience, &running).await? {
                self.wait(tenant);
            }
        }
        let shares = deal(self.free(), self.worker.settings.places, &self.turns());
        if shares.is_empty() {
            return Ok(false);
        }
        let claimed = queue.claim(&tx, &shares, &self.patience, &running).await?;
        tx.commit().await?;
        for (tenant, share) in shares {
            self.waiting.retain(|t| *t != tenant);
            if claimed.iter().filter(|job| job.tenant.number() == tenant).count() == share {
                self.waiting.push_back(tenant);
            }
        }
        let any = !claimed.is_empty();
        for job in claimed {
            let (lease, tenant) = (job.lease, job.tenant.number());
            let abort = self.tasks.spawn(self.worker.clone().attempt(job));
            self.running.insert(abort.id(), Running { lease, tenant, abort });
        }
        Ok(any)
    }

    fn turns(&self) -> Vec<Waiting> {
        let mut running: HashMap<i32, usize> = HashMap::new();
        for r in self.running.values() {
            *running.entry(r.tenant).or_default() += 1;
        }
        let one = |&tenant: &i32| Waiting {
            tenant,
            running: running.get(&tenant).copied().unwrap_or(0),
        };
        self.waiting.iter().map(one).collect()
    }

    /// Waits for one job to end; for ever where none is running.
    pub async fn one_ended(&mut self) {
        let Some(ended) = self.tasks.join_next_with_id().await else {
            return std::future::pending().await;
        };
        let (id, done) = match ended {
            Ok((id, done)) => (id, done),
            Err(e) => (e.id(), false),
        };
        self.ended += 1;
        let Some(ended) = self.running.remove(&id) else { return };
        if !done && let Patience::Impatient(not) = &mut self.patience {
            not.push(ended.lease.job);
        }
    }

    /// Waits a moment for others to end as well, so that their places are filled together.
    pub async fn more_ended(&mut self) {
        let half = self.worker.settings.places / 2;
        let gather = async {
            while self.running.len() > half {
                self.one_ended().await;
            }
        };
        let _ = tokio::time::timeout(GATHER, gather).await;
    }

    /// Prolongs the leases of what is running; what others have taken over is dropped.
    pub async fn keep(&mut self) {
        let leases = self.leases();
        if leases.is_empty() {
            return;
        }
        match self.worker.queue.keep(&leases).await {
            Ok(kept) => {
                for lost in self.running.values().filter(|r| !kept.contains(&r.lease.job)) {
                    lost.abort.abort();
                }
            }
            Err(e) => tracing::warn!(error = e.summary(), "leases could not be prolonged"),
        }
    }

    fn leases(&self) -> Vec<Lease> {
        self.running.values().map(|r| r.lease).collect()
    }

    /// Finishes what is running, for as long as the grace lasts, and gives the rest back.
    pub async fn close(mut self) {
        let grace = tokio::time::sleep(self.worker.settings.grace);
        let mut keep = tokio::time::interval(self.worker.settings.lease / 4);
        tokio::pin!(grace);
        while !self.is_idle() {
            tokio::select! {
                () = &mut grace => break,
                () = self.one_ended() => {}
                _ = keep.tick() => self.keep().await,
            }
        }
        let rest = self.leases();
        if rest.is_empty() {
            return;
        }
        self.tasks.shutdown().await;
        match self.worker.queue.give_back(&rest).await {
            Ok(given) => tracing::info!(given, "jobs given back"),
            Err(e) => tracing::warn!(error = e.summary(), "jobs could not be given back; their leases lapse"),
        }
    }
}
