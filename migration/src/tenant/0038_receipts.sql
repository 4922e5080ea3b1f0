-- Receipts for money received, numbered as invoices are, out of a series of their own.

-- Where it does not name the registration, one series counts over all of them.
ALTER TABLE billing_settings ADD COLUMN receipt_number_pattern text NOT NULL DEFAULT 'RC/{FY}/{SEQ:6}';

CREATE TABLE receipt (
    payment_id      uuid PRIMARY KEY REFERENCES payment,
    number          text NOT NULL UNIQUE,
    -- On the ISP's calendar; decides the fiscal year, whenever the money came.
    issued_on       date NOT NULL,
    registration_id uuid REFERENCES tax_registration,
    created_at      timestamptz NOT NULL
);

GRANT SELECT, INSERT ON receipt TO {{tenant}};
