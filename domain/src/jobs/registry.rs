use std::collections::{HashMap, HashSet};

use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;

use crate::kernel::db::{TenantDb, TenantTx};
use crate::kernel::error::Result;
use crate::kernel::event::{Event, Job};

type InTransaction = dyn for<'t> Fn(&'t TenantTx, Value) -> BoxFuture<'t, Result<()>> + Send + Sync;
type WithDatabase = dyn Fn(TenantDb, Value) -> BoxFuture<'static, Result<()>> + Send + Sync;

/// An event on its way to one handler. `platform.dispatch_events` makes it, with the event's id for whoever looks at a parked
/// job.
#[derive(Deserialize)]
pub(super) struct Delivery {
    pub event: Value,
}

/// What a job runs.
pub enum Work {
    /// One transaction, with which the job ends.
    InTransaction(Box<InTransaction>),
    /// Work that divides itself into transactions and is idempotent by its own keys.
    WithDatabase(Box<WithDatabase>),
}

/// Which event is handled by whom, and what each job runs. Filled once at start.
#[derive(Default)]
pub struct Registry {
    handlers: Vec<(&'static str, &'static str)>,
    events: HashSet<&'static str>,
    work: HashMap<&'static str, Work>,
}

impl Registry {
    /// Lets `handler` react to each event `E`; its effect happens exactly once per event. `name` is stored with pending
    /// work and must not change.
    #[must_use]
    pub fn on<E, F>(mut self, name: &'static str, handler: F) -> Self
    where
        E: Event + 'static,
        F: for<'t> Fn(&'t TenantTx, E) -> BoxFuture<'t, Result<()>> + Send + Sync + Clone + 'static,
    {
        self.events.insert(E::KIND);
        self.handlers.push((E::KIND, name));
        let work: Box<InTransaction> = Box::new(move |tx, payload| {
            let handler = handler.clone();
            Box::pin(async move { handler(tx, serde_json::from_value(payload)?).await })
        });
        self.work.insert(name, Work::InTransaction(work));
        self
    }

    /// As [`Self::on`], for a handler that divides itself into transactions, and is idempotent.
    #[must_use]
    pub fn on_in_parts<E, F>(mut self, name: &'static str, handler: F) -> Self
    where
        E: Event + 'static,
        F: Fn(TenantDb, E) -> BoxFuture<'static, Result<()>> + Send + Sync + Clone + 'static,
    {
        self.events.insert(E::KIND);
        self.handlers.push((E::KIND, name));
        let work: Box<WithDatabase> = Box::new(move |db, payload| {
            let handler = handler.clone();
            Box::pin(async move {
                let delivery: Delivery = serde_json::from_value(payload)?;
                handler(db, serde_json::from_value(delivery.event)?).await
            })
        });
        self.work.insert(name, Work::WithDatabase(work));
        self
    }

    /// Nobody reacts to `E` yet. Events that a registry does not name stay where they are, for a release that does.
    #[must_use]
    pub fn unheard<E: Event>(mut self) -> Self {
        self.events.insert(E::KIND);
        self
    }

    /// Runs jobs of kind `J` with the tenant's database.
    #[must_use]
    pub fn job<J, F>(mut self, run: F) -> Self
    where
        J: Job + 'static,
        F: Fn(TenantDb, J) -> BoxFuture<'static, Result<()>> + Send + Sync + Clone + 'static,
    {
        let work: Box<WithDatabase> = Box::new(move |db, payload| {
            let run = run.clone();
            Box::pin(async move { run(db, serde_json::from_value(payload)?).await })
        });
        self.work.insert(J::KIND, Work::WithDatabase(work));
        self
    }

    /// The kinds of events that it names, in no order.
    pub fn events(&self) -> impl Iterator<Item = &'static str> {
        self.events.iter().copied()
    }

    /// The kinds of jobs that it runs, handlers of events among them, in no order.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.work.keys().copied()
    }

    /// The kind as the registry names it, if it runs jobs of that kind.
    pub(super) fn kind(&self, kind: &str) -> Option<&'static str> {
        self.work.get_key_value(kind).map(|(known, _)| *known)
    }

    /// Events and who handles them.
    pub fn handlers(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.handlers.iter().copied()
    }

    pub(super) fn work(&self, kind: &str) -> Option<&Work> {
        self.work.get(kind)
    }
}
