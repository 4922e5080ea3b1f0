-- Pauses: a service is off because its subscriber wants that, from a day until another.

-- The pause that a service is in, or that is to come.
ALTER TABLE service ADD COLUMN pause_starts_on date;
-- The day on which it goes on; NULL: when somebody says so.
ALTER TABLE service ADD COLUMN pause_ends_on date;
ALTER TABLE service ADD CONSTRAINT service_pause_days CHECK (pause_ends_on IS NULL OR (pause_starts_on IS NOT NULL AND pause_ends_on > pause_starts_on));
CREATE INDEX service_pausing ON service (pause_starts_on) WHERE pause_starts_on IS NOT NULL;
CREATE INDEX service_unpausing ON service (pause_ends_on) WHERE pause_ends_on IS NOT NULL;

-- All that were asked for.
CREATE TABLE service_pause (
    id            uuid PRIMARY KEY,
    service_id    uuid NOT NULL REFERENCES service,
    starts_on     date NOT NULL,
    -- The day on which it goes or went on; its first day where it never came.
    ends_on       date,
    ended         boolean NOT NULL DEFAULT false,
    by_subscriber boolean NOT NULL,
    reason        text,
    created_at    timestamptz NOT NULL,
    CHECK (starts_on <= ends_on),
    CHECK (NOT ended OR ends_on IS NOT NULL)
);
CREATE INDEX service_pause_of ON service_pause (service_id, id);
CREATE UNIQUE INDEX service_pause_open ON service_pause (service_id) WHERE NOT ended;

-- What becomes of a minimum term: it begins sooner where free days end sooner, and is longer by the days of a pause.
CREATE TABLE service_term_change (
    id         uuid PRIMARY KEY,
    service_id uuid NOT NULL REFERENCES service,
    -- Days by which it begins, and ends, sooner.
    sooner     integer NOT NULL CHECK (sooner >= 0),
    -- Days by which it ends later.
    longer     integer NOT NULL CHECK (longer >= 0),
    created_at timestamptz NOT NULL,
    CHECK (sooner + longer > 0)
);
CREATE INDEX service_term_change_of ON service_term_change (service_id);

-- What subscribers may ask for themselves; NULL: as much as they like.
ALTER TABLE billing_settings ADD COLUMN pause_by_subscriber boolean NOT NULL DEFAULT false;
ALTER TABLE billing_settings ADD COLUMN pause_max_days integer CHECK (pause_max_days BETWEEN 1 AND 366);
ALTER TABLE billing_settings ADD COLUMN pause_max_per_year integer CHECK (pause_max_per_year BETWEEN 1 AND 366);
ALTER TABLE billing_settings ADD COLUMN pause_max_days_per_year integer CHECK (pause_max_days_per_year BETWEEN 1 AND 366);

GRANT SELECT, INSERT, UPDATE ON service_pause TO {{tenant}};
GRANT SELECT, INSERT ON service_term_change TO {{tenant}};
