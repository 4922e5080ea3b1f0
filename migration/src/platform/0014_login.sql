-- Passwords of the roles that Trunkline logs in with, sealed with the installation's secret key: the key can be changed
-- without a replica, or FreeRADIUS, losing its way in. Nobody but the administrator reads them.
CREATE TABLE platform.login (
    role   name PRIMARY KEY,
    sealed bytea NOT NULL,
    set_at timestamptz NOT NULL DEFAULT now()
);
