-- Debit notes, and invoices that are withdrawn.

-- Why a debit note was issued.
ALTER TABLE invoice ADD COLUMN reason text;
-- The sum of the debit notes that add to the invoice; they can never exceed it, whatever the code does.
ALTER TABLE invoice ADD COLUMN debit_noted numeric(19,4) NOT NULL DEFAULT 0;
ALTER TABLE invoice ADD CONSTRAINT invoice_debit_noted CHECK (debit_noted BETWEEN 0 AND total);

-- A void invoice keeps its number; nothing was ever paid on it, and all of it is taken back.
ALTER TABLE invoice ADD COLUMN voided_at timestamptz;
ALTER TABLE invoice ADD COLUMN void_reason text;
ALTER TABLE invoice ADD CONSTRAINT invoice_void CHECK (
    (status = 'VOID') = (voided_at IS NOT NULL) AND (voided_at IS NULL) = (void_reason IS NULL)
    AND (voided_at IS NULL OR (amount_paid = 0 AND amount_credited = total AND debit_noted = 0))
);

-- Like credit notes', which most patterns begin with CN.
ALTER TABLE billing_settings ADD COLUMN debit_note_number_pattern text NOT NULL DEFAULT 'DN/{FY}/{SEQ:6}';
UPDATE billing_settings SET debit_note_number_pattern = 'DN' || substr(credit_note_number_pattern, 3)
WHERE credit_note_number_pattern LIKE 'CN%';
