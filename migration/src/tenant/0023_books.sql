-- The books: periods that are closed, balances that subscribers bring along, and what invoices may be besides invoices.

-- Each row says up to which day the books are closed from then on; the last one counts. NULL: all days are open again.
CREATE TABLE ledger_close (
    number    integer PRIMARY KEY CHECK (number > 0),
    through   date,
    reason    text NOT NULL,
    closed_at timestamptz NOT NULL
);

-- A closed day takes no entry, whatever the code does. Only what is written is judged: a restored backup, which the owner of
-- the table writes, comes back whole.
ALTER TABLE ledger_entry ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_entries ON ledger_entry FOR SELECT TO {{tenant}} USING (true);
CREATE POLICY open_days ON ledger_entry FOR INSERT TO {{tenant}} WITH CHECK (
    booked_on > coalesce((SELECT c.through FROM ledger_close c ORDER BY c.number DESC LIMIT 1), '-infinity'::date)
);

-- The journal's order.
CREATE INDEX ledger_entry_booked ON ledger_entry (booked_on, id);

ALTER TABLE invoice ADD COLUMN kind text NOT NULL DEFAULT 'INVOICE' CHECK (kind IN ('INVOICE', 'DEBIT_NOTE', 'OPENING_BALANCE'));
-- The invoice that a debit note adds to.
ALTER TABLE invoice ADD COLUMN refers_to_id uuid REFERENCES invoice;
ALTER TABLE invoice ADD CONSTRAINT invoice_refers CHECK ((kind = 'DEBIT_NOTE') = (refers_to_id IS NOT NULL));
CREATE INDEX invoice_refers_to ON invoice (refers_to_id) WHERE refers_to_id IS NOT NULL;

-- What a subscriber owed (positive) or had in hand (negative) in the system that this one follows.
CREATE TABLE opening_balance (
    id            uuid PRIMARY KEY,
    subscriber_id uuid NOT NULL UNIQUE REFERENCES subscriber,
    amount        numeric(19,4) NOT NULL CHECK (amount <> 0),
    currency      text NOT NULL,
    as_of         date NOT NULL,
    reference     text,
    -- What is owed stands on an invoice of its own kind, so that payments settle it.
    invoice_id    uuid REFERENCES invoice,
    created_at    timestamptz NOT NULL,
    CHECK ((amount > 0) = (invoice_id IS NOT NULL))
);

-- What this release adds, for the roles that the templates give it to.
UPDATE role SET permissions = permissions || '{ledger:read,ledger:write}'
WHERE code IN ('owner', 'admin') AND NOT 'ledger:read' = ANY (permissions);
UPDATE role SET permissions = permissions || '{ledger:read}'
WHERE code IN ('billing', 'read-only') AND NOT 'ledger:read' = ANY (permissions);

GRANT SELECT, INSERT ON ledger_close, opening_balance TO {{tenant}};
