SELECT current_setting('server_version_num')::int AS version,
       current_setting('wal_level') AS wal_level,
       current_setting('track_commit_timestamp') AS track_commit_timestamp,
       current_setting('fsync') AS fsync,
       current_setting('full_page_writes') AS full_page_writes,
       current_setting('server_encoding') AS encoding,
       coalesce(current_setting('idle_replication_slot_timeout', true), '0') AS idle_slot_timeout,
       current_setting('max_slot_wal_keep_size') AS slot_keep_size,
       (SELECT array_agg(name::text) FROM pg_settings WHERE pending_restart) AS pending,
       current_setting('max_replication_slots')::int AS slots_max,
       (SELECT count(*)::int FROM pg_replication_slots WHERE slot_name <> $1) AS slots_used,
       current_setting('max_wal_senders')::int AS senders_max,
       (SELECT count(*)::int FROM pg_stat_replication r WHERE r.pid IS DISTINCT FROM
            (SELECT s.active_pid FROM pg_replication_slots s WHERE s.slot_name = $1)) AS senders_used,
       coalesce(current_setting('max_active_replication_origins', true),
                current_setting('max_replication_slots'))::int AS origins_max,
       current_setting('max_active_replication_origins', true) IS NOT NULL AS origins_apart,
       (SELECT count(*)::int FROM pg_replication_origin WHERE NOT starts_with(roname, 'synapse_')) AS origins_used,
       pg_is_in_recovery() AS standby,
       current_user::text AS role,
       current_database()::text AS database,
       r.rolsuper AS superuser,
       r.rolreplication AS replication,
       has_database_privilege(current_database(), 'CREATE') AS may_create,
       (SELECT array_agg(f.signature ORDER BY f.position) FROM unnest(ARRAY[
            'pg_replication_origin_create(text)', 'pg_replication_origin_drop(text)',
            'pg_replication_origin_oid(text)', 'pg_replication_origin_progress(text, boolean)',
            'pg_replication_origin_advance(text, pg_lsn)',
            'pg_replication_origin_session_setup(text)', 'pg_replication_origin_session_reset()',
            'pg_replication_origin_session_is_setup()', 'pg_replication_origin_session_progress(boolean)',
            'pg_replication_origin_xact_setup(pg_lsn, timestamp with time zone)', 'pg_replication_origin_xact_reset()',
            'pg_show_replication_origin_status()']) WITH ORDINALITY AS f(signature, position)
         WHERE NOT coalesce(has_function_privilege(to_regprocedure('pg_catalog.' || f.signature), 'EXECUTE'), true)
       ) AS denied_functions,
       EXISTS (SELECT FROM pg_publication WHERE pubname = 'synapse' AND puballtables) AS has_publication,
       EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'synapse') AS has_event_trigger
  FROM pg_roles r
 WHERE r.rolname = current_user
