-- RADIUS: accounting. One packet, one call, idempotent: NASes repeat, delay, reorder and lose
-- packets, reuse session ids and send wrong clocks. Whatever arrives, a session becomes one row of
-- history and its octets reach usage_day exactly once.

-- Adds to a service's day. Unknown accounts have no usage.
CREATE FUNCTION radius.add_usage(p_tenant_id int, p_service_id uuid, p_day date,
                                 p_upload bigint, p_download bigint, p_seconds bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_service_id IS NULL OR (p_upload = 0 AND p_download = 0 AND p_seconds = 0) THEN
    RETURN;
  END IF;
  IF to_regclass('radius.usage_day_' || to_char(p_day, 'YYYYMM')) IS NOT NULL THEN
    INSERT INTO radius.usage_day AS u (tenant_id, service_id, day, upload_octets, download_octets, session_seconds)
    VALUES (p_tenant_id, p_service_id, p_day, p_upload, p_download, p_seconds)
    ON CONFLICT (tenant_id, service_id, day) DO UPDATE SET
      upload_octets = u.upload_octets + EXCLUDED.upload_octets,
      download_octets = u.download_octets + EXCLUDED.download_octets,
      session_seconds = u.session_seconds + EXCLUDED.session_seconds;
  ELSE
    INSERT INTO radius.usage_day_orphan AS u (tenant_id, service_id, day, upload_octets, download_octets, session_seconds)
    VALUES (p_tenant_id, p_service_id, p_day, p_upload, p_download, p_seconds)
    ON CONFLICT (tenant_id, service_id, day) DO UPDATE SET
      upload_octets = u.upload_octets + EXCLUDED.upload_octets,
      download_octets = u.download_octets + EXCLUDED.download_octets,
      session_seconds = u.session_seconds + EXCLUDED.session_seconds;
  END IF;
END
$$;

-- Writes a closed session into history; a second time only raises its counters.
CREATE FUNCTION radius.archive(s radius.session) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF to_regclass('radius.radacct_' || to_char(s.acctstarttime AT TIME ZONE 'UTC', 'YYYYMM')) IS NOT NULL THEN
    INSERT INTO radius.radacct AS r
      (tenant_id, acctuniqueid, service_id, nas_id, acctsessionid, username, nasipaddress, nasportid,
       nasporttype, acctstarttime, acctupdatetime, acctstoptime, acctsessiontime, acctinputoctets,
       acctoutputoctets, calledstationid, callingstationid, acctterminatecause, servicetype,
       framedprotocol, framedipaddress, framedipv6prefix, delegatedipv6prefix, class)
    VALUES
      (s.tenant_id, s.acctuniqueid, s.service_id, s.nas_id, s.acctsessionid, s.username, s.nasipaddress, s.nasportid,
       s.nasporttype, s.acctstarttime, s.acctupdatetime, s.acctstoptime, s.acctsessiontime, s.acctinputoctets,
       s.acctoutputoctets, s.calledstationid, s.callingstationid, s.acctterminatecause, s.servicetype,
       s.framedprotocol, s.framedipaddress, s.framedipv6prefix, s.delegatedipv6prefix, s.class)
    ON CONFLICT (tenant_id, acctuniqueid, acctstarttime) DO UPDATE SET
      acctupdatetime = EXCLUDED.acctupdatetime,
      acctstoptime = EXCLUDED.acctstoptime,
      acctterminatecause = EXCLUDED.acctterminatecause,
      acctsessiontime = GREATEST(r.acctsessiontime, EXCLUDED.acctsessiontime),
      acctinputoctets = GREATEST(r.acctinputoctets, EXCLUDED.acctinputoctets),
      acctoutputoctets = GREATEST(r.acctoutputoctets, EXCLUDED.acctoutputoctets);
  ELSE
    INSERT INTO radius.radacct_orphan AS r
      (tenant_id, acctuniqueid, service_id, nas_id, acctsessionid, username, nasipaddress, nasportid,
       nasporttype, acctstarttime, acctupdatetime, acctstoptime, acctsessiontime, acctinputoctets,
       acctoutputoctets, calledstationid, callingstationid, acctterminatecause, servicetype,
       framedprotocol, framedipaddress, framedipv6prefix, delegatedipv6prefix, class)
    VALUES
      (s.tenant_id, s.acctuniqueid, s.service_id, s.nas_id, s.acctsessionid, s.username, s.nasipaddress, s.nasportid,
       s.nasporttype, s.acctstarttime, s.acctupdatetime, s.acctstoptime, s.acctsessiontime, s.acctinputoctets,
       s.acctoutputoctets, s.calledstationid, s.callingstationid, s.acctterminatecause, s.servicetype,
       s.framedprotocol, s.framedipaddress, s.framedipv6prefix, s.delegatedipv6prefix, s.class)
    ON CONFLICT (tenant_id, acctuniqueid, acctstarttime) DO UPDATE SET
      acctupdatetime = EXCLUDED.acctupdatetime,
      acctstoptime = EXCLUDED.acctstoptime,
      acctterminatecause = EXCLUDED.acctterminatecause,
      acctsessiontime = GREATEST(r.acctsessiontime, EXCLUDED.acctsessiontime),
      acctinputoctets = GREATEST(r.acctinputoctets, EXCLUDED.acctinputoctets),
      acctoutputoctets = GREATEST(r.acctoutputoctets, EXCLUDED.acctoutputoctets);
  END IF;
END
$$;

-- Closes a session without a Stop: the NAS booted, fell silent or reused the id. The caller holds
-- the row's lock. The stop time is the last the NAS said of it.
CREATE FUNCTION radius.close_session(p_session radius.session, p_cause text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s radius.session := p_session;
BEGIN
  PERFORM radius.add_usage(s.tenant_id, s.service_id, s.usage_day,
    s.acctinputoctets - s.rolled_input_octets,
    s.acctoutputoctets - s.rolled_output_octets,
    s.acctsessiontime - s.rolled_session_time);
  UPDATE radius.session x SET
    acctstoptime = GREATEST(x.acctupdatetime, x.acctstarttime),
    acctterminatecause = p_cause,
    rolled_input_octets = x.acctinputoctets,
    rolled_output_octets = x.acctoutputoctets,
    rolled_session_time = x.acctsessiontime
  WHERE x.tenant_id = s.tenant_id AND x.acctuniqueid = s.acctuniqueid
  RETURNING * INTO s;
  PERFORM radius.archive(s);
END
$$;

-- Closes some of the sessions that a NAS lost when it booted. Who closes many sessions holds the
-- advisory lock radius.closing, so that no two of them wait for each other's usage rows; against
-- single packets the order of service and day does the same.
CREATE FUNCTION radius.close_after_boot(p_nas_id int, p_limit int) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_closed int := 0;
  v_open   radius.session[];
  s        radius.session;
BEGIN
  SELECT array_agg(o.x ORDER BY (o.x).tenant_id, (o.x).service_id, (o.x).usage_day) INTO v_open FROM (
    SELECT x FROM radius.session x JOIN radius.nas n ON n.id = x.nas_id
    WHERE x.nas_id = p_nas_id AND x.acctstoptime IS NULL AND x.acctupdatetime <= n.booted_at
    LIMIT p_limit FOR UPDATE OF x SKIP LOCKED
  ) o;
  FOREACH s IN ARRAY COALESCE(v_open, '{}') LOOP
    PERFORM radius.close_session(s, 'NAS-Reboot');
    v_closed := v_closed + 1;
  END LOOP;
  UPDATE radius.nas SET reboot_backlog = (v_closed = p_limit) WHERE id = p_nas_id;
  RETURN v_closed;
END
$$;

-- A tombstone that sweep has removed comes back from history, so that a packet later than that is
-- judged like any other. Answers whether there was one.
CREATE FUNCTION radius.restore_tombstone(p_tenant_id int, p_key uuid, p_start timestamptz,
                                         p_timezone text, p_now timestamptz) RETURNS bool
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_found bool;
BEGIN
  INSERT INTO radius.session
    (tenant_id, acctuniqueid, service_id, nas_id, acctsessionid, username, nasipaddress, nasportid,
     nasporttype, acctstarttime, acctupdatetime, acctstoptime, acctsessiontime, acctinputoctets,
     acctoutputoctets, calledstationid, callingstationid, acctterminatecause, servicetype,
     framedprotocol, framedipaddress, framedipv6prefix, delegatedipv6prefix, class,
     last_packet_at, usage_day, rolled_input_octets, rolled_output_octets, rolled_session_time)
  SELECT r.tenant_id, r.acctuniqueid, r.service_id, r.nas_id, r.acctsessionid, r.username, r.nasipaddress, r.nasportid,
     r.nasporttype, r.acctstarttime, r.acctupdatetime, r.acctstoptime, r.acctsessiontime, r.acctinputoctets,
     r.acctoutputoctets, r.calledstationid, r.callingstationid, r.acctterminatecause, r.servicetype,
     r.framedprotocol, r.framedipaddress, r.framedipv6prefix, r.delegatedipv6prefix, r.class,
     p_now, (r.acctupdatetime AT TIME ZONE p_timezone)::date, r.acctinputoctets, r.acctoutputoctets, r.acctsessiontime
  FROM (
    SELECT * FROM radius.radacct a
    WHERE a.tenant_id = p_tenant_id AND a.acctuniqueid = p_key
      AND a.acctstarttime BETWEEN p_start - interval '1 day' AND p_start + interval '1 day'
    UNION ALL
    SELECT * FROM radius.radacct_orphan a
    WHERE a.tenant_id = p_tenant_id AND a.acctuniqueid = p_key
      AND a.acctstarttime BETWEEN p_start - interval '1 day' AND p_start + interval '1 day'
  ) r
  ORDER BY r.acctstarttime DESC LIMIT 1
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS v_found = ROW_COUNT;
  RETURN v_found;
END
$$;

-- Every accounting packet. The arguments are the attributes as text, '' when absent. The answer is
-- a word for tests and logs; any answer lets FreeRADIUS acknowledge the packet.
CREATE FUNCTION radius.accounting(
  p_nas_id int, p_status_type text, p_session_id text, p_username text, p_class text, p_mac text,
  p_event_timestamp text, p_delay text, p_session_time text,
  p_input_octets text, p_input_gigawords text, p_output_octets text, p_output_gigawords text,
  p_framed_ip text, p_nas_ip text, p_nas_port text, p_nas_port_type text, p_called_station text,
  p_terminate_cause text, p_service_type text, p_framed_protocol text,
  p_framed_ipv6_prefix text, p_delegated_ipv6_prefix text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_now     timestamptz := platform.now();
  v_nas     record;
  v_time    bigint := COALESCE(NULLIF(p_session_time, ''), '0')::bigint;
  v_input   bigint := (COALESCE(NULLIF(p_input_gigawords, ''), '0')::bigint << 32)
                    + COALESCE(NULLIF(p_input_octets, ''), '0')::bigint;
  v_output  bigint := (COALESCE(NULLIF(p_output_gigawords, ''), '0')::bigint << 32)
                    + COALESCE(NULLIF(p_output_octets, ''), '0')::bigint;
  v_event   timestamptz;      -- when it happened
  v_start   timestamptz;      -- when its session began, by this packet
  v_day     date;             -- the tenant's day it happened on
  v_key     uuid;
  v_token   uuid;             -- of the login
  v_service uuid;
  s         radius.session;   -- the session as we know it
  v_known   bool := false;
  v_result  text := 'ok';
BEGIN
  SELECT n.tenant_id, n.last_seen_at, t.timezone INTO v_nas
  FROM radius.nas n JOIN radius.tenant t USING (tenant_id)
  WHERE n.id = p_nas_id;
  IF NOT FOUND THEN
    RETURN 'unknown-nas';
  END IF;
  IF v_nas.last_seen_at BETWEEN v_now - interval '1 minute' AND v_now THEN
    NULL;
  ELSE
    PERFORM radius.touch_nas(p_nas_id, v_now);
  END IF;

  -- The NAS's clock if it can be believed, else arrival less the delay it admits (RFC 2866 5.2).
  v_event := to_timestamp(NULLIF(p_event_timestamp, '')::double precision);
  IF v_event IS NULL OR v_event NOT BETWEEN v_now - interval '7 days' AND v_now + interval '5 minutes' THEN
    v_event := v_now - make_interval(secs => LEAST(COALESCE(NULLIF(p_delay, ''), '0')::bigint, 7 * 86400));
  END IF;
  v_start := v_event - make_interval(secs => LEAST(v_time, 365 * 86400));
  v_day := (v_event AT TIME ZONE v_nas.timezone)::date;

  -- The NAS booted: what it said before is over. 100,000 sessions cannot be closed within a
  -- packet's time: leave a marker that logins respect, close a few now and leave sweep the rest.
  IF p_status_type IN ('Accounting-On', 'Accounting-Off') THEN
    UPDATE radius.nas SET booted_at = GREATEST(booted_at, v_event), reboot_backlog = true WHERE id = p_nas_id;
    IF NOT pg_try_advisory_xact_lock(hashtextextended('radius.closing', 0)) THEN
      RETURN 'closed 0';        -- sweep is at it already
    END IF;
    RETURN 'closed ' || radius.close_after_boot(p_nas_id, 200);
  ELSIF p_status_type NOT IN ('Start', 'Interim-Update', 'Stop') THEN
    RETURN 'ignored';
  ELSIF p_session_id = '' THEN
    RETURN 'no-session-id';
  END IF;
  v_key := md5(p_nas_id || '|' || p_username || '|' || p_session_id || '|' || p_class)::uuid;

  -- The usual packet: an Interim in order, on the day of the one before. One update in place.
  IF p_status_type = 'Interim-Update' THEN
    UPDATE radius.session x SET
      acctupdatetime = GREATEST(x.acctupdatetime, v_event),
      last_packet_at = v_now,
      acctsessiontime = v_time,
      acctinputoctets = GREATEST(x.acctinputoctets, v_input),
      acctoutputoctets = GREATEST(x.acctoutputoctets, v_output),
      framedipaddress = COALESCE(NULLIF(p_framed_ip, '')::inet, x.framedipaddress),
      framedipv6prefix = COALESCE(NULLIF(p_framed_ipv6_prefix, ''), x.framedipv6prefix),
      delegatedipv6prefix = COALESCE(NULLIF(p_delegated_ipv6_prefix, ''), x.delegatedipv6prefix)
    WHERE x.tenant_id = v_nas.tenant_id AND x.acctuniqueid = v_key AND x.acctstoptime IS NULL
      AND x.acctsessiontime <= v_time AND x.usage_day = v_day;
    IF FOUND THEN
      RETURN 'ok';
    END IF;
  END IF;

  -- Whose session? The login's Class says it; else the name, which may since belong to another.
  IF p_class ~ '^0x544c31[0-9a-f]{64}$' THEN
    v_token := substr(p_class, 9, 32)::uuid;
    v_service := substr(p_class, 41, 32)::uuid;
  ELSE
    SELECT a.service_id INTO v_service FROM radius.account a
    WHERE a.tenant_id = v_nas.tenant_id AND lower(a.username) = lower(p_username) AND a.status <> 'terminated';
  END IF;

  -- Find the session, or begin it. (A Start of just now looks for no predecessor.)
  IF p_status_type <> 'Start' OR v_event < v_now - interval '1 day' THEN
    SELECT * INTO s FROM radius.session x
    WHERE x.tenant_id = v_nas.tenant_id AND x.acctuniqueid = v_key FOR UPDATE;
    v_known := FOUND OR radius.restore_tombstone(v_nas.tenant_id, v_key, v_start, v_nas.timezone, v_now);
  END IF;
  IF NOT v_known THEN
    INSERT INTO radius.session
      (tenant_id, acctuniqueid, service_id, nas_id, acctsessionid, username, nasipaddress, nasportid,
       nasporttype, acctstarttime, acctupdatetime, calledstationid, callingstationid, servicetype,
       framedprotocol, framedipaddress, framedipv6prefix, delegatedipv6prefix, class,
       last_packet_at, usage_day)
    VALUES
      (v_nas.tenant_id, v_key, v_service, p_nas_id, p_session_id, p_username, NULLIF(p_nas_ip, '')::inet, NULLIF(p_nas_port, ''),
       NULLIF(p_nas_port_type, ''), v_start, v_event, NULLIF(p_called_station, ''), NULLIF(p_mac, ''), NULLIF(p_service_type, ''),
       NULLIF(p_framed_protocol, ''), NULLIF(p_framed_ip, '')::inet, NULLIF(p_framed_ipv6_prefix, ''),
       NULLIF(p_delegated_ipv6_prefix, ''), NULLIF(p_class, ''),
       v_now, v_day)
    ON CONFLICT DO NOTHING
    RETURNING * INTO s;
    v_known := NOT FOUND;       -- another packet of this session was faster
    v_result := 'new';
  END IF;

  IF v_known THEN
    SELECT * INTO s FROM radius.session x
    WHERE x.tenant_id = v_nas.tenant_id AND x.acctuniqueid = v_key FOR UPDATE;
    v_result := 'ok';
    IF v_start > COALESCE(s.acctstoptime, s.acctupdatetime + interval '60 seconds')
       AND (v_time < s.acctsessiontime OR s.acctstoptime IS NOT NULL) THEN
      -- The NAS uses the id again, or its Stop was lost: close the old session, begin anew.
      IF s.acctstoptime IS NULL THEN
        PERFORM radius.close_session(s, 'Lost-Stop');
      END IF;
      UPDATE radius.session x SET
        service_id = v_service, acctstarttime = v_start, acctupdatetime = v_event, last_packet_at = v_now,
        acctstoptime = NULL, acctterminatecause = NULL,
        acctsessiontime = 0, acctinputoctets = 0, acctoutputoctets = 0,
        usage_day = v_day, rolled_input_octets = 0, rolled_output_octets = 0, rolled_session_time = 0,
        framedipaddress = NULLIF(p_framed_ip, '')::inet, callingstationid = NULLIF(p_mac, ''),
        nasportid = NULLIF(p_nas_port, '')
      WHERE x.tenant_id = v_nas.tenant_id AND x.acctuniqueid = v_key
      RETURNING * INTO s;
      v_result := 'reused';
    ELSIF p_status_type = 'Start' THEN
      RETURN 'dup';
    ELSIF s.acctstoptime IS NOT NULL THEN
      IF s.acctterminatecause IN ('Stale', 'NAS-Reboot') AND v_time > s.acctsessiontime THEN
        -- We had given it up, but it lived on. Open, it is no history: closing writes that again.
        v_result := 'reopened';
        IF p_status_type <> 'Stop' THEN
          DELETE FROM radius.radacct r
          WHERE r.tenant_id = s.tenant_id AND r.acctuniqueid = v_key AND r.acctstarttime = s.acctstarttime;
          DELETE FROM radius.radacct_orphan r
          WHERE r.tenant_id = s.tenant_id AND r.acctuniqueid = v_key AND r.acctstarttime = s.acctstarttime;
        END IF;
      ELSE
        RETURN 'dup';
      END IF;
    ELSIF p_status_type <> 'Stop' AND v_time < s.acctsessiontime THEN
      RETURN 'late';
    END IF;
  END IF;

  IF p_status_type = 'Start' THEN
    -- the session itself holds the place now
    DELETE FROM radius.pending p
    WHERE p.tenant_id = v_nas.tenant_id AND p.service_id = s.service_id
      AND p.device = COALESCE(NULLIF(p_mac, ''), v_token::text);
    RETURN v_result;
  END IF;

  -- Usage is rolled up at the first packet of a new day and at the Stop, never per Interim.
  IF v_day > s.usage_day THEN
    PERFORM radius.add_usage(s.tenant_id, s.service_id, s.usage_day,
      s.acctinputoctets - s.rolled_input_octets,
      s.acctoutputoctets - s.rolled_output_octets,
      s.acctsessiontime - s.rolled_session_time);
    s.rolled_input_octets := s.acctinputoctets;
    s.rolled_output_octets := s.acctoutputoctets;
    s.rolled_session_time := s.acctsessiontime;
    s.usage_day := v_day;
  END IF;
  s.acctinputoctets := GREATEST(s.acctinputoctets, v_input);
  s.acctoutputoctets := GREATEST(s.acctoutputoctets, v_output);
  s.acctsessiontime := GREATEST(s.acctsessiontime, v_time);
  s.acctstoptime := NULL;
  s.acctterminatecause := NULL;
  IF p_status_type = 'Stop' THEN
    PERFORM radius.add_usage(s.tenant_id, s.service_id, s.usage_day,
      s.acctinputoctets - s.rolled_input_octets,
      s.acctoutputoctets - s.rolled_output_octets,
      s.acctsessiontime - s.rolled_session_time);
    s.rolled_input_octets := s.acctinputoctets;
    s.rolled_output_octets := s.acctoutputoctets;
    s.rolled_session_time := s.acctsessiontime;
    s.acctstoptime := v_event;
    s.acctterminatecause := COALESCE(NULLIF(p_terminate_cause, ''), 'Unknown');
  END IF;
  UPDATE radius.session x SET
    acctupdatetime = GREATEST(x.acctupdatetime, v_event),
    last_packet_at = v_now,
    acctstoptime = s.acctstoptime,
    acctterminatecause = s.acctterminatecause,
    acctsessiontime = s.acctsessiontime,
    acctinputoctets = s.acctinputoctets,
    acctoutputoctets = s.acctoutputoctets,
    framedipaddress = COALESCE(NULLIF(p_framed_ip, '')::inet, x.framedipaddress),
    framedipv6prefix = COALESCE(NULLIF(p_framed_ipv6_prefix, ''), x.framedipv6prefix),
    delegatedipv6prefix = COALESCE(NULLIF(p_delegated_ipv6_prefix, ''), x.delegatedipv6prefix),
    usage_day = s.usage_day,
    rolled_input_octets = s.rolled_input_octets,
    rolled_output_octets = s.rolled_output_octets,
    rolled_session_time = s.rolled_session_time
  WHERE x.tenant_id = s.tenant_id AND x.acctuniqueid = v_key
  RETURNING * INTO s;
  IF p_status_type = 'Stop' THEN
    PERFORM radius.archive(s);
  END IF;
  RETURN v_result;
END
$$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA radius FROM PUBLIC;
GRANT EXECUTE ON FUNCTION radius.accounting(
  int, text, text, text, text, text, text, text, text, text, text, text,
  text, text, text, text, text, text, text, text, text, text, text) TO {{radiusd}};
