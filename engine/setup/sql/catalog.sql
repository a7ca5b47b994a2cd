WITH RECURSIVE rel AS (
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident, c.relispartition,
           c.relrowsecurity, c.relforcerowsecurity
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'f') AND c.oid >= 16384
       AND (n.nspname NOT IN ('synapse', 'information_schema') AND n.nspname !~ '^pg_'
            OR n.nspname = 'synapse' AND c.relname IN ('policies', 'displaced', 'rivals'))
), base(domain, oid, constrained) AS (
    SELECT t.oid, t.oid, false FROM pg_type t WHERE t.typtype <> 'd'
    UNION ALL
    SELECT t.oid, b.oid, true FROM pg_type t JOIN base b ON b.domain = t.typbasetype WHERE t.typtype = 'd'
), cols AS (
    SELECT a.attrelid, json_agg(json_build_object(
               'name', a.attname,
               'attnum', a.attnum,
               'type_name', format_type(a.atttypid, a.atttypmod),
               'type_oid', a.atttypid::bigint,
               'type_kind', CASE t.typtype WHEN 'b' THEN 'base' WHEN 'c' THEN 'composite' WHEN 'd' THEN 'domain'
                                 WHEN 'e' THEN 'enum' WHEN 'r' THEN 'range' WHEN 'm' THEN 'multirange' ELSE 'pseudo' END,
               'type_category', t.typcategory,
               'base', json_build_object(
                   'name', format_type(u.oid, NULL),
                   'oid', u.oid::bigint,
                   'kind', CASE u.typtype WHEN 'b' THEN 'base' WHEN 'c' THEN 'composite' WHEN 'e' THEN 'enum'
                                WHEN 'r' THEN 'range' WHEN 'm' THEN 'multirange' ELSE 'pseudo' END,
                   'category', u.typcategory,
                   'element_oid', CASE WHEN u.typcategory = 'A' AND u.typlen = -1 AND u.typelem <> 0 THEN u.typelem::bigint END,
                   'element_name', CASE WHEN u.typcategory = 'A' AND u.typlen = -1 AND u.typelem <> 0
                                        THEN format_type(u.typelem, NULL) END),
               'not_null', a.attnotnull,
               'generated', CASE a.attgenerated WHEN 's' THEN 'stored' WHEN 'v' THEN 'virtual' ELSE 'no' END,
               'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by_default' ELSE 'no' END,
               'deterministic', coalesce(l.collisdeterministic, true),
               'toastable', a.attlen = -1 AND a.attstorage <> 'p') ORDER BY a.attnum) AS columns
      FROM rel
      JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_type t ON t.oid = a.atttypid
      JOIN base b ON b.domain = t.oid
      JOIN pg_type u ON u.oid = b.oid
      LEFT JOIN pg_collation l ON l.oid = a.attcollation
     GROUP BY a.attrelid
), keys AS (
    SELECT i.indrelid, i.indisprimary, i.indisreplident, i.indisexclusion, x.relname AS index,
           json_build_object('name', x.relname, 'columns', k.columns, 'deferrable', NOT i.indimmediate) AS key,
           json_build_object('name', x.relname, 'columns', k.columns, 'deferrable', NOT i.indimmediate,
               'expressions', i.indexprs IS NOT NULL,
               'predicate', pg_get_expr(i.indpred, i.indrelid),
               'nulls_distinct', NOT coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)) AS unique_index,
           json_build_object('name', x.relname, 'columns', k.columns, 'deferrable', NOT i.indimmediate,
               'definition', (SELECT pg_get_constraintdef(o.oid) FROM pg_constraint o
                               WHERE o.conindid = i.indexrelid AND o.conrelid = i.indrelid AND o.contype = 'x' LIMIT 1)) AS exclusion,
           i.indisunique
      FROM rel
      JOIN pg_index i ON i.indrelid = rel.oid AND i.indisvalid
      JOIN pg_class x ON x.oid = i.indexrelid
      CROSS JOIN LATERAL (
          SELECT coalesce(json_agg(a.attname ORDER BY p.position), '[]') AS columns
            FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS p(attnum, position)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = p.attnum
           WHERE p.position <= i.indnkeyatts) k
     WHERE i.indisunique OR i.indisexclusion
), key_lists AS (
    SELECT indrelid,
           (json_agg(key) FILTER (WHERE indisprimary)) -> 0 AS primary_key,
           (json_agg(key) FILTER (WHERE indisreplident)) -> 0 AS identity_index,
           json_agg(unique_index ORDER BY index) FILTER (WHERE indisunique AND NOT indisprimary AND NOT indisexclusion) AS unique_indexes,
           json_agg(exclusion ORDER BY index) FILTER (WHERE indisexclusion) AS exclusions
      FROM keys GROUP BY indrelid
), links AS (
    SELECT rel.oid, bool_or(o.conrelid = rel.oid) AS foreign_keys, bool_or(o.confrelid = rel.oid) AS referenced
      FROM rel JOIN pg_constraint o ON o.contype = 'f' AND (o.conrelid = rel.oid OR o.confrelid = rel.oid)
     GROUP BY rel.oid
), firing AS (
    SELECT tgrelid, json_agg(tgname ORDER BY tgname) AS triggers
      FROM pg_trigger WHERE tgenabled IN ('A', 'R') AND NOT tgisinternal GROUP BY tgrelid
)
SELECT json_build_object(
           'oid', rel.oid::bigint, 'schema', rel.nspname, 'name', rel.relname,
           'kind', CASE WHEN rel.relispartition THEN 'partition' ELSE 'ordinary' END,
           'replica_identity', CASE rel.relreplident WHEN 'f' THEN 'full' WHEN 'n' THEN 'nothing'
                                    WHEN 'i' THEN 'index' ELSE 'default' END,
           'columns', coalesce(cols.columns, '[]'),
           'primary_key', k.primary_key, 'identity_index', k.identity_index,
           'unique_indexes', coalesce(k.unique_indexes, '[]'), 'exclusions', coalesce(k.exclusions, '[]'),
           'foreign_keys', coalesce(links.foreign_keys, false), 'referenced', coalesce(links.referenced, false),
           'apply_triggers', coalesce(firing.triggers, '[]'),
           'row_security', CASE WHEN rel.relrowsecurity AND rel.relforcerowsecurity THEN 'forced'
                                WHEN rel.relrowsecurity THEN 'on' ELSE 'off' END)::text AS body,
       CASE WHEN rel.relkind = 'p' THEN 'partitioned'
            WHEN rel.relkind = 'f' AND rel.relispartition THEN 'foreign_partition'
            WHEN rel.relkind = 'f' THEN 'foreign'
            WHEN rel.relpersistence = 'u' THEN 'unlogged'
            WHEN rel.relpersistence = 't' THEN 'temporary'
            ELSE 'replicated' END AS standing
  FROM rel
  LEFT JOIN cols ON cols.attrelid = rel.oid
  LEFT JOIN key_lists k ON k.indrelid = rel.oid
  LEFT JOIN links ON links.oid = rel.oid
  LEFT JOIN firing ON firing.tgrelid = rel.oid
 ORDER BY rel.nspname, rel.relname
