-- An ISP with so many postpaid services that are to be charged today: registered where they are, so that each invoice bears
-- two taxes, and each charged and paid once before. Ids are the same in every ISP, so that rows can be copied between them.

-- Of one row of a kind, like those of a year in which somebody joined every minute or so (UUID version 7).
CREATE OR REPLACE FUNCTION pg_temp.id(kind int, k int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(1690000000000 + k::bigint * 300007 + kind), 12, '0') || '7' || left(h, 3) || '8' || substr(h, 4, 15))::uuid
    FROM md5(kind || '/' || k) AS h
$$;

INSERT INTO tax_registration (id, country, region, tax_id, short_code, created_at)
VALUES ('01910000-0000-7000-8000-000000000000', 'IN', 'KA', '29AAGCB7383J1Z4', 'KA', now());

INSERT INTO plan (id, code, name, kind, payment_mode, bill_in, period_unit, period_count, created_at)
VALUES ('01910001-0000-7000-8000-000000000000', 'bench-fibre', 'Fibre 100', 'BROADBAND', 'POSTPAID', 'ADVANCE', 'MONTH', 1, now());
INSERT INTO plan_version (id, plan_id, number, price, currency, tax_inclusive, download_kbps, upload_kbps, simultaneous_sessions,
    created_at)
VALUES ('01910002-0000-7000-8000-000000000000', '01910001-0000-7000-8000-000000000000', 1, 799, 'INR', false, 100000, 100000, 1,
    now());

INSERT INTO subscriber (id, account_number, name, email, phone, address, status, created_at)
SELECT pg_temp.id(3, k), 'M' || (1000000 + k), 'Member ' || k, 'member' || k || '@bench.example',
    '+91984' || (1000000 + k),
    jsonb_build_object('line1', k || ' Church Street', 'city', 'Bengaluru', 'region', 'KA', 'postal_code', '560001', 'country', 'IN'),
    'ACTIVE', now()
FROM generate_series(1, {{services}}) AS k;

INSERT INTO service (id, subscriber_id, plan_id, plan_version_id, status, username, started_on, anchor_at, period_starts_at,
    period_ends_at, billed_until, billed_version_id, next_billing_on, created_at)
SELECT pg_temp.id(4, k), pg_temp.id(3, k),
    '01910001-0000-7000-8000-000000000000', '01910002-0000-7000-8000-000000000000', 'ACTIVE', 'member' || k,
    d.today - 30, d.starts, d.starts - interval '30 days', d.starts, d.starts, '01910002-0000-7000-8000-000000000000', d.today, now()
FROM generate_series(1, {{services}}) AS k,
    LATERAL (SELECT (now() AT TIME ZONE 'Asia/Kolkata')::date AS today,
        date_trunc('day', now() AT TIME ZONE 'Asia/Kolkata') AT TIME ZONE 'Asia/Kolkata' AS starts) AS d;

INSERT INTO invoice (id, number, status, subscriber_id, registration_id, issued_on, due_on, currency, subtotal, discount,
    tax_total, rounding, total, amount_paid, created_at)
SELECT pg_temp.id(5, k), 'M/' || k, 'PAID',
    pg_temp.id(3, k), '01910000-0000-7000-8000-000000000000', current_date - 30,
    current_date - 15, 'INR', 799, 0, 143.82, 0, 942.82, 942.82, now() - interval '30 days'
FROM generate_series(1, {{services}}) AS k;

INSERT INTO invoice_line (id, invoice_id, position, kind, description, subscriber_id, service_id, plan_id, quantity, unit_price,
    discount, amount, tax_code, period_starts_at, period_ends_at, explanation)
SELECT pg_temp.id(6, k), pg_temp.id(5, k), 0,
    'PERIOD', 'Fibre 100', s.subscriber_id, s.id, s.plan_id, 1, 799, 0, 799, 'internet', s.period_starts_at, s.period_ends_at, '{}'
FROM generate_series(1, {{services}}) AS k JOIN service s ON s.id = pg_temp.id(4, k);

INSERT INTO coverage (id, service_id, charge, period, invoice_line_id)
SELECT pg_temp.id(7, k), s.id, 'plan', tstzrange(s.period_starts_at, s.period_ends_at, '[)'),
    pg_temp.id(6, k)
FROM generate_series(1, {{services}}) AS k JOIN service s ON s.id = pg_temp.id(4, k);

INSERT INTO ledger_account (id, kind, subscriber_id, currency, debit_total, credit_total)
SELECT pg_temp.id(8, k), 'RECEIVABLE',
    pg_temp.id(3, k), 'INR', 942.82, 942.82
FROM generate_series(1, {{services}}) AS k;
