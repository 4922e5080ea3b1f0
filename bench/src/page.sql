SELECT json_build_object('nodes', coalesce(json_agg(json_build_object(
    'id', 'subscriber_' || replace(s.id::text, '-', ''), 'accountNumber', s.account_number, 'name', s.name, 'status', s.status,
    'services', json_build_object('nodes', (
        SELECT coalesce(json_agg(json_build_object('id', 'service_' || replace(v.id::text, '-', ''), 'username', v.username,
            'status', v.status, 'paidUntil', v.paid_until) ORDER BY v.id), '[]')
        FROM (SELECT v.id, v.username, v.status, v.paid_until FROM service v WHERE v.subscriber_id = s.id ORDER BY v.id LIMIT 10) AS v)),
    'balance', (
        SELECT json_build_object('amount', coalesce(sum(a.debit_total - a.credit_total), 0)::numeric(19,2)::text, 'currency', 'INR')
        FROM ledger_account a
        WHERE a.subscriber_id = s.id AND a.kind IN ('RECEIVABLE', 'SUBSCRIBER_CREDIT') AND a.currency = 'INR'))
    ORDER BY s.created_at, s.id), '[]'))
FROM (SELECT s.id, s.account_number, s.name, s.status, s.created_at FROM subscriber s ORDER BY s.created_at, s.id LIMIT 50) AS s;
