-- What every ISP of the bench holds: 200 subscribers with one or two services, an account or two each, and an open invoice
-- that no number of small payments will settle. Ids end in twelve digits that pgbench can count in (workload.rs).

INSERT INTO subscriber (id, account_number, name, email, phone, address, status, created_at)
SELECT ('01900001-0000-7000-8000-' || (100000000000 + k))::uuid, 'B' || (100000 + k), 'Subscriber ' || k,
    'subscriber' || k || '@bench.example', '+9198450' || (10000 + k),
    jsonb_build_object('line1', k || ' Beach Road', 'city', 'Kozhikode', 'region', 'KL', 'postal_code', '673001', 'country', 'IN'),
    'ACTIVE', now() - interval '1 year' + k * interval '1 hour'
FROM generate_series(1, 200) AS k;

INSERT INTO service (id, subscriber_id, plan_id, plan_version_id, status, username, started_on, anchor_at, period_starts_at,
    period_ends_at, billed_until, billed_version_id, paid_until, access_until, next_billing_on, created_at)
SELECT (CASE n WHEN 1 THEN '01900002' ELSE '01900012' END || '-0000-7000-8000-' || (100000000000 + k))::uuid,
    ('01900001-0000-7000-8000-' || (100000000000 + k))::uuid, v.plan_id, v.id, 'ACTIVE', 'user' || k || '-' || n,
    current_date - 10, now() - interval '10 days', now() - interval '10 days', now() + interval '20 days',
    now() + interval '20 days', v.id, now() + interval '20 days', now() + interval '20 days', current_date + 20, now()
FROM generate_series(1, 200) AS k, generate_series(1, 2) AS n,
    LATERAL (SELECT pv.id, pv.plan_id FROM plan_version pv ORDER BY pv.created_at, pv.id LIMIT 1) AS v
WHERE n = 1 OR k % 3 = 0;

INSERT INTO invoice (id, number, status, subscriber_id, issued_on, due_on, currency, subtotal, discount, tax_total, rounding,
    total, created_at)
SELECT ('01900003-0000-7000-8000-' || (100000000000 + k))::uuid, 'B/' || k, 'ISSUED',
    ('01900001-0000-7000-8000-' || (100000000000 + k))::uuid, current_date, current_date + 15, 'INR', 100000000, 0, 0, 0,
    100000000, now()
FROM generate_series(1, 200) AS k;

INSERT INTO ledger_account (id, kind, subscriber_id, currency, debit_total, credit_total)
SELECT ('01900004-0000-7000-8000-' || (100000000000 + k))::uuid, 'RECEIVABLE',
    ('01900001-0000-7000-8000-' || (100000000000 + k))::uuid, 'INR', 100000000, 0
FROM generate_series(1, 200) AS k;

INSERT INTO ledger_account (id, kind, subscriber_id, currency, debit_total, credit_total)
SELECT ('01900005-0000-7000-8000-' || (100000000000 + k))::uuid, 'SUBSCRIBER_CREDIT',
    ('01900001-0000-7000-8000-' || (100000000000 + k))::uuid, 'INR', 0, 250
FROM generate_series(1, 200) AS k WHERE k % 4 = 0;

INSERT INTO ledger_account (id, kind, detail, currency) VALUES ('01900006-0000-7000-8000-100000000000', 'CASH', 'CASH', 'INR');
