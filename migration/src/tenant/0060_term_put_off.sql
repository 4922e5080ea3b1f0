-- A minimum term that has not begun, because of free days, begins later where a pause or a suspension puts these off.
CREATE TABLE service_term_put_off (
    id         uuid PRIMARY KEY,
    service_id uuid NOT NULL REFERENCES service,
    -- Days by which it begins, and ends, later.
    days       integer NOT NULL CHECK (days > 0),
    created_at timestamptz NOT NULL
);
CREATE INDEX service_term_put_off_of ON service_term_put_off (service_id);
GRANT SELECT, INSERT ON service_term_put_off TO {{tenant}};
