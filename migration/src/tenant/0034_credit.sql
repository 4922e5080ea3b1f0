-- Credit given back and moved, deposits, and what is given up.

-- Money paid back out of credit in hand.
CREATE TABLE refund (
    id            uuid PRIMARY KEY,
    subscriber_id uuid NOT NULL REFERENCES subscriber,
    -- The payment whose money it is, where that is known.
    payment_id    uuid REFERENCES payment,
    amount        numeric(19,4) NOT NULL CHECK (amount > 0),
    currency      text NOT NULL,
    method        text NOT NULL CHECK (method IN ('CASH', 'BANK_TRANSFER', 'CHEQUE', 'MOBILE_MONEY', 'CARD', 'UPI', 'OTHER')),
    reference     text,
    reason        text NOT NULL,
    refunded_on   date NOT NULL,
    created_at    timestamptz NOT NULL
);
CREATE INDEX refund_subscriber ON refund (subscriber_id, created_at, id);
CREATE INDEX refund_payment ON refund (payment_id) WHERE payment_id IS NOT NULL;

-- What of a payment has been refunded; never more than came in, whatever the code does.
ALTER TABLE payment ADD COLUMN refunded numeric(19,4) NOT NULL DEFAULT 0;
ALTER TABLE payment ADD CONSTRAINT payment_refunded CHECK (refunded BETWEEN 0 AND amount);

CREATE TABLE credit_transfer (
    id                 uuid PRIMARY KEY,
    from_subscriber_id uuid NOT NULL REFERENCES subscriber,
    to_subscriber_id   uuid NOT NULL REFERENCES subscriber,
    amount             numeric(19,4) NOT NULL CHECK (amount > 0),
    currency           text NOT NULL,
    reason             text NOT NULL,
    created_at         timestamptz NOT NULL,
    CHECK (from_subscriber_id <> to_subscriber_id)
);

-- Money that is held for a subscriber and given back. It is charged by an invoice of its own kind, over one line.
-- Beside `kind`, whose step need not have come before this one.
ALTER TABLE invoice ADD COLUMN is_deposit boolean NOT NULL DEFAULT false;
CREATE TABLE deposit (
    id            uuid PRIMARY KEY,
    -- Whose it is: who pays the invoice.
    subscriber_id uuid NOT NULL REFERENCES subscriber,
    -- With the end of this service it goes back; NULL: only when somebody says so.
    service_id    uuid REFERENCES service,
    invoice_id    uuid NOT NULL UNIQUE REFERENCES invoice,
    description   text NOT NULL,
    amount        numeric(19,4) NOT NULL CHECK (amount > 0),
    returned      numeric(19,4) NOT NULL DEFAULT 0,
    currency      text NOT NULL,
    created_at    timestamptz NOT NULL,
    CHECK (returned BETWEEN 0 AND amount)
);
CREATE INDEX deposit_subscriber ON deposit (subscriber_id, created_at, id);
CREATE INDEX deposit_service ON deposit (service_id) WHERE service_id IS NOT NULL AND returned < amount;

CREATE TABLE deposit_return (
    id         uuid PRIMARY KEY,
    deposit_id uuid NOT NULL REFERENCES deposit,
    amount     numeric(19,4) NOT NULL CHECK (amount > 0),
    reason     text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX deposit_return_of ON deposit_return (deposit_id);

-- What is given up of an invoice, and (negative) what came in after all.
CREATE TABLE write_off (
    id         uuid PRIMARY KEY,
    invoice_id uuid NOT NULL REFERENCES invoice,
    amount     numeric(19,4) NOT NULL CHECK (amount <> 0),
    reason     text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX write_off_invoice ON write_off (invoice_id);

-- The sum of its write-offs; a part of amount_credited, so that nothing is due for it.
ALTER TABLE invoice ADD COLUMN written_off numeric(19,4) NOT NULL DEFAULT 0;
ALTER TABLE invoice ADD CONSTRAINT invoice_written_off CHECK (written_off BETWEEN 0 AND amount_credited);
ALTER TABLE invoice DROP CONSTRAINT invoice_status_check;
ALTER TABLE invoice ADD CONSTRAINT invoice_status_check
    CHECK (status IN ('DRAFT', 'ISSUED', 'PARTIALLY_PAID', 'PAID', 'CREDITED', 'WRITTEN_OFF', 'VOID'));

-- What this release adds, for the roles that the templates give it to.
UPDATE role SET permissions = permissions || '{credit:write,invoice:write-off}'
WHERE code IN ('owner', 'admin') AND NOT 'credit:write' = ANY (permissions);
UPDATE role SET permissions = permissions || '{credit:write}'
WHERE code = 'billing' AND NOT 'credit:write' = ANY (permissions);

GRANT SELECT, INSERT ON refund, credit_transfer, deposit_return, write_off TO {{tenant}};
GRANT SELECT, INSERT, UPDATE ON deposit TO {{tenant}};
