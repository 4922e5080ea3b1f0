-- Jobs, claimed fairly between tenants. A job lives in platform.job until its work is done; then its row goes, and of a
-- deduplicated one a fingerprint stays, so that it never fires again. platform.job.finished_at is not written any more.

-- Who runs it. A job is run, or kept from running after a failure, until locked_until by the machine's clock; run_at, by
-- the product's clock, says from when on it is due and does not change.
ALTER TABLE platform.job ADD COLUMN lease uuid;

CREATE TABLE platform.job_fired (
    tenant_id   integer NOT NULL,
    fingerprint bytea NOT NULL,
    PRIMARY KEY (tenant_id, fingerprint)
);

CREATE FUNCTION platform.job_fingerprint(p_kind text, p_key text) RETURNS bytea
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
$$ SELECT substring(sha256(convert_to(p_kind || ' ' || p_key, 'UTF8')) FOR 16) $$;

INSERT INTO platform.job_fired (tenant_id, fingerprint)
    SELECT tenant_id, platform.job_fingerprint(kind, dedup_key) FROM platform.job
    WHERE finished_at IS NOT NULL AND tenant_id IS NOT NULL AND dedup_key IS NOT NULL
    ON CONFLICT DO NOTHING;
DELETE FROM platform.job WHERE finished_at IS NOT NULL;

-- Jobs without a key are many and all different.
ALTER TABLE platform.job DROP CONSTRAINT job_tenant_id_kind_dedup_key_key;
CREATE UNIQUE INDEX job_dedup ON platform.job (tenant_id, kind, dedup_key) WHERE dedup_key IS NOT NULL;

-- Nobody has tried these: what a claim looks through never holds a job that cannot be claimed.
CREATE INDEX job_fresh ON platform.job (tenant_id, run_at, id) WHERE attempts = 0 AND parked_at IS NULL AND finished_at IS NULL;
-- Whether any is due at all. `id > 0` keeps it from being taken for the one above, tenant by tenant, where statistics lack.
CREATE INDEX job_fresh_due ON platform.job (run_at) WHERE attempts = 0 AND parked_at IS NULL AND finished_at IS NULL AND id > 0;
-- These are run, or wait for their next attempt.
CREATE INDEX job_held ON platform.job (tenant_id, locked_until) WHERE attempts > 0 AND parked_at IS NULL AND finished_at IS NULL;
CREATE INDEX job_parked ON platform.job (id) WHERE parked_at IS NOT NULL;
DROP INDEX platform.job_due;
CREATE INDEX outbox_tenant ON platform.outbox (tenant_id, id);

-- The functions below are made to follow indexes: the planner cannot know how few rows their limits leave.

-- Tenants with work that is due. p_impatient also looks at what waits for its next attempt, p_not aside.
CREATE FUNCTION platform.due_tenants(p_now timestamptz, p_impatient boolean, p_not bigint[]) RETURNS SETOF integer
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
    SET enable_hashjoin = off SET enable_mergejoin = off AS
$$
    WITH anything AS MATERIALIZED (
        SELECT EXISTS (SELECT FROM platform.job j
            WHERE j.attempts = 0 AND j.parked_at IS NULL AND j.finished_at IS NULL AND j.id > 0 AND j.run_at <= p_now OFFSET 0)
        OR EXISTS (SELECT FROM platform.job j
            WHERE j.attempts > 0 AND j.parked_at IS NULL AND j.finished_at IS NULL AND j.run_at <= p_now
                AND (j.locked_until IS NULL OR j.locked_until <= statement_timestamp() OR p_impatient AND j.lease IS NULL)
                AND j.id <> ALL (p_not)
            OFFSET 0) AS is_due
    )
    SELECT t.id FROM anything a JOIN platform.tenant t ON a.is_due
    WHERE EXISTS (SELECT FROM platform.job j
            WHERE j.tenant_id = t.id AND j.attempts = 0 AND j.parked_at IS NULL AND j.finished_at IS NULL AND j.run_at <= p_now
            OFFSET 0)
        OR EXISTS (SELECT FROM platform.job j
            WHERE j.tenant_id = t.id AND j.attempts > 0 AND j.parked_at IS NULL AND j.finished_at IS NULL AND j.run_at <= p_now
                AND (j.locked_until IS NULL OR j.locked_until <= statement_timestamp() OR p_impatient AND j.lease IS NULL)
                AND j.id <> ALL (p_not)
            OFFSET 0)
    ORDER BY t.id
$$;

-- Takes up to p_shares[i] due jobs of p_tenants[i], each under a lease of its own. `fired`: a job of this key has run before.
CREATE FUNCTION platform.claim_jobs(p_tenants integer[], p_shares integer[], p_now timestamptz, p_seconds integer, p_impatient boolean, p_not bigint[])
    RETURNS TABLE (job_id bigint, lease uuid, kind text, payload jsonb, attempts integer, run_at timestamptz, fired boolean,
        id integer, uid uuid, slug text, name text, country text, currency text, timezone text, status text, template text,
        cell_id integer, role_name text, schema_version integer)
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
    SET enable_hashjoin = off SET enable_mergejoin = off AS
