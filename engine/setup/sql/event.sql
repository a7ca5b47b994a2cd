-- New tables and sequences are made fit in the transaction that creates them. Whatever goes wrong here is a warning:
-- the application's statement never fails because of us.
CREATE OR REPLACE FUNCTION synapse.on_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '3s'
AS $$
DECLARE
    v_object oid;
BEGIN
    IF current_setting('synapse.adopting', true) = 'on' THEN
        RETURN;
    END IF;
    BEGIN
        PERFORM set_config('synapse.adopting', 'on', true);
        IF tg_tag LIKE 'DROP %' THEN
            -- A dropped index, type or domain may have been part of a key.
            PERFORM synapse.adopt_table(t.oid) FROM synapse.tables_to_adopt() AS t(oid);
        ELSE
            FOR v_object IN
                WITH RECURSIVE touched(oid) AS (
                    SELECT objid FROM pg_event_trigger_ddl_commands() WHERE classid = 'pg_class'::regclass
                    UNION SELECT h.inhrelid FROM pg_inherits h JOIN touched t ON t.oid = h.inhparent)
                SELECT oid FROM touched
                UNION SELECT d.objid FROM pg_depend d JOIN touched t ON t.oid = d.refobjid
                 WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
            LOOP
                PERFORM synapse.adopt_table(v_object), synapse.adopt_sequence(v_object);
            END LOOP;
        END IF;
        PERFORM set_config('synapse.adopting', 'off', true);
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'synapse: % left a table or sequence unfit for replication: %', tg_tag, SQLERRM
            USING HINT = 'synapsed mends it at its next start.';
    END;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA synapse FROM PUBLIC;

DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtname = 'synapse') THEN
        CREATE EVENT TRIGGER synapse ON ddl_command_end
            WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE SCHEMA',
                         'CREATE SEQUENCE', 'ALTER SEQUENCE', 'CREATE FOREIGN TABLE', 'DROP INDEX', 'DROP TYPE',
                         'DROP DOMAIN', 'DROP SCHEMA', 'DROP EXTENSION', 'DROP OWNED')
            EXECUTE FUNCTION synapse.on_ddl();
        -- Also in sessions whose session_replication_role is replica.
        ALTER EVENT TRIGGER synapse ENABLE ALWAYS;
    END IF;
END $$;
