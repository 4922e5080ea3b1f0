-- RADIUS: the tables.
--
-- FreeRADIUS never sees them: it calls four functions (0002, 0003). Tenants' roles see their own
-- rows through row-level security. Run once, as {{owner}}.
--
-- Column names of session and radacct are those of FreeRADIUS' stock accounting schema, because
-- every ISP engineer knows them. "Input" is what the NAS received from the subscriber (RFC 2866),
-- hence upload; "output" is download.
--
-- All time comes from platform.now(), never from now(): the test clock holds here too.

GRANT USAGE ON SCHEMA radius TO {{radiusd}}, {{tenants}}, {{platform}};
-- Evaluated with the tenant role's rights: in the policies and in the defaults below.
GRANT EXECUTE ON FUNCTION platform.tenant_of(name), platform.now() TO {{tenants}};

-- What RADIUS must know of a tenant ------------------------------------------------------------

CREATE TABLE radius.tenant (
  tenant_id int PRIMARY KEY,
  -- A day of usage is the tenant's day. An unknown zone fails here, not in the middle of accounting.
  timezone  text NOT NULL CHECK (timestamp '2000-01-01' AT TIME ZONE timezone IS NOT NULL),
  status    text NOT NULL CHECK (status IN ('active', 'suspended')),
  -- What a suspended or expired subscriber gets: a reject, or a session in the walled garden.
  on_block  text NOT NULL DEFAULT 'reject' CHECK (on_block IN ('reject', 'captive'))
);

-- Network access servers -----------------------------------------------------------------------

-- FreeRADIUS 3 finds the shared secret by source address alone, before it looks at the packet.
-- The address therefore identifies NAS and tenant, and is unique across the platform. A NAS
-- without a fixed address has none yet (NULL) and is not answered.
CREATE TABLE radius.nas (
  id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  uid        uuid NOT NULL UNIQUE,
  tenant_id  int NOT NULL REFERENCES radius.tenant,
  name       text NOT NULL,
  src_ip     inet UNIQUE CHECK (masklen(src_ip) = CASE family(src_ip) WHEN 4 THEN 32 ELSE 128 END),
  -- Printable ASCII: it travels to FreeRADIUS as text. Without quotes and backslash, which
  -- FreeRADIUS and router command lines each escape in their own way.
  secret     text NOT NULL CHECK (secret ~ '^[!-~]{8,128}$' AND secret !~ '["''\\`]'),
  vendor     text NOT NULL DEFAULT 'mikrotik'
             CHECK (vendor IN ('mikrotik', 'cisco', 'juniper', 'huawei', 'generic')),
  coa_port   int NOT NULL DEFAULT 3799 CHECK (coa_port BETWEEN 1 AND 65535),
  -- Blast-RADIUS (CVE-2024-3596): refuse Access-Requests that are not signed.
  require_message_authenticator bool NOT NULL DEFAULT true,
  enabled    bool NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT platform.now(),
  version    int NOT NULL DEFAULT 1,
  -- Kept by post_auth and accounting, written at most once a minute.
  last_seen_at timestamptz,
  -- Boot marker: the event time of the last Accounting-On or -Off. A session last heard of before
  -- it is dead, closed or not; closing goes in batches (reboot_backlog: some are left to sweep).
  booted_at  timestamptz,
  reboot_backlog bool NOT NULL DEFAULT false
) WITH (fillfactor = 80);
CREATE INDEX nas_by_tenant ON radius.nas (tenant_id);
CREATE INDEX nas_with_backlog ON radius.nas (id) WHERE reboot_backlog;

-- Accounts: what a service may do on the network -----------------------------------------------

