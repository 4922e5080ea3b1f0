//! Services one after the other, each in a transaction of its own: one that something is wrong with is named and holds no
//! other up.

use futures::future::BoxFuture;

use super::billing_run;
use crate::kernel::db::{TenantDb, TenantTx};
use crate::kernel::error::{Error, Result};
use crate::kernel::ids::ServiceId;

/// What is done to one service.
pub(super) type Work = for<'t> fn(&'t TenantTx, ServiceId) -> BoxFuture<'t, Result<()>>;

/// Does that to each of the services. Answers what went wrong last; where the database does not answer it goes no further.
pub(super) async fn each(db: &TenantDb, services: &[ServiceId], work: Work) -> Result<Option<Error>> {
    let mut failed = None;
    for id in services.iter().copied() {
        let done = db.write(async move |tx| work(tx, id).await).await;
        failed = named(db, id, done).await?.or(failed);
    }
    Ok(failed)
}

/// As [`each`], where that is all of a job: it ends with the last of them, or fails for those that failed.
pub(super) async fn each_and_end(db: &TenantDb, services: &[ServiceId], work: Work) -> Result<()> {
    let Some((last, others)) = services.split_last() else {
        return Ok(());
    };
    let (failed, id) = (each(db, others, work).await?, *last);
    let done = match failed {
        None => db.write_last(async move |tx| work(tx, id).await).await,
        Some(_) => db.write(async move |tx| work(tx, id).await).await,
    };
    match named(db, id, done).await?.or(failed) {
        None => Ok(()),
        Some(e) => Err(e),
    }
}

async fn named(db: &TenantDb, id: ServiceId, done: Result<()>) -> Result<Option<Error>> {
    match done {
        Ok(()) => Ok(None),
        Err(e @ Error::Unavailable(_)) => Err(e),
        Err(e) => {
            billing_run::name_failure(db, id, &e).await?;
            Ok(Some(e))
        }
    }
}
