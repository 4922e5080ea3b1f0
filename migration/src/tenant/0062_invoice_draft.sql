-- Invoices by hand that are written and not issued yet.
CREATE TABLE invoice_draft (
    id            uuid PRIMARY KEY,
    subscriber_id uuid NOT NULL REFERENCES subscriber,
    -- As they were asked for; what they come to is found when it is issued.
    lines         jsonb NOT NULL,
    -- NULL: as many days after its issue as the settings say.
    due_on        date,
    version       integer NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
CREATE INDEX invoice_draft_of ON invoice_draft (subscriber_id);
GRANT SELECT, INSERT, DELETE ON invoice_draft TO {{tenant}};
GRANT UPDATE (lines, due_on, version, updated_at) ON invoice_draft TO {{tenant}};