-- The reply attributes that an ISP may add by hand, and the form of their values; NULL for every
-- other name. Nothing that identifies, authenticates or reports is among them.
CREATE FUNCTION radius.attribute_kind(p_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN p_name IN ('Session-Timeout', 'Idle-Timeout', 'Port-Limit', 'Acct-Interim-Interval',
      'Framed-MTU', 'Mikrotik-Recv-Limit', 'Mikrotik-Xmit-Limit', 'Mikrotik-Recv-Limit-Gigawords',
      'Mikrotik-Xmit-Limit-Gigawords', 'Mikrotik-Total-Limit', 'Mikrotik-Total-Limit-Gigawords',
      'WISPr-Bandwidth-Min-Up', 'WISPr-Bandwidth-Min-Down',
      'WISPr-Bandwidth-Max-Up', 'WISPr-Bandwidth-Max-Down') THEN 'integer'
    WHEN p_name IN ('Framed-IP-Netmask') THEN 'ipv4'
    WHEN p_name IN ('Framed-IPv6-Prefix', 'Delegated-IPv6-Prefix') THEN 'ipv6-prefix'
    WHEN p_name IN ('Framed-Pool', 'Framed-Route', 'Framed-IPv6-Pool', 'Framed-IPv6-Route',
      'Delegated-IPv6-Prefix-Pool', 'Filter-Id',
      'Mikrotik-Rate-Limit', 'Mikrotik-Group', 'Mikrotik-Address-List', 'Mikrotik-Mark-Id',
      'Mikrotik-Delegated-IPv6-Pool', 'WISPr-Redirection-URL',
      'Huawei-Qos-Profile-Name', 'Huawei-Domain-Name', 'Cisco-AVPair',
      'ERX-Ingress-Policy-Name', 'ERX-Egress-Policy-Name', 'ERX-Qos-Profile-Name',
      'ERX-Address-Pool-Name', 'ERX-Virtual-Router-Name') THEN 'text'
  END
$$;

-- [{"attribute": "Framed-Pool", "op": ":=", "value": "gold"}, ...]
CREATE FUNCTION radius.attributes_allowed(p_attributes jsonb) RETURNS bool
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT jsonb_typeof(p_attributes) = 'array' AND NOT EXISTS (
    SELECT FROM jsonb_array_elements(CASE jsonb_typeof(p_attributes) WHEN 'array' THEN p_attributes END) e
    WHERE NOT COALESCE(
      e ->> 'op' IN (':=', '+=', '=') AND
      CASE radius.attribute_kind(e ->> 'attribute')
        WHEN 'integer' THEN e ->> 'value' ~ '^[0-9]{1,9}$'
        WHEN 'ipv4' THEN e ->> 'value' ~ '^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$'
        WHEN 'ipv6-prefix' THEN e ->> 'value' ~ '^([0-9a-fA-F]{1,4}:){1,7}:/(\d|[1-9]\d|1[01]\d|12[0-8])$'
        -- no backslash: FreeRADIUS unescapes more than once on the way to a reply
        WHEN 'text' THEN length(e ->> 'value') BETWEEN 1 AND 200 AND e ->> 'value' !~ '[[:cntrl:]\\]'
      END, false))
$$;

CREATE TABLE radius.account (
  tenant_id  int NOT NULL REFERENCES radius.tenant,
  service_id uuid NOT NULL,
  username   text NOT NULL CHECK (length(username) BETWEEN 1 AND 253),
  password   text,                      -- clear: CHAP and MS-CHAP cannot do without
  status     text NOT NULL CHECK (status IN ('active', 'suspended', 'expired', 'terminated', 'pending')),
  expires_at timestamptz,
  download_kbps int CHECK (download_kbps > 0),
  upload_kbps   int CHECK (upload_kbps > 0),
  max_sessions  int NOT NULL DEFAULT 1 CHECK (max_sessions >= 0),   -- 0: no limit
  framed_ip  inet,
  extra_attributes jsonb NOT NULL DEFAULT '[]' CHECK (radius.attributes_allowed(extra_attributes)),
  -- Events may arrive in any order: an older version never overwrites a newer one.
  version    bigint NOT NULL,
  PRIMARY KEY (tenant_id, service_id)
);
-- User names match regardless of case. A terminated service frees its name for another person.
CREATE UNIQUE INDEX account_username ON radius.account (tenant_id, lower(username)) WHERE status <> 'terminated';
CREATE INDEX account_terminated ON radius.account (tenant_id, lower(username)) WHERE status = 'terminated';

-- Sessions -------------------------------------------------------------------------------------

-- Reservations between Access-Accept and Accounting-Start, so that simultaneous logins cannot
-- pass a session limit together. Worth a minute: lost in a crash without harm.
CREATE UNLOGGED TABLE radius.pending (
  tenant_id  int NOT NULL,
  service_id uuid NOT NULL,
  device     text NOT NULL,             -- Calling-Station-Id, or the login's token if there is none
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, service_id, device)
) WITH (fillfactor = 70);

