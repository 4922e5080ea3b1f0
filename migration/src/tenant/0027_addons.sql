-- Add-ons that go with services, what services have of them, and charges that are made once.

CREATE TABLE addon (
    id            uuid PRIMARY KEY,
    code          text NOT NULL,
    name          text NOT NULL,
    charged       text NOT NULL CHECK (charged IN ('PER_PERIOD', 'ONCE')),
    -- For each piece; of PER_PERIOD for a period of the service that has it.
    price         numeric(19,4) NOT NULL CHECK (price >= 0),
    currency      text NOT NULL,
    tax_inclusive boolean NOT NULL,
    tax_code      text,
    retired_at    timestamptz,
    created_at    timestamptz NOT NULL,
    version       integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX addon_code ON addon (lower(code));

-- The plans that it goes with; without a row: all.
CREATE TABLE addon_plan (
    addon_id uuid NOT NULL REFERENCES addon,
    plan_id  uuid NOT NULL REFERENCES plan,
    PRIMARY KEY (addon_id, plan_id)
);

CREATE TABLE service_addon (
    id           uuid PRIMARY KEY,
    service_id   uuid NOT NULL REFERENCES service,
    addon_id     uuid NOT NULL REFERENCES addon,
    quantity     integer NOT NULL CHECK (quantity > 0),
    -- What was agreed for each piece; NULL: what the catalogue asks when a period is charged.
    agreed_price numeric(19,4) CHECK (agreed_price >= 0),
    starts_on    date NOT NULL,
    -- The first day without it.
    ends_on      date,
    created_at   timestamptz NOT NULL,
    CHECK (starts_on <= ends_on)
);
CREATE INDEX service_addon_service ON service_addon (service_id, id);
CREATE INDEX service_addon_addon ON service_addon (addon_id);

-- Charged once: the row holds the invoice that charged it, and there is room for one.
CREATE TABLE one_time_charge (
    id            uuid PRIMARY KEY,
    service_id    uuid NOT NULL REFERENCES service,
    addon_id      uuid REFERENCES addon,
    description   text NOT NULL,
    quantity      integer NOT NULL CHECK (quantity > 0),
    unit_price    numeric(19,4) NOT NULL CHECK (unit_price >= 0),
    currency      text NOT NULL,
    tax_inclusive boolean NOT NULL,
    tax_code      text,
    invoice_id    uuid REFERENCES invoice,
    cancelled_at  timestamptz,
    created_at    timestamptz NOT NULL,
    CHECK (invoice_id IS NULL OR cancelled_at IS NULL)
);
CREATE INDEX one_time_charge_service ON one_time_charge (service_id, id);
CREATE INDEX one_time_charge_open ON one_time_charge (service_id) WHERE invoice_id IS NULL AND cancelled_at IS NULL;

GRANT SELECT, INSERT, UPDATE ON addon, service_addon, one_time_charge TO {{tenant}};
GRANT SELECT, INSERT, DELETE ON addon_plan TO {{tenant}};
