-- The brake: what keeps a run from switching many off.

-- While some way to pay is down, or staff look into something: nobody is cut.
CREATE TABLE collection_hold (
    id         uuid PRIMARY KEY,
    -- The gateway that is down, if one is.
    gateway    text,
    reason     text NOT NULL,
    -- Prepaid time does not run out either.
    prepaid    boolean NOT NULL,
    until      timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE INDEX collection_hold_open ON collection_hold (until) WHERE ended_at IS NULL;

-- A run that was stopped, as of its last look.
CREATE TABLE dunning_brake (
    id              uuid PRIMARY KEY,
    reasons         text[] NOT NULL,
    -- Services and subscribers who would have been switched off, and services that would have ended.
    suspensions     integer NOT NULL,
    subscribers     integer NOT NULL,
    terminations    integer NOT NULL,
    -- Subscribers who were served.
    of_subscribers  integer NOT NULL,
    unmatched       integer NOT NULL,
    first_on        date NOT NULL,
    last_on         date NOT NULL,
    until           timestamptz NOT NULL,
    braked_at       timestamptz NOT NULL,
    -- It no longer had a reason, or staff released it, for that day.
    ended_at        timestamptz,
    released_on     date,
    release_reason  text,
    CHECK (released_on IS NULL OR ended_at IS NOT NULL)
);
CREATE UNIQUE INDEX dunning_brake_open ON dunning_brake ((true)) WHERE ended_at IS NULL;
CREATE INDEX dunning_brake_released ON dunning_brake (released_on) WHERE released_on IS NOT NULL;

-- What brake and holds come to: before these instants nobody who is served is switched off for want of money.
ALTER TABLE billing_settings ADD COLUMN cut_nobody_before timestamptz;
ALTER TABLE billing_settings ADD COLUMN expire_nobody_before timestamptz;

CREATE INDEX payment_unmatched ON payment (created_at) WHERE subscriber_id IS NULL;

GRANT SELECT, INSERT, UPDATE ON collection_hold, dunning_brake TO {{tenant}};
