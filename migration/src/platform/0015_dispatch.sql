-- Turns events of each of 20 tenants after one into jobs, one per handler: five hundred of one tenant, fewer each the more
-- there are that have any, 50 at least. Events of kinds that the caller does not know stay. Whose events they were, and the
-- last tenant that was looked at: null when none after p_after has events.
CREATE OR REPLACE FUNCTION platform.dispatch_events(p_after integer, p_kinds text[], p_events text[], p_handlers text[], p_now timestamptz)
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
        -- By rows of both columns: only the index of both serves that, so that no tenant's events are looked through for
        -- another's.
        SELECT c.id FROM lane l, LATERAL (
            SELECT o.id FROM platform.outbox o
            WHERE (o.tenant_id, o.id) > (l.tenant_id, 0) AND (o.tenant_id, o.id) < (l.tenant_id + 1, 0) AND o.kind = ANY (p_kinds)
            ORDER BY o.tenant_id, o.id LIMIT GREATEST(50, 500 / (SELECT count(*) FROM lane)) FOR UPDATE SKIP LOCKED) c
    ), gone AS (
        DELETE FROM platform.outbox o WHERE o.id = ANY (ARRAY(SELECT c.id FROM chosen c)) RETURNING o.id, o.tenant_id, o.event_id, o.kind, o.payload
    ), made AS (
        INSERT INTO platform.job (tenant_id, kind, payload, run_at)
        SELECT g.tenant_id, h.handler, jsonb_build_object('event_id', g.event_id, 'event', g.payload), p_now
        FROM gone g JOIN unnest(p_events, p_handlers) AS h (event, handler) ON h.event = g.kind ORDER BY g.id
    )
    SELECT ARRAY(SELECT DISTINCT g.tenant_id FROM gone g), (SELECT max(l.tenant_id) FROM lane l)
$$;

-- As hold_job, for a job that gets on and may take long: workers that die from here on are counted anew.
CREATE FUNCTION platform.advance_job(p_job bigint, p_lease uuid) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$
    UPDATE platform.job j SET attempts = 1
    WHERE j.id = p_job AND j.lease = p_lease AND j.tenant_id = platform.tenant_of(current_setting('role')::name)
    RETURNING true
$$;
REVOKE EXECUTE ON FUNCTION platform.advance_job(bigint, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION platform.advance_job(bigint, uuid) TO {{tenants}};
