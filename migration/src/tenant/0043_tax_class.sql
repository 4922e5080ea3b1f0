-- What a subscriber is for tax, as a buyer.
ALTER TABLE subscriber ADD COLUMN tax_class text NOT NULL DEFAULT 'REGULAR' CHECK (tax_class IN ('REGULAR', 'EXEMPT', 'SPECIAL'));
