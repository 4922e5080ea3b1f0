-- Everything that a schema ($1) consists of, a line each: kind, name, definition. $2 begins the names of the
-- installation's roles. Run with search_path = pg_catalog, so that names come out qualified.
-- Monthly partitions come and go: they are shown without their month, so that each stands for all.
WITH n AS (
    SELECT oid, nspowner, nspacl FROM pg_namespace WHERE nspname = $1
), rel AS (
    SELECT c.* FROM pg_class c JOIN n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
), acl AS (
    SELECT 'schema' AS thing, n.nspowner AS owner, n.nspacl AS acl, acldefault('n', n.nspowner) AS usual FROM n
    UNION ALL
    SELECT 'on ' || relname, relowner, relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner) FROM rel
    UNION ALL
    SELECT 'on ' || rel.relname || '.' || a.attname, rel.relowner, a.attacl, acldefault('c', rel.relowner)
    FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE a.attacl IS NOT NULL
    UNION ALL
    SELECT 'on ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', p.proowner, p.proacl,
        acldefault('f', p.proowner) FROM pg_proc p JOIN n ON n.oid = p.pronamespace
), lines (kind, name, definition) AS (
    SELECT 'schema', 'owner', pg_get_userbyid(nspowner)::text FROM n
    UNION ALL
    SELECT 'role', 'attributes', concat_ws(' ', CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolinherit THEN 'INHERIT' END,
        CASE WHEN rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END,
        CASE WHEN rolcanlogin THEN 'LOGIN' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END, rolconfig::text)
    FROM pg_roles WHERE rolname = $1
    UNION ALL
    SELECT 'role', 'member of ' || g.rolname, '' FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
        JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = $1
    UNION ALL
    SELECT 'role', 'taken by ' || r.rolname, '' FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
        JOIN pg_roles r ON r.oid = m.member WHERE g.rolname = $1 AND r.rolname NOT LIKE replace($2, '_', '\_') || 'cell\_%'
    UNION ALL
    SELECT CASE relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'table' END,
        relname, concat_ws(' ', relkind::text, relpersistence::text, pg_get_userbyid(relowner),
        CASE WHEN relrowsecurity THEN 'ROW LEVEL SECURITY' END, CASE WHEN relforcerowsecurity THEN 'FORCED' END,
        CASE relkind WHEN 'p' THEN pg_get_partkeydef(oid) WHEN 'v' THEN pg_get_viewdef(oid) WHEN 'm' THEN pg_get_viewdef(oid) END,
        reloptions::text) FROM rel
    UNION ALL
    SELECT 'column', rel.relname || '.' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
        CASE WHEN a.attnotnull THEN 'NOT NULL' END,
        CASE WHEN a.attcollation <> t.typcollation THEN 'COLLATE ' || a.attcollation::regcollation END,
        CASE WHEN a.attidentity <> '' THEN 'IDENTITY ' || a.attidentity::text END,
        CASE WHEN a.attgenerated <> '' THEN 'GENERATED' END, 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid))
    FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped AND rel.relkind <> 'S'
        JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = rel.oid AND d.adnum = a.attnum
    UNION ALL
    SELECT 'constraint', rel.relname || ': ' || c.conname, pg_get_constraintdef(c.oid)
    FROM pg_constraint c JOIN rel ON rel.oid = c.conrelid
    UNION ALL
    SELECT 'index', i.relname, concat_ws(' ', pg_get_indexdef(x.indexrelid), CASE WHEN NOT x.indisvalid THEN 'INVALID' END)
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN rel ON rel.oid = x.indrelid
    UNION ALL
    SELECT 'policy', rel.relname || ': ' || p.polname, concat_ws(' ', p.polcmd::text, CASE WHEN NOT p.polpermissive THEN 'RESTRICTIVE' END,
        'TO ' || (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r)::text END, ', ') FROM unnest(p.polroles) r),
        'USING ' || pg_get_expr(p.polqual, p.polrelid), 'CHECK ' || pg_get_expr(p.polwithcheck, p.polrelid))
    FROM pg_policy p JOIN rel ON rel.oid = p.polrelid
    UNION ALL
    SELECT 'trigger', rel.relname || ': ' || t.tgname, pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
    FROM pg_trigger t JOIN rel ON rel.oid = t.tgrelid WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 'rule', rel.relname || ': ' || r.rulename, pg_get_ruledef(r.oid)
    FROM pg_rewrite r JOIN rel ON rel.oid = r.ev_class WHERE rel.relkind IN ('r', 'p')
    UNION ALL
    SELECT 'function', p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
        concat_ws(' ', pg_get_userbyid(p.proowner), l.lanname, CASE WHEN p.prosecdef THEN 'SECURITY DEFINER' END, p.proconfig::text,
        'md5 ' || CASE WHEN p.prokind IN ('f', 'p') THEN md5(replace(replace(pg_get_functiondef(p.oid), $1, ''), $2, '')) END)
    FROM pg_proc p JOIN n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
    UNION ALL
    SELECT 'type', t.typname, t.typtype::text FROM pg_type t JOIN n ON n.oid = t.typnamespace
    WHERE t.typtype IN ('e', 'd', 'r', 'm') OR (t.typtype = 'c' AND NOT EXISTS (SELECT FROM rel WHERE rel.oid = t.typrelid))
    UNION ALL
    SELECT 'grant', thing || ' to ' || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee)::text END,
        string_agg(privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, ', ' ORDER BY privilege_type)
    FROM acl CROSS JOIN LATERAL aclexplode(coalesce(acl.acl, acl.usual)) GROUP BY thing, grantee
)
SELECT DISTINCT kind,
    regexp_replace(replace(replace(replace(name, $1 || '.', ''), $1, '{{schema}}'), $2, 'tl_'), '_20\d{4}', '_month', 'g'),
    regexp_replace(replace(replace(replace(definition, $1 || '.', ''), $1, '{{schema}}'), $2, 'tl_'), '_20\d{4}', '_month', 'g')
FROM lines
