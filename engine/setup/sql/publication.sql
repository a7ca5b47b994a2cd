DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = 'synapse') THEN
        CREATE PUBLICATION synapse FOR ALL TABLES
            WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = false);
    ELSIF EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = 'synapse'
                     AND NOT (pubinsert AND pubupdate AND pubdelete AND pubtruncate AND NOT pubviaroot)) THEN
        ALTER PUBLICATION synapse
            SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = false);
    END IF;
END $$;
