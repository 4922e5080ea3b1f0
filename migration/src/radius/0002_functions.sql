-- RADIUS: login. The functions that FreeRADIUS calls are its only way in: its role has EXECUTE on
-- four of them and no right on any table. They run as {{owner}}, hence the fixed search_path and
-- the qualified names; none may be executed by PUBLIC, or any tenant could read every secret.

-- Small rules ----------------------------------------------------------------------------------

-- Why an account may not use the network now; NULL when it may.
CREATE FUNCTION radius.block_reason(p_status text, p_expires_at timestamptz, p_now timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_status <> 'active' THEN p_status WHEN p_expires_at <= p_now THEN 'expired' END
$$;

-- Reply-Message for a subscriber: short, and silent about which half of a login was wrong.
CREATE FUNCTION radius.reject_message(p_reason text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE p_reason
    WHEN 'suspended'        THEN 'Account suspended'
    WHEN 'expired'          THEN 'Account expired'
    WHEN 'pending'          THEN 'Account not active yet'
    WHEN 'session-limit'    THEN 'Session limit reached'
    WHEN 'tenant-suspended' THEN 'Service unavailable'
    ELSE 'Invalid user name or password'
  END
$$;

-- A reply item as FreeRADIUS' %{map:} reads it. Between single quotes nothing is expanded, so a
-- value such as %{sql:...} stays text; between double quotes or backticks it would run.
CREATE FUNCTION radius.reply_item(p_attribute text, p_op text, p_value text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT 'reply:' || p_attribute || ' ' || p_op || ' '''
      || replace(replace(p_value, '\', '\\'), '''', '\''') || ''''
$$;

-- RouterOS: k = 1,000 and M = 1,000,000 bit/s; 0 = no limit.
CREATE FUNCTION radius.mikrotik_rate(p_kbps int) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_kbps IS NULL THEN '0'
              WHEN p_kbps % 1000 = 0 THEN (p_kbps / 1000) || 'M'
              ELSE p_kbps || 'k' END
$$;

-- The bandwidth of a service in the words of the NAS's vendor.
CREATE FUNCTION radius.rate_items(p_vendor text, p_upload_kbps int, p_download_kbps int) RETURNS SETOF text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_up   bigint := p_upload_kbps::bigint * 1000;
  v_down bigint := p_download_kbps::bigint * 1000;
BEGIN
  IF p_upload_kbps IS NULL AND p_download_kbps IS NULL THEN
    RETURN;
  END IF;
  IF p_vendor = 'mikrotik' THEN
    -- rx/tx from the router's side: rx is the subscriber's upload and comes first
    RETURN NEXT radius.reply_item('Mikrotik-Rate-Limit', ':=',
      radius.mikrotik_rate(p_upload_kbps) || '/' || radius.mikrotik_rate(p_download_kbps));
    RETURN;
  END IF;
  -- Elsewhere bit/s in 32 bits: a rate beyond is left out, the NAS's own profile then decides.
  IF v_up <= 4294967295 THEN
    IF p_vendor = 'huawei' THEN   -- the peak is delivered only together with the average
      RETURN NEXT radius.reply_item('Huawei-Input-Average-Rate', ':=', v_up::text);
      RETURN NEXT radius.reply_item('Huawei-Input-Peak-Rate', ':=', v_up::text);
    ELSE
      RETURN NEXT radius.reply_item('WISPr-Bandwidth-Max-Up', ':=', v_up::text);
    END IF;
  END IF;
  IF v_down <= 4294967295 THEN
    IF p_vendor = 'huawei' THEN
      RETURN NEXT radius.reply_item('Huawei-Output-Average-Rate', ':=', v_down::text);
      RETURN NEXT radius.reply_item('Huawei-Output-Peak-Rate', ':=', v_down::text);
    ELSE
      RETURN NEXT radius.reply_item('WISPr-Bandwidth-Max-Down', ':=', v_down::text);
    END IF;
  END IF;
END
$$;

-- A NAS has been heard. Called only when last_seen_at is a minute old, and never waits.
CREATE FUNCTION radius.touch_nas(p_nas_id int, p_now timestamptz) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  UPDATE radius.nas SET last_seen_at = p_now
  WHERE id = (SELECT n.id FROM radius.nas n WHERE n.id = p_nas_id FOR UPDATE SKIP LOCKED)
$$;

-- The functions FreeRADIUS calls ---------------------------------------------------------------

-- Who sends from this address? "id|vendor|yes or no|secret"; nothing for a stranger, who then gets
-- no answer. FreeRADIUS keeps the answer for a minute.
CREATE FUNCTION radius.client(p_ip text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT n.id || '|' || n.vendor || '|'
      || CASE WHEN n.require_message_authenticator THEN 'yes' ELSE 'no' END || '|' || n.secret
  FROM radius.nas n JOIN radius.tenant t USING (tenant_id)
  WHERE n.src_ip = p_ip::inet AND n.enabled AND t.status = 'active'
$$;

-- Everything FreeRADIUS needs to check a login and to answer it, in one round trip: the password
-- as a check item and the reply items as strings for %{map:}. No row: reject without a check.
-- Whether the account may log in at all is decided by post_auth, after the password was right.
CREATE FUNCTION radius.authorize(p_nas_id int, p_username text, p_mac text)
RETURNS TABLE (id int, username text, attribute text, value text, op text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_now     timestamptz := platform.now();
  v_vendor  text;
  v_on_block text;
  v_account radius.account;
  v_blocked bool;
  v_items   text[] := '{}';
  v_timeout numeric;
BEGIN
  SELECT n.vendor, t.on_block INTO v_vendor, v_on_block
  FROM radius.nas n JOIN radius.tenant t USING (tenant_id)
  WHERE n.id = p_nas_id AND n.enabled AND t.status = 'active';
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT a.* INTO v_account
  FROM radius.nas n JOIN radius.account a USING (tenant_id)
  WHERE n.id = p_nas_id AND lower(a.username) = lower(p_username) AND a.status <> 'terminated';
  IF NOT FOUND OR v_account.status = 'pending' OR COALESCE(v_account.password, '') = '' THEN
    RETURN;
  END IF;

  v_blocked := radius.block_reason(v_account.status, v_account.expires_at, v_now) IS NOT NULL;
  IF v_blocked AND v_on_block = 'captive' THEN
    -- the walled garden; short sessions, so that a payment shows soon
    v_items := ARRAY[radius.reply_item('Framed-Pool', ':=', 'captive'),
                     radius.reply_item('Session-Timeout', ':=', '300')]
            || ARRAY(SELECT radius.rate_items(v_vendor, 512, 512));
    IF v_vendor = 'mikrotik' THEN
      v_items := v_items || radius.reply_item('Mikrotik-Address-List', ':=', 'captive');
    END IF;
  ELSIF NOT v_blocked THEN
    v_items := ARRAY(SELECT radius.rate_items(v_vendor, v_account.upload_kbps, v_account.download_kbps));
    IF v_account.framed_ip IS NOT NULL THEN
      v_items := v_items || radius.reply_item(
        CASE family(v_account.framed_ip) WHEN 4 THEN 'Framed-IP-Address' ELSE 'Framed-IPv6-Address' END,
        ':=', host(v_account.framed_ip));
    END IF;
    IF v_account.extra_attributes <> '[]' THEN
      v_items := v_items || ARRAY(
        SELECT radius.reply_item(e ->> 'attribute', e ->> 'op', e ->> 'value')
        FROM jsonb_array_elements(v_account.extra_attributes) e
        WHERE radius.attribute_kind(e ->> 'attribute') IS NOT NULL);
    END IF;
    -- A prepaid session ends with its time. Beyond a month the next login will see to it.
    v_timeout := ceil(extract(epoch FROM v_account.expires_at - v_now));
    IF v_timeout <= 31 * 86400 THEN
      SELECT LEAST(v_timeout, min((e ->> 'value')::numeric)) INTO v_timeout
      FROM jsonb_array_elements(v_account.extra_attributes) e WHERE e ->> 'attribute' = 'Session-Timeout';
      v_items := v_items || radius.reply_item('Session-Timeout', ':=', v_timeout::text);
    END IF;
  END IF;

  id := 0;
  username := p_username;
  attribute := 'Password-With-Header';
  op := ':=';
  -- A value wholly in quotes or backticks would be expanded; with the header in front it never is.
  value := '{clear}' || v_account.password;
  RETURN NEXT;
  attribute := 'Tmp-String-1';
  op := '+=';
  FOREACH value IN ARRAY v_items LOOP
    id := id + 1;
    RETURN NEXT;
  END LOOP;
END
$$;

-- After the password was checked (p_reply: Access-Accept or Access-Reject): decide, log and, for a
-- limited service, reserve. Answers "0x..." (the Class of the session to come) or "deny:message".
--
-- Class = 'TL1', a token, the service. It comes back in every accounting packet, so that usage
-- reaches the service that logged in, even when its user name has meanwhile gone to another.
CREATE FUNCTION radius.post_auth(p_nas_id int, p_username text, p_reply text, p_mac text, p_reason text)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_now     timestamptz := platform.now();
  v_token   uuid := gen_random_uuid();
  v_nas     record;
  v_account record;
  v_accept  bool := p_reply = 'Access-Accept';
  v_reason  text := NULLIF(p_reason, '');
  v_mac     text := NULLIF(p_mac, '');
  v_sessions int;
BEGIN
  SELECT n.tenant_id, n.last_seen_at, t.status AS tenant_status, t.on_block INTO v_nas
  FROM radius.nas n JOIN radius.tenant t USING (tenant_id)
  WHERE n.id = p_nas_id;
  IF NOT FOUND THEN
    RETURN 'deny:' || radius.reject_message('tenant-suspended');
  END IF;
  SELECT a.service_id, a.status, a.expires_at, a.max_sessions INTO v_account
  FROM radius.account a
  WHERE a.tenant_id = v_nas.tenant_id AND lower(a.username) = lower(p_username) AND a.status <> 'terminated';
  IF NOT FOUND THEN
    SELECT a.service_id, a.status, a.expires_at, a.max_sessions INTO v_account
    FROM radius.account a
    WHERE a.tenant_id = v_nas.tenant_id AND lower(a.username) = lower(p_username) AND a.status = 'terminated'
    ORDER BY a.version DESC LIMIT 1;
  END IF;

  IF v_nas.tenant_status <> 'active' THEN
    v_accept := false;
    v_reason := 'tenant-suspended';
  ELSIF v_account.service_id IS NULL THEN
    v_accept := false;
    v_reason := 'unknown-user';
  ELSIF v_account.status IN ('pending', 'terminated') THEN
    v_accept := false;
    v_reason := v_account.status;
  ELSIF v_accept THEN
    v_reason := radius.block_reason(v_account.status, v_account.expires_at, v_now);
    IF v_reason IS NOT NULL THEN
      v_accept := v_nas.on_block = 'captive';
    ELSIF v_account.max_sessions > 0 THEN
      -- One login of a service at a time; count its other devices. The same device may come back:
      -- its Stop was lost. A session that its NAS has not mentioned since it booted is dead.
      PERFORM pg_advisory_xact_lock(v_nas.tenant_id, hashtext(v_account.service_id::text));
      SELECT count(*) INTO v_sessions FROM (
        SELECT FROM radius.session s
        WHERE s.tenant_id = v_nas.tenant_id AND s.service_id = v_account.service_id AND s.acctstoptime IS NULL
          AND (v_mac IS NULL OR s.callingstationid IS DISTINCT FROM v_mac)
          AND NOT EXISTS (SELECT FROM radius.nas n WHERE n.id = s.nas_id AND s.acctupdatetime <= n.booted_at)
        UNION ALL
        SELECT FROM radius.pending p
        WHERE p.tenant_id = v_nas.tenant_id AND p.service_id = v_account.service_id AND p.expires_at > v_now
          AND p.device IS DISTINCT FROM v_mac
      ) AS busy;
      IF v_sessions >= v_account.max_sessions THEN
        v_accept := false;
        v_reason := 'session-limit';
      ELSE
        INSERT INTO radius.pending (tenant_id, service_id, device, expires_at)
        VALUES (v_nas.tenant_id, v_account.service_id, COALESCE(v_mac, v_token::text), v_now + interval '60 seconds')
        ON CONFLICT (tenant_id, service_id, device) DO UPDATE SET expires_at = EXCLUDED.expires_at;
      END IF;
    END IF;
  END IF;

  -- A missing month must never cost a login: the row waits in the orphan table.
  IF to_regclass('radius.radpostauth_' || to_char(v_now AT TIME ZONE 'UTC', 'YYYYMM')) IS NOT NULL THEN
    INSERT INTO radius.radpostauth
      (tenant_id, authdate, service_id, username, nas_id, reply, reason, callingstationid, token)
    VALUES (v_nas.tenant_id, v_now, v_account.service_id, p_username, p_nas_id,
      CASE WHEN v_accept THEN 'Access-Accept' ELSE 'Access-Reject' END,
      v_reason, v_mac, CASE WHEN v_accept THEN v_token END);
  ELSE
    INSERT INTO radius.radpostauth_orphan
      (tenant_id, authdate, service_id, username, nas_id, reply, reason, callingstationid, token)
    VALUES (v_nas.tenant_id, v_now, v_account.service_id, p_username, p_nas_id,
      CASE WHEN v_accept THEN 'Access-Accept' ELSE 'Access-Reject' END,
      v_reason, v_mac, CASE WHEN v_accept THEN v_token END);
  END IF;
  IF v_nas.last_seen_at BETWEEN v_now - interval '1 minute' AND v_now THEN
    NULL;
  ELSE
    PERFORM radius.touch_nas(p_nas_id, v_now);
  END IF;

  IF NOT v_accept THEN
    RETURN 'deny:' || radius.reject_message(v_reason);
  END IF;
  RETURN '0x544c31' || replace(v_token::text || v_account.service_id::text, '-', '');
END
$$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA radius FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
  radius.client(text),
  radius.authorize(int, text, text),
  radius.post_auth(int, text, text, text, text)
TO {{radiusd}};
