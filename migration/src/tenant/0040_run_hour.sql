-- At which hour of the ISP's own clock the daily run begins.

ALTER TABLE billing_settings ADD COLUMN run_hour integer NOT NULL DEFAULT 0 CHECK (run_hour BETWEEN 0 AND 23);
