-- One ISP's own tables. Runs with search_path = the tenant's schema; {{tenant}} is the tenant's role.
-- No types, triggers or keys that leave the schema (design.md §2); enumerations are text with CHECK.

CREATE TABLE role (
    code        text PRIMARY KEY,
    name        text NOT NULL,
    permissions text[] NOT NULL
);

CREATE TABLE staff (
    id            uuid PRIMARY KEY,
    name          text NOT NULL,
    email         text NOT NULL,
    password_hash text NOT NULL,
    role_code     text NOT NULL REFERENCES role,
    disabled_at   timestamptz,
    created_at    timestamptz NOT NULL,
    version       integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX staff_email ON staff (lower(email));

CREATE TABLE branding (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    display_name  text NOT NULL,
    logo_url      text,
    primary_color text NOT NULL,
    accent_color  text NOT NULL,
    support_email text,
    support_phone text,
    legal_name    text NOT NULL,
    address       text[] NOT NULL,
    version       integer NOT NULL DEFAULT 1
);

CREATE TABLE plan (
    id            uuid PRIMARY KEY,
    code          text NOT NULL,
    name          text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('BROADBAND', 'HOTSPOT', 'ADDON')),
    payment_mode  text NOT NULL CHECK (payment_mode IN ('PREPAID', 'POSTPAID')),
    bill_in       text NOT NULL CHECK (bill_in IN ('ADVANCE', 'ARREARS')),
    period_unit   text NOT NULL CHECK (period_unit IN ('HOUR', 'DAY', 'WEEK', 'MONTH', 'YEAR')),
    period_count  integer NOT NULL CHECK (period_count > 0),
    retired_at    timestamptz,
    created_at    timestamptz NOT NULL,
    version       integer NOT NULL DEFAULT 1,
    CHECK (bill_in = 'ADVANCE' OR payment_mode = 'POSTPAID')
);
CREATE UNIQUE INDEX plan_code ON plan (lower(code));

-- What a plan costs and gives, from a date on. A service keeps its version until its next period.
CREATE TABLE plan_version (
    id                     uuid PRIMARY KEY,
    plan_id                uuid NOT NULL REFERENCES plan,
    number                 integer NOT NULL,
    price                  numeric(19,4) NOT NULL CHECK (price >= 0),
    currency               text NOT NULL,
    tax_inclusive          boolean NOT NULL,
    tax_code               text,
    download_kbps          integer CHECK (download_kbps > 0),
    upload_kbps            integer CHECK (upload_kbps > 0),
    data_cap_bytes         bigint CHECK (data_cap_bytes > 0),
    fair_use_download_kbps integer CHECK (fair_use_download_kbps > 0),
    fair_use_upload_kbps   integer CHECK (fair_use_upload_kbps > 0),
    simultaneous_sessions  integer NOT NULL CHECK (simultaneous_sessions BETWEEN 1 AND 1000),
    created_at             timestamptz NOT NULL,
    UNIQUE (plan_id, number)
);

CREATE SEQUENCE subscriber_account_number;

CREATE TABLE subscriber (
    id                   uuid PRIMARY KEY,
    account_number       text NOT NULL UNIQUE,
    name                 text NOT NULL,
    email                text,
    phone                text,
    tax_id               text,
    address              jsonb,
    status               text NOT NULL CHECK (status IN ('ACTIVE', 'CLOSED')),
    bill_to_id           uuid REFERENCES subscriber,
    portal_password_hash text,
    created_at           timestamptz NOT NULL,
    version              integer NOT NULL DEFAULT 1,
    CHECK (bill_to_id <> id)
);
CREATE INDEX subscriber_created ON subscriber (created_at, id);
CREATE INDEX subscriber_name ON subscriber (name, id);
CREATE INDEX subscriber_email ON subscriber (lower(email)) WHERE email IS NOT NULL;
CREATE INDEX subscriber_phone ON subscriber (phone) WHERE phone IS NOT NULL;

