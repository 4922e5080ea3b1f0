-- What payers withheld and paid to the authority in the ISP's name, so that it can be taken back.
CREATE TABLE withholding (
    id         uuid PRIMARY KEY,
    invoice_id uuid NOT NULL REFERENCES invoice,
    -- Negative: taken back.
    amount     numeric(19,4) NOT NULL CHECK (amount <> 0),
    -- Of the certificate.
    reference  text,
    -- Why it was taken back.
    reason     text,
    created_at timestamptz NOT NULL,
    CHECK ((amount < 0) = (reason IS NOT NULL))
);
CREATE INDEX withholding_invoice ON withholding (invoice_id);
GRANT SELECT, INSERT ON withholding TO {{tenant}};

-- The sum of these; a part of what was paid, whatever the code does.
ALTER TABLE invoice ADD COLUMN withheld numeric(19,4) NOT NULL DEFAULT 0;
ALTER TABLE invoice ADD CONSTRAINT invoice_withheld CHECK (withheld BETWEEN 0 AND amount_paid);
