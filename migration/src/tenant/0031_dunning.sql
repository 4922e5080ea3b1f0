-- The ladder of reminders and promises to pay.

CREATE TABLE dunning_settings (
    only_row              boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- Days from the due date, before it negative: on each an unpaid invoice is reminded of.
    reminders             integer[] NOT NULL DEFAULT '{-3,1,7}',
    -- NULL: nobody promises.
    promise_max_days      integer DEFAULT 14 CHECK (promise_max_days BETWEEN 1 AND 90),
    promise_max_open      integer NOT NULL DEFAULT 1 CHECK (promise_max_open BETWEEN 1 AND 10),
    promise_by_subscriber boolean NOT NULL DEFAULT false,
    -- Percent of the subscribers who are served; NULL: no run is stopped for it.
    brake_share           numeric(5,2) DEFAULT 25 CHECK (brake_share > 0 AND brake_share <= 100),
    brake_least           integer NOT NULL DEFAULT 50 CHECK (brake_least > 0),
    -- So many payments without a subscriber; NULL: no run is stopped for them.
    brake_unmatched       integer DEFAULT 1 CHECK (brake_unmatched > 0),
    brake_prepaid         boolean NOT NULL DEFAULT false,
    version               integer NOT NULL DEFAULT 1
);
INSERT INTO dunning_settings DEFAULT VALUES;

-- An invoice is reminded of once a step, ever.
CREATE TABLE dunning_notice (
    invoice_id uuid NOT NULL REFERENCES invoice,
    days       integer NOT NULL,
    sent_at    timestamptz NOT NULL,
    PRIMARY KEY (invoice_id, days)
);

CREATE TABLE promise_to_pay (
    id            uuid PRIMARY KEY,
    -- Who pays.
    subscriber_id uuid NOT NULL REFERENCES subscriber,
    status        text NOT NULL CHECK (status IN ('OPEN', 'KEPT', 'BROKEN', 'CANCELLED')),
    until         date NOT NULL,
    -- What was due on its invoices when it was made.
    amount        numeric(19,4) NOT NULL CHECK (amount > 0),
    currency      text NOT NULL,
    note          text,
    by_subscriber boolean NOT NULL,
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    CHECK ((status = 'OPEN') = (ended_at IS NULL))
);
CREATE INDEX promise_to_pay_subscriber ON promise_to_pay (subscriber_id, id);
CREATE INDEX promise_to_pay_open ON promise_to_pay (until) WHERE status = 'OPEN';

CREATE TABLE promise_invoice (
    promise_id uuid NOT NULL REFERENCES promise_to_pay,
    invoice_id uuid NOT NULL REFERENCES invoice,
    PRIMARY KEY (promise_id, invoice_id)
);
CREATE INDEX promise_invoice_of ON promise_invoice (invoice_id);

-- The last day of an open promise: until its end nobody is switched off for this invoice.
ALTER TABLE invoice ADD COLUMN promised_until date;

-- The rights that came with this step, for roles that may take payments back, or look after subscribers.
UPDATE role SET permissions = permissions || ARRAY['promise:write', 'dunning:write'] WHERE 'payment:reverse' = ANY (permissions);
UPDATE role SET permissions = permissions || ARRAY['promise:write']
WHERE 'service:write' = ANY (permissions) AND NOT 'promise:write' = ANY (permissions);

GRANT SELECT, UPDATE ON dunning_settings TO {{tenant}};
GRANT SELECT, INSERT ON dunning_notice, promise_invoice TO {{tenant}};
GRANT SELECT, INSERT, UPDATE ON promise_to_pay TO {{tenant}};
