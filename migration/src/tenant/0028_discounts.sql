-- Coupons, the discounts that services have, and which periods each has been given for.

CREATE TABLE coupon (
    id                 uuid PRIMARY KEY,
    code               text NOT NULL,
    name               text NOT NULL,
    -- Off the price: either so many percent, or so much of a full period's.
    percent            numeric(7,4) CHECK (percent > 0 AND percent <= 100),
    amount             numeric(19,4) CHECK (amount > 0),
    currency           text NOT NULL,
    -- Off the add-ons as well.
    with_addons        boolean NOT NULL,
    -- For so many periods; NULL: for ever.
    periods            integer CHECK (periods > 0),
    valid_from         date,
    -- The last day on which it can be redeemed.
    valid_until        date,
    max_total          integer CHECK (max_total > 0),
    max_per_subscriber integer CHECK (max_per_subscriber > 0),
    redeemed           integer NOT NULL DEFAULT 0,
    disabled_at        timestamptz,
    created_at         timestamptz NOT NULL,
    CHECK ((percent IS NULL) <> (amount IS NULL)),
    CHECK (valid_from <= valid_until),
    -- Whatever the code does.
    CHECK (redeemed <= max_total)
);
CREATE UNIQUE INDEX coupon_code ON coupon (lower(code));

CREATE TABLE service_discount (
    id            uuid PRIMARY KEY,
    service_id    uuid NOT NULL REFERENCES service,
    subscriber_id uuid NOT NULL REFERENCES subscriber,
    coupon_id     uuid REFERENCES coupon,
    name          text NOT NULL,
    percent       numeric(7,4) CHECK (percent > 0 AND percent <= 100),
    amount        numeric(19,4) CHECK (amount > 0),
    currency      text NOT NULL,
    with_addons   boolean NOT NULL,
    periods       integer CHECK (periods > 0),
    ended_at      timestamptz,
    created_at    timestamptz NOT NULL,
    CHECK ((percent IS NULL) <> (amount IS NULL)),
    UNIQUE (coupon_id, service_id)
);
CREATE INDEX service_discount_service ON service_discount (service_id, id);
CREATE INDEX service_discount_coupon ON service_discount (coupon_id, subscriber_id) WHERE coupon_id IS NOT NULL;

-- A period for which a discount has been given, by where the full period begins: charged again, it is the same one.
CREATE TABLE discount_use (
    service_discount_id uuid NOT NULL REFERENCES service_discount,
    period_starts_at    timestamptz NOT NULL,
    PRIMARY KEY (service_discount_id, period_starts_at)
);

GRANT SELECT, INSERT, UPDATE ON coupon, service_discount TO {{tenant}};
-- A period that is moved keeps what was given for it.
GRANT SELECT, INSERT, UPDATE (period_starts_at) ON discount_use TO {{tenant}};
