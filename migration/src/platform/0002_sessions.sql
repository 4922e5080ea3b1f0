-- Who is signed in, second factors, one-time tokens and wrong attempts of the platform's accounts. The same tables stand in
-- every ISP's schema for its staff and subscribers: one code serves both. `principal_id` is the account's id.

CREATE TABLE platform.session (
    id             uuid PRIMARY KEY,
    principal_kind text NOT NULL CHECK (principal_kind IN ('ACCOUNT')),
    principal_id   uuid NOT NULL,
    -- SHA-256 of the part that all refresh tokens of this session share, and of the part that only the last one has.
    family_hash    bytea NOT NULL,
    refresh_hash   bytea NOT NULL,
    address        text,
    user_agent     text,
    created_at     timestamptz NOT NULL,
    last_used_at   timestamptz NOT NULL,
    -- Without a refresh until then, or in any case at expires_at, it is over.
    idle_until     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    ended_at       timestamptz,
    end_reason     text CHECK (end_reason IN ('SIGNED_OUT', 'REVOKED', 'REUSED', 'PASSWORD', 'DISABLED')),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE INDEX session_principal ON platform.session (principal_id, created_at) WHERE ended_at IS NULL;

CREATE TABLE platform.totp (
    principal_id uuid PRIMARY KEY,
    sealed       bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    -- NULL until the first code proves that the secret arrived.
    confirmed_at timestamptz,
    -- The last 30-second step whose code was used; none up to it is good again.
    last_step    bigint NOT NULL DEFAULT 0
);

CREATE TABLE platform.recovery_code (
    principal_id uuid NOT NULL,
    hash         bytea NOT NULL,
    used_at      timestamptz,
    PRIMARY KEY (principal_id, hash)
);

CREATE TABLE platform.one_time_token (
    id           uuid PRIMARY KEY,
    purpose      text NOT NULL,
    principal_id uuid NOT NULL,
    hash         bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz,
    UNIQUE (purpose, principal_id)
);

-- Wrong attempts in a row, by the machine's time. Those for names that nobody has share a fixed number of rows.
CREATE TABLE platform.sign_in_failure (
    principal_id uuid PRIMARY KEY,
    failures     integer NOT NULL,
    last_at      timestamptz NOT NULL
);

-- Wrong attempts by address, on all hosts together: a fixed number of rows, chosen by a keyed hash of the address.
CREATE TABLE platform.sign_in_address (
    bucket        integer PRIMARY KEY CHECK (bucket BETWEEN 0 AND 65535),
    failures      integer NOT NULL,
    window_ends   timestamptz NOT NULL
);

-- Messages to the platform's own people that wait for a sender, as the outbox holds those of the ISPs.
CREATE TABLE platform.notice (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL,
    payload     jsonb NOT NULL,
    occurred_at timestamptz NOT NULL
);

-- A key is known to every process for a while before it signs, and its private half is destroyed when it is retired.
ALTER TABLE platform.signing_key ADD COLUMN signs_from timestamptz;
ALTER TABLE platform.signing_key ALTER COLUMN sealed DROP NOT NULL;
ALTER TABLE platform.signing_key ADD CHECK (sealed IS NOT NULL OR retired_at IS NOT NULL);

GRANT SELECT, INSERT, UPDATE, DELETE ON platform.session, platform.totp, platform.recovery_code, platform.one_time_token,
    platform.sign_in_failure, platform.sign_in_address, platform.notice TO {{platform}};
