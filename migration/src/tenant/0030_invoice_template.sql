-- How this ISP's invoices look, where it has changed that, and where payments by UPI go.

CREATE TABLE invoice_template (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- Typst; NULL: the starter pack's.
    source     text,
    version    integer NOT NULL,
    updated_at timestamptz NOT NULL
);

ALTER TABLE branding ADD COLUMN upi_id text;

GRANT SELECT, INSERT, UPDATE ON invoice_template TO {{tenant}};
