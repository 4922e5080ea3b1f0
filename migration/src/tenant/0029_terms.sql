-- Trials and minimum terms of plans, and the terms that services are under.

-- The first days of a new service are free.
ALTER TABLE plan_version ADD COLUMN trial_days integer CHECK (trial_days BETWEEN 1 AND 366);
-- So long a new service is to last; who ends it before pays, by the kind and its value.
ALTER TABLE plan_version ADD COLUMN term_unit text CHECK (term_unit IN ('DAY', 'WEEK', 'MONTH', 'YEAR'));
ALTER TABLE plan_version ADD COLUMN term_count integer CHECK (term_count > 0);
ALTER TABLE plan_version ADD COLUMN exit_kind text CHECK (exit_kind IN ('FIXED', 'DECLINING', 'REMAINING'));
ALTER TABLE plan_version ADD COLUMN exit_value numeric(19,4) CHECK (exit_value > 0);
ALTER TABLE plan_version ADD CONSTRAINT plan_version_term
    CHECK (num_nonnulls(term_unit, term_count, exit_kind, exit_value) IN (0, 4));

CREATE TABLE service_term (
    service_id uuid PRIMARY KEY REFERENCES service,
    starts_on  date NOT NULL,
    -- The first day after it.
    ends_on    date NOT NULL,
    exit_kind  text NOT NULL CHECK (exit_kind IN ('FIXED', 'DECLINING', 'REMAINING')),
    exit_value numeric(19,4) NOT NULL CHECK (exit_value > 0),
    CHECK (starts_on < ends_on)
);

GRANT SELECT, INSERT ON service_term TO {{tenant}};