$$
    WITH chosen AS MATERIALIZED (
        SELECT c.id FROM unnest(p_tenants, p_shares) AS s (tenant, share), LATERAL (
            SELECT held.id FROM (
                SELECT j.id FROM platform.job j
                WHERE j.tenant_id = s.tenant AND j.attempts > 0 AND j.parked_at IS NULL AND j.finished_at IS NULL AND j.run_at <= p_now
                    AND (j.locked_until IS NULL OR j.locked_until <= statement_timestamp() OR p_impatient AND j.lease IS NULL)
                    AND j.id <> ALL (p_not)
                ORDER BY j.locked_until LIMIT s.share FOR UPDATE SKIP LOCKED) held
            UNION ALL
            SELECT fresh.id FROM (
                SELECT j.id FROM platform.job j
                WHERE j.tenant_id = s.tenant AND j.attempts = 0 AND j.parked_at IS NULL AND j.finished_at IS NULL AND j.run_at <= p_now
                ORDER BY j.run_at, j.id LIMIT s.share FOR UPDATE SKIP LOCKED) fresh
            LIMIT s.share) c
    )
    UPDATE platform.job j
    SET attempts = j.attempts + 1, lease = gen_random_uuid(), locked_until = clock_timestamp() + make_interval(secs => p_seconds)
    FROM platform.tenant t
    WHERE j.id = ANY (ARRAY(SELECT c.id FROM chosen c)) AND t.id = j.tenant_id
    RETURNING j.id, j.lease, j.kind, j.payload, j.attempts, j.run_at,
        j.dedup_key IS NOT NULL AND EXISTS (SELECT FROM platform.job_fired f
            WHERE f.tenant_id = j.tenant_id AND f.fingerprint = platform.job_fingerprint(j.kind, j.dedup_key)),
        t.id, t.uid, t.slug, t.name, t.country, t.currency, t.timezone, t.status, t.template, t.cell_id, t.role_name::text, t.schema_version
$$;

-- Turns up to 50 events of each of 20 tenants after one into jobs, one per handler. Events of kinds that the caller does not
-- know stay. Whose events they were, and the last tenant that was looked at: null when none after p_after has events.
CREATE FUNCTION platform.dispatch_events(p_after integer, p_kinds text[], p_events text[], p_handlers text[], p_now timestamptz)
    RETURNS TABLE (tenants integer[], last integer)
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
    SET enable_hashjoin = off SET enable_mergejoin = off AS
$$
    WITH RECURSIVE ring AS (
        (SELECT o.tenant_id FROM platform.outbox o WHERE o.tenant_id > p_after ORDER BY o.tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT o.tenant_id FROM platform.outbox o WHERE o.tenant_id > r.tenant_id ORDER BY o.tenant_id LIMIT 1)
        FROM ring r WHERE r.tenant_id IS NOT NULL
    ), lane AS MATERIALIZED (
        SELECT r.tenant_id FROM ring r WHERE r.tenant_id IS NOT NULL LIMIT 20
    ), chosen AS MATERIALIZED (
        SELECT c.id FROM lane l, LATERAL (
            SELECT o.id FROM platform.outbox o WHERE o.tenant_id = l.tenant_id AND o.kind = ANY (p_kinds)
            ORDER BY o.id LIMIT 50 FOR UPDATE SKIP LOCKED) c
    ), gone AS (
        DELETE FROM platform.outbox o WHERE o.id = ANY (ARRAY(SELECT c.id FROM chosen c)) RETURNING o.id, o.tenant_id, o.event_id, o.kind, o.payload
    ), made AS (
        INSERT INTO platform.job (tenant_id, kind, payload, run_at)
        SELECT g.tenant_id, h.handler, jsonb_build_object('event_id', g.event_id, 'event', g.payload), p_now
        FROM gone g JOIN unnest(p_events, p_handlers) AS h (event, handler) ON h.event = g.kind ORDER BY g.id
    )
    SELECT ARRAY(SELECT DISTINCT g.tenant_id FROM gone g), (SELECT max(l.tenant_id) FROM lane l)
$$;

-- For a job's own transactions. They know the lease, which no tenant can read: true while it is theirs, and until they end
-- nobody takes the job over. Without it they must not commit.
CREATE FUNCTION platform.hold_job(p_job bigint, p_lease uuid) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$
    SELECT true FROM platform.job j
    WHERE j.id = p_job AND j.lease = p_lease AND j.tenant_id = platform.tenant_of(current_setting('role')::name) FOR SHARE
$$;

-- The same, and the job is done when the transaction commits.
CREATE FUNCTION platform.end_job(p_job bigint, p_lease uuid) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$
    WITH gone AS (
        DELETE FROM platform.job j
        WHERE j.id = p_job AND j.lease = p_lease AND j.tenant_id = platform.tenant_of(current_setting('role')::name)
        RETURNING j.tenant_id, j.kind, j.dedup_key
    ), fired AS (
        INSERT INTO platform.job_fired (tenant_id, fingerprint)
        SELECT g.tenant_id, platform.job_fingerprint(g.kind, g.dedup_key) FROM gone g WHERE g.dedup_key IS NOT NULL
        ON CONFLICT DO NOTHING
    )
    SELECT true FROM gone
$$;

REVOKE EXECUTE ON FUNCTION platform.job_fingerprint(text, text),
    platform.due_tenants(timestamptz, boolean, bigint[]),
    platform.claim_jobs(integer[], integer[], timestamptz, integer, boolean, bigint[]),
    platform.dispatch_events(integer, text[], text[], text[], timestamptz),
    platform.hold_job(bigint, uuid), platform.end_job(bigint, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION platform.job_fingerprint(text, text),
    platform.due_tenants(timestamptz, boolean, bigint[]),
    platform.claim_jobs(integer[], integer[], timestamptz, integer, boolean, bigint[]),
    platform.dispatch_events(integer, text[], text[], text[], timestamptz) TO {{platform}};
GRANT EXECUTE ON FUNCTION platform.hold_job(bigint, uuid), platform.end_job(bigint, uuid) TO {{tenants}};
GRANT SELECT, INSERT, DELETE ON platform.job_fired TO {{platform}};
