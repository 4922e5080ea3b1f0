-- Credit notes, and what changes of plan, suspensions and ends of a service need to remember.

CREATE TABLE credit_note (
    id              uuid PRIMARY KEY,
    number          text NOT NULL UNIQUE,
    invoice_id      uuid NOT NULL REFERENCES invoice,
    -- Who pays the invoice, and has what the invoice did not owe any more as credit.
    subscriber_id   uuid NOT NULL REFERENCES subscriber,
    registration_id uuid REFERENCES tax_registration,
    reason          text NOT NULL,
    issued_on       date NOT NULL,
    currency        text NOT NULL,
    subtotal        numeric(19,4) NOT NULL CHECK (subtotal >= 0),
    tax_total       numeric(19,4) NOT NULL CHECK (tax_total >= 0),
    rounding        numeric(19,4) NOT NULL,
    total           numeric(19,4) NOT NULL CHECK (total > 0),
    -- The part of the total that lowered what was due on the invoice; the rest is credit in hand.
    applied         numeric(19,4) NOT NULL CHECK (applied >= 0),
    created_at      timestamptz NOT NULL,
    CHECK (total = subtotal + tax_total + rounding),
    CHECK (applied <= total)
);
CREATE INDEX credit_note_invoice ON credit_note (invoice_id);

CREATE TABLE credit_note_line (
    id               uuid PRIMARY KEY,
    credit_note_id   uuid NOT NULL REFERENCES credit_note,
    invoice_line_id  uuid NOT NULL REFERENCES invoice_line,
    position         integer NOT NULL,
    description      text NOT NULL,
    amount           numeric(19,4) NOT NULL CHECK (amount >= 0),
    -- Of what a tax-inclusive price left over on the invoice's line.
    residual         numeric(19,4) NOT NULL,
    -- The time that is not charged any more, where it is time that is credited.
    period_starts_at timestamptz,
    period_ends_at   timestamptz,
    explanation      jsonb NOT NULL,
    UNIQUE (credit_note_id, position),
    CHECK (period_starts_at < period_ends_at)
);
CREATE INDEX credit_note_line_of ON credit_note_line (invoice_line_id);

-- Taxes reversed as they were charged; `position` is that of the tax on the invoice's line.
CREATE TABLE credit_note_tax (
    line_id  uuid NOT NULL REFERENCES credit_note_line,
    position integer NOT NULL,
    name     text NOT NULL,
    rate     numeric(9,4) NOT NULL,
    base     numeric(19,4) NOT NULL,
    amount   numeric(19,4) NOT NULL,
    PRIMARY KEY (line_id, position)
);

-- The sum of the credit notes against the invoice; they can never exceed it, whatever the code does.
ALTER TABLE invoice ADD COLUMN credit_noted numeric(19,4) NOT NULL DEFAULT 0;
ALTER TABLE invoice ADD CONSTRAINT invoice_credit_noted CHECK (credit_noted BETWEEN 0 AND total);
-- The invoice over the fee for having been late with this one.
ALTER TABLE invoice ADD COLUMN late_fee_invoice_id uuid REFERENCES invoice;

-- The days that the line's price is spread over, where they are not those that it charges (its period was moved).
ALTER TABLE coverage ADD COLUMN days integer CHECK (days > 0);
-- What a full period costs on these days, where that is not the line's price any more (a cheaper plan, credited).
ALTER TABLE coverage ADD COLUMN price numeric(19,4) CHECK (price >= 0);
CREATE INDEX coverage_line ON coverage (invoice_line_id);

-- The plan that follows at the next period, and the day on which the service ends.
ALTER TABLE service ADD COLUMN pending_plan_id uuid REFERENCES plan;
ALTER TABLE service ADD COLUMN pending_on date;
ALTER TABLE service ADD COLUMN ends_on date;
ALTER TABLE service ADD COLUMN end_reason text;
ALTER TABLE service ADD CONSTRAINT service_pending CHECK ((pending_plan_id IS NULL) = (pending_on IS NULL));
CREATE INDEX service_ending ON service (ends_on) WHERE ends_on IS NOT NULL AND status <> 'TERMINATED';
CREATE INDEX service_suspended ON service (suspension_since) WHERE status = 'SUSPENDED';

GRANT SELECT, INSERT ON credit_note, credit_note_line, credit_note_tax TO {{tenant}};