-- Open sessions, and for some time the closed ones: repeated and late packets find them here.
-- A packet updates one row in place (HOT): neither acctupdatetime nor last_packet_at nor a counter
-- may become part of an index.
CREATE TABLE radius.session (
  tenant_id        int NOT NULL,
  acctuniqueid     uuid NOT NULL,       -- made from NAS, user name, Acct-Session-Id and Class
  service_id       uuid,                -- NULL: the account is not one of ours
  nas_id           int NOT NULL,
  acctsessionid    text NOT NULL,
  username         text NOT NULL,       -- byte for byte as the NAS sent it, for CoA
  nasipaddress     inet,
  nasportid        text,
  nasporttype      text,
  acctstarttime    timestamptz NOT NULL,
  acctupdatetime   timestamptz NOT NULL,
  acctstoptime     timestamptz,
  acctsessiontime  bigint NOT NULL DEFAULT 0,
  acctinputoctets  bigint NOT NULL DEFAULT 0,
  acctoutputoctets bigint NOT NULL DEFAULT 0,
  calledstationid  text,
  callingstationid text,
  acctterminatecause text,
  servicetype      text,
  framedprotocol   text,
  framedipaddress  inet,
  framedipv6prefix text,
  delegatedipv6prefix text,
  class            text,
  PRIMARY KEY (tenant_id, acctuniqueid)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX session_open_by_service ON radius.session (tenant_id, service_id) WHERE acctstoptime IS NULL;
CREATE INDEX session_open_by_nas ON radius.session (nas_id) WHERE acctstoptime IS NULL;
CREATE INDEX session_closed ON radius.session (acctstoptime) WHERE acctstoptime IS NOT NULL;

-- Finished sessions, one row each, in the month (UTC) in which the session started.
CREATE TABLE radius.radacct (LIKE radius.session INCLUDING DEFAULTS) PARTITION BY RANGE (acctstarttime);
CREATE UNIQUE INDEX radacct_key ON radius.radacct (tenant_id, acctuniqueid, acctstarttime);
CREATE INDEX radacct_by_service ON radius.radacct (tenant_id, service_id, acctstarttime);
CREATE INDEX radacct_by_address ON radius.radacct (tenant_id, framedipaddress, acctstarttime);  -- "who had this address?"

ALTER TABLE radius.session
  ADD last_packet_at timestamptz NOT NULL,             -- arrival by our clock; the NAS's may be wrong
  -- What has been added to usage_day already, and the day that the rest will be added to.
  ADD usage_day            date NOT NULL,
  ADD rolled_input_octets  bigint NOT NULL DEFAULT 0,
  ADD rolled_output_octets bigint NOT NULL DEFAULT 0,
  ADD rolled_session_time  bigint NOT NULL DEFAULT 0;

-- The log of logins. It never holds a password.
CREATE TABLE radius.radpostauth (
  tenant_id  int NOT NULL,
  authdate   timestamptz NOT NULL,
  service_id uuid,
  username   text NOT NULL,
  nas_id     int NOT NULL,
  reply      text NOT NULL,             -- Access-Accept or Access-Reject
  reason     text,                      -- why it was rejected (or let into the walled garden)
  callingstationid text,
  token      uuid                       -- of the login; part of Class
) PARTITION BY RANGE (authdate);
CREATE INDEX radpostauth_by_service ON radius.radpostauth (tenant_id, service_id, authdate);
CREATE INDEX radpostauth_by_username ON radius.radpostauth (tenant_id, lower(username), authdate);

-- Usage of a service on one of the tenant's days.
CREATE TABLE radius.usage_day (
  tenant_id       int NOT NULL,
  service_id      uuid NOT NULL,
  day             date NOT NULL,
  upload_octets   bigint NOT NULL,
  download_octets bigint NOT NULL,
  session_seconds bigint NOT NULL,
  PRIMARY KEY (tenant_id, service_id, day)
) PARTITION BY RANGE (day);

-- Rows whose month has no partition (a clock gone wrong, a maintenance job that did not run).
-- ensure_partitions moves them home. A DEFAULT partition would forbid DETACH CONCURRENTLY.
CREATE TABLE radius.radacct_orphan (LIKE radius.radacct INCLUDING DEFAULTS);
CREATE UNIQUE INDEX radacct_orphan_key ON radius.radacct_orphan (tenant_id, acctuniqueid, acctstarttime);
CREATE TABLE radius.radpostauth_orphan (LIKE radius.radpostauth);
CREATE TABLE radius.usage_day_orphan (LIKE radius.usage_day, PRIMARY KEY (tenant_id, service_id, day));

-- What tenants may see and change --------------------------------------------------------------

-- A closed door first: row-level security on every table, then policies and grants for some.
-- Grants go to parents only: a partition that is read directly knows nothing of its parent's policy.
ALTER TABLE radius.tenant             ENABLE ROW LEVEL SECURITY;
ALTER TABLE radius.nas                ENABLE ROW LEVEL SECURITY;
ALTER TABLE radius.account            ENABLE ROW LEVEL SECURITY;
ALTER TABLE radius.pending            ENABLE ROW LEVEL SECURITY;
ALTER TABLE radius.session            ENABLE ROW LEVEL SECURITY;
ALTER TABLE radius.radacct            ENABLE ROW LEVEL SECURITY;
ALTER TABLE radius.radacct_orphan     ENABLE ROW LEVEL SECURITY;
ALTER TABLE radius.radpostauth        ENABLE ROW LEVEL SECURITY;
ALTER TABLE radius.radpostauth_orphan ENABLE ROW LEVEL SECURITY;
ALTER TABLE radius.usage_day          ENABLE ROW LEVEL SECURITY;
ALTER TABLE radius.usage_day_orphan   ENABLE ROW LEVEL SECURITY;

CREATE POLICY platform ON radius.tenant TO {{platform}} USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON radius.tenant TO {{platform}};

CREATE POLICY own_rows ON radius.nas TO {{tenants}}
  USING (tenant_id = (SELECT platform.tenant_of(current_user)))
  WITH CHECK (tenant_id = (SELECT platform.tenant_of(current_user)));
-- Everything but the secret, which is written and never read back.
GRANT SELECT (id, uid, tenant_id, name, src_ip, vendor, coa_port, require_message_authenticator,
              enabled, created_at, version, last_seen_at, booted_at) ON radius.nas TO {{tenants}};
GRANT INSERT (uid, tenant_id, name, src_ip, secret, vendor, coa_port, require_message_authenticator,
              enabled, created_at, version) ON radius.nas TO {{tenants}};
GRANT UPDATE (name, src_ip, secret, vendor, coa_port, require_message_authenticator,
              enabled, version) ON radius.nas TO {{tenants}};
GRANT DELETE ON radius.nas TO {{tenants}};

CREATE POLICY own_rows ON radius.account TO {{tenants}}
  USING (tenant_id = (SELECT platform.tenant_of(current_user)))
  WITH CHECK (tenant_id = (SELECT platform.tenant_of(current_user)));
-- Everything but the password. EXCLUDED.password counts as reading it, so an upsert repeats the
-- parameter: INSERT ... VALUES ($1, $2, $3, $4, ...) ON CONFLICT (tenant_id, service_id) DO UPDATE
-- SET password = $4, status = EXCLUDED.status, ... WHERE account.version < EXCLUDED.version.
-- A set of rows: UPDATE ... FROM unnest(...) first, then INSERT ... ON CONFLICT DO NOTHING.
GRANT SELECT (tenant_id, service_id, username, status, expires_at, download_kbps, upload_kbps,
              max_sessions, framed_ip, extra_attributes, version) ON radius.account TO {{tenants}};
GRANT INSERT ON radius.account TO {{tenants}};
GRANT UPDATE (username, password, status, expires_at, download_kbps, upload_kbps,
              max_sessions, framed_ip, extra_attributes, version) ON radius.account TO {{tenants}};
GRANT DELETE ON radius.account TO {{tenants}};

CREATE POLICY own_rows ON radius.session TO {{tenants}}
  USING (tenant_id = (SELECT platform.tenant_of(current_user)));
CREATE POLICY own_rows ON radius.radacct TO {{tenants}}
  USING (tenant_id = (SELECT platform.tenant_of(current_user)));
CREATE POLICY own_rows ON radius.radacct_orphan TO {{tenants}}
  USING (tenant_id = (SELECT platform.tenant_of(current_user)));
CREATE POLICY own_rows ON radius.radpostauth TO {{tenants}}
  USING (tenant_id = (SELECT platform.tenant_of(current_user)));
CREATE POLICY own_rows ON radius.usage_day TO {{tenants}}
  USING (tenant_id = (SELECT platform.tenant_of(current_user)));
CREATE POLICY own_rows ON radius.usage_day_orphan TO {{tenants}}
  USING (tenant_id = (SELECT platform.tenant_of(current_user)));
GRANT SELECT ON radius.session, radius.radacct, radius.radacct_orphan, radius.radpostauth,
                radius.usage_day, radius.usage_day_orphan TO {{tenants}};

-- Views run with the caller's rights (security_invoker); otherwise they would bypass the policies.

-- Usage including what open sessions have not rolled up yet: one row per service and day.
CREATE VIEW radius.usage_live WITH (security_invoker = true) AS
  SELECT tenant_id, service_id, day,
         sum(upload_octets)::bigint AS upload_octets,
         sum(download_octets)::bigint AS download_octets,
         sum(session_seconds)::bigint AS session_seconds
  FROM (
    SELECT tenant_id, service_id, day, upload_octets, download_octets, session_seconds FROM radius.usage_day
    UNION ALL
    SELECT tenant_id, service_id, day, upload_octets, download_octets, session_seconds FROM radius.usage_day_orphan
    UNION ALL
    SELECT tenant_id, service_id, usage_day, acctinputoctets - rolled_input_octets,
           acctoutputoctets - rolled_output_octets, acctsessiontime - rolled_session_time
    FROM radius.session WHERE acctstoptime IS NULL AND service_id IS NOT NULL
  ) AS part
  GROUP BY tenant_id, service_id, day;

-- Every session once. Bound acctstarttime: that chooses the partitions.
CREATE VIEW radius.session_all WITH (security_invoker = true) AS
  SELECT tenant_id, acctuniqueid, service_id, nas_id, acctsessionid, username, framedipaddress,
         callingstationid, acctstarttime, acctupdatetime, acctstoptime, acctinputoctets,
         acctoutputoctets, acctsessiontime, acctterminatecause
  FROM radius.session WHERE acctstoptime IS NULL
  UNION ALL
  SELECT tenant_id, acctuniqueid, service_id, nas_id, acctsessionid, username, framedipaddress,
         callingstationid, acctstarttime, acctupdatetime, acctstoptime, acctinputoctets,
         acctoutputoctets, acctsessiontime, acctterminatecause
  FROM radius.radacct
  UNION ALL
  SELECT tenant_id, acctuniqueid, service_id, nas_id, acctsessionid, username, framedipaddress,
         callingstationid, acctstarttime, acctupdatetime, acctstoptime, acctinputoctets,
         acctoutputoctets, acctsessiontime, acctterminatecause
  FROM radius.radacct_orphan;
GRANT SELECT ON radius.usage_live, radius.session_all TO {{tenants}};

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA radius FROM PUBLIC;
-- Called by a CHECK constraint, with the rights of whoever writes the row.
GRANT EXECUTE ON FUNCTION radius.attribute_kind(text), radius.attributes_allowed(jsonb) TO {{tenants}};