CREATE TABLE service (
    id                   uuid PRIMARY KEY,
    subscriber_id        uuid NOT NULL REFERENCES subscriber,
    plan_id              uuid NOT NULL REFERENCES plan,
    plan_version_id      uuid NOT NULL REFERENCES plan_version,
    status               text NOT NULL CHECK (status IN ('PENDING', 'ACTIVE', 'GRACE', 'SUSPENDED', 'TERMINATED')),
    suspension_cause     text CHECK (suspension_cause IN ('ARREARS', 'EXPIRED', 'STAFF', 'SUBSCRIBER')),
    suspension_since     timestamptz,
    suspension_reason    text,
    username             text,
    installation_address jsonb,
    started_on           date,
    -- Day (and for hourly plans instant) from which every period is counted; never a clamped date.
    anchor_at            timestamptz,
    period_starts_at     timestamptz,
    period_ends_at       timestamptz,
    -- Up to where its time has been charged; the next charge begins here.
    billed_until         timestamptz,
    -- The plan's version by which the last of it was charged; the service's own when that period begins.
    billed_version_id    uuid REFERENCES plan_version,
    paid_until           timestamptz,
    -- From here on nobody logs in, whether a job has run or not; NULL: no end in sight.
    access_until         timestamptz,
    next_billing_on      date,
    -- PENDING until its first invoice is paid.
    awaits_payment       boolean NOT NULL DEFAULT false,
    created_at           timestamptz NOT NULL,
    version              integer NOT NULL DEFAULT 1,
    CHECK ((status = 'SUSPENDED') = (suspension_cause IS NOT NULL)),
    CHECK (period_starts_at < period_ends_at)
);
CREATE UNIQUE INDEX service_username ON service (lower(username)) WHERE status <> 'TERMINATED';
CREATE INDEX service_subscriber ON service (subscriber_id, id);
CREATE INDEX service_plan ON service (plan_id);
CREATE INDEX service_due ON service (next_billing_on) WHERE status IN ('ACTIVE', 'GRACE', 'SUSPENDED');
CREATE INDEX service_expiring ON service (access_until) WHERE status IN ('ACTIVE', 'GRACE');
CREATE INDEX service_paid ON service (paid_until) WHERE status = 'ACTIVE';
CREATE INDEX service_starting ON service (started_on) WHERE status = 'PENDING';

CREATE TABLE billing_settings (
    only_row                   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    anchor                     text NOT NULL CHECK (anchor IN ('ANNIVERSARY', 'CALENDAR')),
    calendar_day               integer NOT NULL CHECK (calendar_day BETWEEN 1 AND 28),
    activation                 text NOT NULL CHECK (activation IN ('ON_CREATE', 'ON_PAYMENT')),
    prepaid_renewal            text NOT NULL CHECK (prepaid_renewal IN ('INVOICE', 'WHEN_COVERED')),
    renewal_lead_days          integer NOT NULL CHECK (renewal_lead_days BETWEEN 0 AND 60),
    due_days                   integer NOT NULL CHECK (due_days BETWEEN 0 AND 365),
    grace_days                 integer NOT NULL CHECK (grace_days BETWEEN 0 AND 365),
    terminate_after_days       integer CHECK (terminate_after_days > 0),
    late_fee                   numeric(19,4) CHECK (late_fee > 0),
    suspension_credit          text NOT NULL CHECK (suspension_credit IN ('NONE', 'CREDIT_DAYS', 'SHIFT_PERIOD')),
    termination_credit         text NOT NULL CHECK (termination_credit IN ('NONE', 'UNUSED_DAYS')),
    plan_change_document       text NOT NULL CHECK (plan_change_document IN ('CREDIT_NOTE_AND_INVOICE', 'DIFFERENCE')),
    tax_level                  text NOT NULL CHECK (tax_level IN ('LINE', 'INVOICE')),
    rounding_mode              text NOT NULL CHECK (rounding_mode IN ('HALF_UP', 'HALF_EVEN')),
    round_invoice_to           numeric(19,4) CHECK (round_invoice_to > 0),
    invoice_number_pattern     text NOT NULL,
    credit_note_number_pattern text NOT NULL,
    fiscal_year_start_month    integer NOT NULL CHECK (fiscal_year_start_month BETWEEN 1 AND 12),
    version                    integer NOT NULL DEFAULT 1
);

-- Taxes are data: each adopted rule set, whole, as the template or the ISP wrote it.
CREATE TABLE tax_rule_set (
    version    integer PRIMARY KEY,
    body       jsonb NOT NULL,
    adopted_at timestamptz NOT NULL
);

CREATE TABLE tax_registration (
    id         uuid PRIMARY KEY,
    country    text NOT NULL,
    region     text,
    tax_id     text NOT NULL UNIQUE,
    short_code text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (country, region)
);

CREATE TABLE number_series (
    series       text NOT NULL,
    registration text NOT NULL,
    fiscal_year  integer NOT NULL,
    next         bigint NOT NULL,
    PRIMARY KEY (series, registration, fiscal_year)
);

