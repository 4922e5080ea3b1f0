-- Who is signed in, second factors, one-time tokens and wrong attempts of the ISP's staff and subscribers. The same tables
-- stand in `platform` for its accounts: one code serves both. `principal_id` is the id of staff or of a subscriber.

CREATE TABLE session (
    id             uuid PRIMARY KEY,
    principal_kind text NOT NULL CHECK (principal_kind IN ('STAFF', 'SUBSCRIBER')),
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
CREATE INDEX session_principal ON session (principal_id, created_at) WHERE ended_at IS NULL;

CREATE TABLE totp (
    principal_id uuid PRIMARY KEY,
    sealed       bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    -- NULL until the first code proves that the secret arrived.
    confirmed_at timestamptz,
    -- The last 30-second step whose code was used; none up to it is good again.
    last_step    bigint NOT NULL DEFAULT 0
);

CREATE TABLE recovery_code (
    principal_id uuid NOT NULL,
    hash         bytea NOT NULL,
    used_at      timestamptz,
    PRIMARY KEY (principal_id, hash)
);

CREATE TABLE one_time_token (
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
CREATE TABLE sign_in_failure (
    principal_id uuid PRIMARY KEY,
    failures     integer NOT NULL,
    last_at      timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON session, totp, recovery_code, one_time_token, sign_in_failure TO {{tenant}};
