use std::collections::HashMap;

use futures::future::BoxFuture;
use serde_json::Value;

use crate::kernel::db::{TenantDb, TenantTx};
use crate::kernel::error::Result;
use crate::kernel::event::{Event, Job};

type InTransaction = dyn for<'t> Fn(&'t TenantTx, Value) -> BoxFuture<'t, Result<()>> + Send + Sync;
type WithDatabase = dyn Fn(TenantDb, Value) -> BoxFuture<'static, Result<()>> + Send + Sync;

/// What a job runs.
pub enum Work {
    /// One transaction, in which it is also noted that the work was done.
    InTransaction(Box<InTransaction>),
    /// Work that divides itself into transactions and is idempotent by its own keys.
    WithDatabase(Box<WithDatabase>),
}

/// Which event is handled by whom, and what each job runs. Filled once at start.
#[derive(Default)]
pub struct Registry {
    handlers: HashMap<&'static str, Vec<&'static str>>,
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
        self.handlers.entry(E::KIND).or_default().push(name);
        let work: Box<InTransaction> = Box::new(move |tx, payload| {
            let handler = handler.clone();
            Box::pin(async move { handler(tx, serde_json::from_value(payload)?).await })
        });
        self.work.insert(name, Work::InTransaction(work));
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

    pub(super) fn handlers(&self, event: &str) -> &[&'static str] {
        self.handlers.get(event).map_or(&[], Vec::as_slice)
    }

    pub(super) fn work(&self, kind: &str) -> Option<&Work> {
        self.work.get(kind)
    }
}