CREATE TABLE invoice (
    id              uuid PRIMARY KEY,
    number          text UNIQUE,
    status          text NOT NULL CHECK (status IN ('DRAFT', 'ISSUED', 'PARTIALLY_PAID', 'PAID', 'CREDITED', 'VOID')),
    subscriber_id   uuid NOT NULL REFERENCES subscriber,
    registration_id uuid REFERENCES tax_registration,
    issued_on       date,
    due_on          date,
    currency        text NOT NULL,
    subtotal        numeric(19,4) NOT NULL,
    discount        numeric(19,4) NOT NULL CHECK (discount >= 0),
    tax_total       numeric(19,4) NOT NULL,
    rounding        numeric(19,4) NOT NULL,
    total           numeric(19,4) NOT NULL CHECK (total >= 0),
    amount_paid     numeric(19,4) NOT NULL DEFAULT 0 CHECK (amount_paid >= 0),
    amount_credited numeric(19,4) NOT NULL DEFAULT 0 CHECK (amount_credited >= 0),
    amount_due      numeric(19,4) NOT NULL GENERATED ALWAYS AS (total - amount_paid - amount_credited) STORED,
    created_at      timestamptz NOT NULL,
    CHECK (total = subtotal + tax_total + rounding),
    CHECK (amount_paid + amount_credited <= total),
    CHECK ((status = 'DRAFT') = (number IS NULL))
);
CREATE INDEX invoice_subscriber ON invoice (subscriber_id, created_at, id);
CREATE INDEX invoice_created ON invoice (created_at, id);
CREATE INDEX invoice_open ON invoice (subscriber_id, due_on) WHERE status IN ('ISSUED', 'PARTIALLY_PAID');
CREATE INDEX invoice_overdue ON invoice (due_on) WHERE status IN ('ISSUED', 'PARTIALLY_PAID');

CREATE TABLE invoice_line (
    id               uuid PRIMARY KEY,
    invoice_id       uuid NOT NULL REFERENCES invoice,
    position         integer NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('PERIOD', 'ONE_TIME', 'DEPOSIT', 'ADJUSTMENT', 'LATE_FEE')),
    description      text NOT NULL,
    subscriber_id    uuid NOT NULL REFERENCES subscriber,
    service_id       uuid REFERENCES service,
    plan_id          uuid REFERENCES plan,
    quantity         numeric(19,4) NOT NULL CHECK (quantity > 0),
    unit_price       numeric(19,4) NOT NULL,
    discount         numeric(19,4) NOT NULL CHECK (discount >= 0),
    amount           numeric(19,4) NOT NULL,
    tax_code         text,
    period_starts_at timestamptz,
    period_ends_at   timestamptz,
    explanation      jsonb NOT NULL,
    UNIQUE (invoice_id, position),
    CHECK (period_starts_at < period_ends_at)
);
CREATE INDEX invoice_line_service ON invoice_line (service_id) WHERE service_id IS NOT NULL;

-- Tax per line and component; line_id is null where the ISP taxes the invoice as a whole.
CREATE TABLE invoice_tax (
    invoice_id uuid NOT NULL REFERENCES invoice,
    line_id    uuid REFERENCES invoice_line,
    position   integer NOT NULL,
    name       text NOT NULL,
    rate       numeric(9,4) NOT NULL,
    base       numeric(19,4) NOT NULL,
    amount     numeric(19,4) NOT NULL,
    UNIQUE NULLS NOT DISTINCT (invoice_id, line_id, position)
);

-- Which charge of which service covers which half-open time, for which invoice line. The constraint makes billing
-- the same time twice impossible, whatever the code does.
CREATE TABLE coverage (
    id              uuid PRIMARY KEY,
    service_id      uuid NOT NULL REFERENCES service,
    charge          text NOT NULL,
    period          tstzrange NOT NULL CHECK (NOT isempty(period) AND lower_inc(period) AND NOT upper_inc(period)),
    invoice_line_id uuid NOT NULL REFERENCES invoice_line,
    EXCLUDE USING gist (service_id extension.gist_uuid_ops WITH OPERATOR(pg_catalog.=),
                        charge extension.gist_text_ops WITH OPERATOR(pg_catalog.=),
                        period WITH &&)
);

CREATE TABLE ledger_account (
    id            uuid PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('RECEIVABLE', 'SUBSCRIBER_CREDIT', 'REVENUE', 'TAX_PAYABLE', 'ROUNDING',
                                                'CASH', 'GATEWAY_CLEARING', 'WRITE_OFF', 'DEPOSIT', 'WITHHOLDING_RECEIVABLE',
                                                'VOUCHER_LIABILITY', 'PARTNER_PAYABLE', 'OPENING')),
    subscriber_id uuid REFERENCES subscriber,
    -- The tax's name, the payment method, the gateway: what tells accounts of one kind apart.
    detail        text NOT NULL DEFAULT '',
    currency      text NOT NULL,
    -- Kept for subscribers' accounts only: a running total of a shared account would be every payment's queue.
    debit_total   numeric(19,4) NOT NULL DEFAULT 0,
    credit_total  numeric(19,4) NOT NULL DEFAULT 0,
    UNIQUE NULLS NOT DISTINCT (kind, subscriber_id, detail, currency)
);
CREATE INDEX ledger_account_subscriber ON ledger_account (subscriber_id) WHERE subscriber_id IS NOT NULL;

