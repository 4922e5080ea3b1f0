-- Who invoices and credit notes are from and to, as both were on the day of issue.

-- The ISP as its documents name it. Rows are never changed; what says the same is one row, for its id is a digest of it.
CREATE TABLE seller (
    id         uuid PRIMARY KEY,
    body       jsonb NOT NULL,
    created_at timestamptz NOT NULL
);
GRANT SELECT, INSERT ON seller TO {{tenant}};

-- Without a foreign key: thousands of documents a second would share one lock on the row that all of them name. NULL: issued
-- before this was kept.
ALTER TABLE invoice ADD COLUMN seller_id uuid;
ALTER TABLE invoice ADD COLUMN buyer jsonb;
-- Of credit notes; a table of its own, since theirs need not be there yet.
CREATE TABLE credit_note_party (
    credit_note_id uuid PRIMARY KEY,
    seller_id      uuid NOT NULL,
    buyer          jsonb NOT NULL
);
GRANT SELECT, INSERT ON credit_note_party TO {{tenant}};
