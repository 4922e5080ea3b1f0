-- RADIUS: what the worker does at intervals, as {{platform}}.

-- Moves rows out of the orphan tables into the months that exist by now.
CREATE FUNCTION radius.adopt_orphans() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  WITH adopted AS (
    DELETE FROM radius.radacct_orphan o
    WHERE to_regclass('radius.radacct_' || to_char(o.acctstarttime AT TIME ZONE 'UTC', 'YYYYMM')) IS NOT NULL
    RETURNING o.*
  )
  INSERT INTO radius.radacct
    (tenant_id, acctuniqueid, service_id, nas_id, acctsessionid, username, nasipaddress, nasportid,
     nasporttype, acctstarttime, acctupdatetime, acctstoptime, acctsessiontime, acctinputoctets,
     acctoutputoctets, calledstationid, callingstationid, acctterminatecause, servicetype,
     framedprotocol, framedipaddress, framedipv6prefix, delegatedipv6prefix, class)
  SELECT tenant_id, acctuniqueid, service_id, nas_id, acctsessionid, username, nasipaddress, nasportid,
     nasporttype, acctstarttime, acctupdatetime, acctstoptime, acctsessiontime, acctinputoctets,
     acctoutputoctets, calledstationid, callingstationid, acctterminatecause, servicetype,
     framedprotocol, framedipaddress, framedipv6prefix, delegatedipv6prefix, class
  FROM adopted
  ON CONFLICT DO NOTHING;      -- an archive after the month was made is the newer one

  WITH adopted AS (
    DELETE FROM radius.radpostauth_orphan o
    WHERE to_regclass('radius.radpostauth_' || to_char(o.authdate AT TIME ZONE 'UTC', 'YYYYMM')) IS NOT NULL
    RETURNING o.*
  )
  INSERT INTO radius.radpostauth
    (tenant_id, authdate, service_id, username, nas_id, reply, reason, callingstationid, token)
  SELECT tenant_id, authdate, service_id, username, nas_id, reply, reason, callingstationid, token
  FROM adopted;

  WITH adopted AS (
    DELETE FROM radius.usage_day_orphan o
    WHERE to_regclass('radius.usage_day_' || to_char(o.day, 'YYYYMM')) IS NOT NULL
    RETURNING o.*
  )
  INSERT INTO radius.usage_day AS u
    (tenant_id, service_id, day, upload_octets, download_octets, session_seconds)
  SELECT tenant_id, service_id, day, upload_octets, download_octets, session_seconds
  FROM adopted
  ORDER BY tenant_id, service_id, day
  ON CONFLICT (tenant_id, service_id, day) DO UPDATE SET
    upload_octets = u.upload_octets + EXCLUDED.upload_octets,
    download_octets = u.download_octets + EXCLUDED.download_octets,
    session_seconds = u.session_seconds + EXCLUDED.session_seconds;
$$;

-- Makes the monthly partitions for p_months months from the one of p_from; answers how many were
-- made. Made apart and then attached: ATTACH takes SHARE UPDATE EXCLUSIVE, so logins and accounting
-- go on, while CREATE ... PARTITION OF would stop them. The new table is empty: ATTACH has nothing
-- to scan and needs no CHECK. It makes the parent's indexes itself.
--
-- Bounds are in UTC, never in the zone of the connection that happens to make them.
CREATE FUNCTION radius.ensure_partitions(p_from date, p_months int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
  v_month  date;
  v_next   date;
  v_parent text;
  v_name   text;
  v_zone   text;
  v_made   int := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('radius.ensure_partitions', 0));
  FOR i IN 0 .. p_months - 1 LOOP
    v_month := (date_trunc('month', p_from::timestamp) + make_interval(months => i))::date;
    v_next := (v_month + interval '1 month')::date;
    FOREACH v_parent IN ARRAY ARRAY['radacct', 'radpostauth', 'usage_day'] LOOP
      v_name := v_parent || to_char(v_month, '_YYYYMM');
      CONTINUE WHEN to_regclass('radius.' || v_name) IS NOT NULL;
      v_zone := CASE v_parent WHEN 'usage_day' THEN '' ELSE ' 00:00:00+00' END;
      EXECUTE format('CREATE TABLE radius.%I (LIKE radius.%I INCLUDING DEFAULTS) %s', v_name, v_parent,
        CASE v_parent WHEN 'usage_day' THEN 'WITH (fillfactor = 80)' END);
      EXECUTE format('ALTER TABLE radius.%I ENABLE ROW LEVEL SECURITY', v_name);
      EXECUTE format('ALTER TABLE radius.%I ATTACH PARTITION radius.%I FOR VALUES FROM (%L) TO (%L)',
        v_parent, v_name, v_month || v_zone, v_next || v_zone);
      v_made := v_made + 1;
    END LOOP;
  END LOOP;
  PERFORM radius.adopt_orphans();
  RETURN v_made;
