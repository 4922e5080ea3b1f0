-- One person in many ISPs: signs in once, on the platform's host, and goes on to those it belongs to.

-- Somebody who is neither platform staff nor a director.
ALTER TABLE platform.account DROP CONSTRAINT account_kind_check;
ALTER TABLE platform.account ADD CONSTRAINT account_kind_check CHECK (kind IN ('PLATFORM_STAFF', 'DIRECTOR', 'PERSON'));

CREATE TABLE platform.membership (
    id              uuid PRIMARY KEY,
    account_id      uuid NOT NULL REFERENCES platform.account,
    tenant_id       integer NOT NULL REFERENCES platform.tenant,
    -- What the ISP knows the person by: random and of this membership alone, so that no two ISPs can compare.
    link            uuid NOT NULL UNIQUE,
    created_at      timestamptz NOT NULL,
    -- NULL until the ISP's side is written; who was cut off in between goes on by joining again.
    joined_at       timestamptz,
    last_entered_at timestamptz,
    ended_at        timestamptz
);
CREATE UNIQUE INDEX membership_open ON platform.membership (account_id, tenant_id) WHERE ended_at IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON platform.membership TO {{platform}};
