-- From which day on a version of a plan counts. NULL: from the beginning, as the first one; later ones go by their numbers.
ALTER TABLE plan_version ADD COLUMN effective_on date;
-- Services that have the plan when it begins to count keep the version that they have.
ALTER TABLE plan_version ADD COLUMN new_services_only boolean NOT NULL DEFAULT false;

-- Versions that were taken back before they counted.
CREATE TABLE plan_version_withdrawal (
    plan_version_id uuid PRIMARY KEY REFERENCES plan_version,
    withdrawn_at    timestamptz NOT NULL
);

-- Periods that begin before that day are charged by the version that the service has.
ALTER TABLE service ADD COLUMN version_kept_until date;

GRANT SELECT, INSERT ON plan_version_withdrawal TO {{tenant}};