END
$$;

-- Housekeeping, every minute or so, in batches: call again at once while backlog is true.
--   p_stale: a session unheard of for so long is over (a later packet reopens it)
--   p_keep:  how long a closed session stays to recognise repeated packets
-- orphans counts rows without a month: anything but 0 means ensure_partitions did not run.
CREATE FUNCTION radius.sweep(p_stale interval DEFAULT '1 hour', p_keep interval DEFAULT '48 hours',
                             p_batch int DEFAULT 1000,
                             OUT closed_stale int, OUT closed_after_boot int, OUT purged_sessions int,
                             OUT purged_pending int, OUT orphans bigint, OUT backlog bool)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_now  timestamptz := platform.now();
  v_open radius.session[];
  v_nas_id int;
  s      radius.session;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('radius.closing', 0));
  closed_after_boot := 0;
  FOR v_nas_id IN SELECT n.id FROM radius.nas n WHERE n.reboot_backlog ORDER BY n.id LOOP
    EXIT WHEN closed_after_boot >= p_batch;
    closed_after_boot := closed_after_boot + radius.close_after_boot(v_nas_id, p_batch - closed_after_boot);
  END LOOP;

  SELECT array_agg(o.x ORDER BY (o.x).tenant_id, (o.x).service_id, (o.x).usage_day) INTO v_open FROM (
    SELECT x FROM radius.session x
    WHERE x.acctstoptime IS NULL AND x.last_packet_at < v_now - p_stale
    LIMIT p_batch FOR UPDATE SKIP LOCKED
  ) o;
  closed_stale := 0;
  FOREACH s IN ARRAY COALESCE(v_open, '{}') LOOP
    PERFORM radius.close_session(s, 'Stale');
    closed_stale := closed_stale + 1;
  END LOOP;

  DELETE FROM radius.session x WHERE (x.tenant_id, x.acctuniqueid) IN (
    SELECT y.tenant_id, y.acctuniqueid FROM radius.session y
    WHERE y.acctstoptime < v_now - p_keep AND y.last_packet_at < v_now - p_keep
    LIMIT p_batch FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS purged_sessions = ROW_COUNT;
  DELETE FROM radius.pending p WHERE p.expires_at < v_now;
  GET DIAGNOSTICS purged_pending = ROW_COUNT;

  SELECT (SELECT count(*) FROM radius.radacct_orphan) + (SELECT count(*) FROM radius.radpostauth_orphan)
       + (SELECT count(*) FROM radius.usage_day_orphan) INTO orphans;
  backlog := p_batch IN (closed_after_boot, closed_stale, purged_sessions);
END
$$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA radius FROM PUBLIC;
GRANT EXECUTE ON FUNCTION radius.ensure_partitions(date, int), radius.sweep(interval, interval, int) TO {{platform}};

-- Fourteen months back (history is imported and the demo makes some), this one, six ahead.
DO $$
BEGIN
  PERFORM radius.ensure_partitions(((platform.now() AT TIME ZONE 'UTC') - interval '14 months')::date, 21);
END
$$;