CREATE TABLE ledger_entry (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL,
    source_id   uuid NOT NULL,
    booked_on   date NOT NULL,
    description text NOT NULL,
    created_at  timestamptz NOT NULL,
    UNIQUE (kind, source_id)
);

-- Every row moves one amount from one account to another: an unbalanced entry cannot be written down.
CREATE TABLE ledger_transfer (
    id                uuid PRIMARY KEY,
    entry_id          uuid NOT NULL REFERENCES ledger_entry,
    debit_account_id  uuid NOT NULL REFERENCES ledger_account,
    credit_account_id uuid NOT NULL REFERENCES ledger_account,
    amount            numeric(19,4) NOT NULL CHECK (amount > 0),
    CHECK (debit_account_id <> credit_account_id)
);
CREATE INDEX ledger_transfer_entry ON ledger_transfer (entry_id);
CREATE INDEX ledger_transfer_debit ON ledger_transfer (debit_account_id);
CREATE INDEX ledger_transfer_credit ON ledger_transfer (credit_account_id);

CREATE TABLE payment (
    id              uuid PRIMARY KEY,
    subscriber_id   uuid REFERENCES subscriber,
    amount          numeric(19,4) NOT NULL CHECK (amount > 0),
    currency        text NOT NULL,
    method          text NOT NULL CHECK (method IN ('CASH', 'BANK_TRANSFER', 'CHEQUE', 'MOBILE_MONEY', 'CARD', 'UPI', 'OTHER')),
    status          text NOT NULL CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED', 'REVERSED')),
    reference       text,
    received_at     timestamptz NOT NULL,
    unallocated     numeric(19,4) NOT NULL CHECK (unallocated >= 0),
    reversed_at     timestamptz,
    reversal_reason text,
    created_at      timestamptz NOT NULL,
    CHECK (unallocated <= amount),
    CHECK ((status = 'REVERSED') = (reversed_at IS NOT NULL))
);
CREATE UNIQUE INDEX payment_reference ON payment (upper(reference)) WHERE method IN ('MOBILE_MONEY', 'UPI', 'CARD');
CREATE INDEX payment_subscriber ON payment (subscriber_id, created_at, id);
CREATE INDEX payment_created ON payment (created_at, id);

CREATE TABLE payment_allocation (
    payment_id uuid NOT NULL REFERENCES payment,
    invoice_id uuid NOT NULL REFERENCES invoice,
    amount     numeric(19,4) NOT NULL CHECK (amount > 0),
    position   integer NOT NULL,
    PRIMARY KEY (payment_id, invoice_id)
);
CREATE INDEX payment_allocation_invoice ON payment_allocation (invoice_id);

-- Credit in hand that an invoice consumed; undone_at is set when a reversed payment takes the credit back.
CREATE TABLE credit_application (
    id            uuid PRIMARY KEY,
    subscriber_id uuid NOT NULL REFERENCES subscriber,
    invoice_id    uuid NOT NULL REFERENCES invoice,
    amount        numeric(19,4) NOT NULL CHECK (amount > 0),
    applied_at    timestamptz NOT NULL,
    undone_at     timestamptz
);
CREATE INDEX credit_application_invoice ON credit_application (invoice_id);
CREATE INDEX credit_application_subscriber ON credit_application (subscriber_id, applied_at);

CREATE TABLE idempotency (
    mutation   text NOT NULL,
    principal  uuid NOT NULL,
    key        uuid NOT NULL,
    input_hash bytea NOT NULL,
    result_id  uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (mutation, principal, key)
);

CREATE TABLE handled_event (
    handler    text NOT NULL,
    event_id   uuid NOT NULL,
    handled_at timestamptz NOT NULL,
    PRIMARY KEY (handler, event_id)
);

CREATE TABLE audit_entry (
    id         uuid PRIMARY KEY,
    at         timestamptz NOT NULL,
    actor_kind text NOT NULL,
    actor_id   uuid,
    action     text NOT NULL,
    target_id  uuid,
    detail     jsonb NOT NULL
);
CREATE INDEX audit_entry_target ON audit_entry (target_id, at);

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {{schema}} TO {{tenant}};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA {{schema}} TO {{tenant}};
-- Append-only by grants: what was written down stays.
REVOKE UPDATE, DELETE ON ledger_entry, ledger_transfer, audit_entry, invoice_line, invoice_tax, plan_version, tax_rule_set,
    handled_event FROM {{tenant}};
REVOKE DELETE ON ledger_account, invoice, payment, payment_allocation, number_series, subscriber, service FROM {{tenant}};
