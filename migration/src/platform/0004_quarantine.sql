-- ISPs whose schema could not be brought to a step: they keep what they have, the others go on.
-- `trunkline migrate` tries them again and takes them off.
CREATE TABLE platform.tenant_quarantine (
    tenant_id integer PRIMARY KEY REFERENCES platform.tenant,
    version   integer NOT NULL,
    step      text NOT NULL,
    error     text NOT NULL,
    since     timestamptz NOT NULL DEFAULT now(),
    tried_at  timestamptz NOT NULL DEFAULT now(),
    attempts  integer NOT NULL DEFAULT 1
);
GRANT SELECT ON platform.tenant_quarantine TO {{platform}};
