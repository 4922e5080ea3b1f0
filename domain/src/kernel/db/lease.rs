use uuid::Uuid;

/// A worker's claim on a job, until another worker takes it over. The token is known to the worker and the database alone.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    pub job: i64,
    pub token: Uuid,
}
