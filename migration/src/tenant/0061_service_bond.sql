-- A service is bound by the plan that it has chosen, also when it changes to that plan later: a row for each. Services that began
-- before this table have theirs in service_term, which knows no plan.
CREATE TABLE service_bond (
    -- In the order of time.
    id              uuid PRIMARY KEY,
    service_id      uuid NOT NULL REFERENCES service,
    -- Whose price and periods its end before is reckoned by.
    plan_version_id uuid NOT NULL,
    starts_on       date NOT NULL,
    -- The first day after it.
    ends_on         date NOT NULL,
    exit_kind       text NOT NULL CHECK (exit_kind IN ('FIXED', 'DECLINING', 'REMAINING')),
    exit_value      numeric(19,4) NOT NULL CHECK (exit_value > 0),
    CHECK (starts_on < ends_on)
);
CREATE INDEX service_bond_of ON service_bond (service_id, id);
GRANT SELECT, INSERT ON service_bond TO {{tenant}};
