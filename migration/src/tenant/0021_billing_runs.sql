-- Billing runs: what each did, and whom it could not bill.

CREATE TABLE billing_run (
    id                  uuid PRIMARY KEY,
    -- What is due by this day of the ISP's calendar.
    billing_date        date NOT NULL,
    dry_run             boolean NOT NULL,
    status              text NOT NULL CHECK (status IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    -- Who of the staff asked for it; NULL: the daily run.
    requested_by        uuid,
    requested_at        timestamptz NOT NULL,
    started_at          timestamptz,
    -- When it last got on.
    touched_at          timestamptz NOT NULL,
    finished_at         timestamptz,
    -- How many services there were to look at when it began.
    services_due        integer NOT NULL DEFAULT 0,
    services_considered integer NOT NULL DEFAULT 0,
    invoices_issued     integer NOT NULL DEFAULT 0,
    currency            text NOT NULL,
    total               numeric(19,4) NOT NULL DEFAULT 0,
    CHECK ((status IN ('QUEUED', 'RUNNING')) = (finished_at IS NULL))
);
-- One of each date is on its way at a time.
CREATE UNIQUE INDEX billing_run_open ON billing_run (billing_date, dry_run) WHERE status IN ('QUEUED', 'RUNNING');
CREATE INDEX billing_run_requested ON billing_run (requested_at, id);

-- Services that a run could not bring up to date; the next one tries again.
CREATE TABLE billing_failure (
    run_id      uuid NOT NULL REFERENCES billing_run,
    service_id  uuid NOT NULL REFERENCES service,
    code        text NOT NULL,
    message     text NOT NULL,
    failed_at   timestamptz NOT NULL,
    -- When a later run, or somebody, brought it up to date.
    resolved_at timestamptz,
    PRIMARY KEY (run_id, service_id)
);
CREATE INDEX billing_failure_open ON billing_failure (service_id) WHERE resolved_at IS NULL;

GRANT SELECT, INSERT, UPDATE ON billing_run, billing_failure TO {{tenant}};

-- A run reads what is to be charged in the order of the days, a part at a time.
CREATE INDEX service_charging ON service (next_billing_on, id) WHERE status IN ('ACTIVE', 'GRACE', 'SUSPENDED');
DROP INDEX service_due;
-- Services that enter another period, which is charged already.
CREATE INDEX service_entering ON service (period_ends_at) WHERE status IN ('ACTIVE', 'GRACE') AND billed_until > period_ends_at;
