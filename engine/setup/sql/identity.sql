-- PostgreSQL refuses an application's UPDATE and DELETE on a published table that has no usable replica identity
-- (CheckCmdReplicaIdentity in execReplication.c). Such a table gets one, in the transaction that made it so.

CREATE OR REPLACE FUNCTION synapse.is_local_schema(p_schema name) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT p_schema IN ('synapse', 'information_schema') OR p_schema ~ '^pg_' $$;

-- Gives a table the replica identity it needs; answers what was done, or null when nothing had to be.
CREATE OR REPLACE FUNCTION synapse.adopt_table(p_table oid) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now   "char";
    v_key   boolean;
    v_index boolean;
    v_noted synapse.identities;
    v_base  "char";
    v_want  "char";
BEGIN
    SELECT c.relreplident,
           EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate),
           EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid AND i.indimmediate)
      INTO v_now, v_key, v_index
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = p_table AND c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384
       AND NOT synapse.is_local_schema(n.nspname);
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;

    SELECT * INTO v_noted FROM synapse.identities WHERE relation = p_table;
    IF FOUND AND v_noted.ours <> v_now THEN
        -- Its owner has chosen since: that choice is the original now.
        DELETE FROM synapse.identities WHERE relation = p_table;
        v_noted := NULL;
    END IF;

    v_base := coalesce(v_noted.original, v_now);
    v_want := CASE
        WHEN v_base = 'f' OR v_base = 'd' AND v_key OR v_base = 'i' AND v_now = 'i' AND v_index THEN v_base
        WHEN v_key THEN 'd'
        ELSE 'f' END;
    IF v_want <> v_now THEN
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY %s', p_table::regclass,
                       CASE v_want WHEN 'f' THEN 'FULL' ELSE 'DEFAULT' END);
    END IF;
    IF v_want = v_base THEN
        DELETE FROM synapse.identities WHERE relation = p_table;
    ELSE
        INSERT INTO synapse.identities (relation, original, ours) VALUES (p_table, v_base, v_want)
        ON CONFLICT (relation) DO UPDATE SET original = excluded.original, ours = excluded.ours;
    END IF;
    RETURN CASE WHEN v_want = v_now THEN NULL WHEN v_want = 'f' THEN 'full' ELSE 'default' END;
END $$;

-- Gives a table back the identity it had before us.
CREATE OR REPLACE FUNCTION synapse.release_table(p_table oid) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_noted synapse.identities;
BEGIN
    SELECT * INTO v_noted FROM synapse.identities WHERE relation = p_table;
    IF EXISTS (SELECT FROM pg_class WHERE oid = p_table AND relreplident = v_noted.ours) THEN
        -- An index identity whose index is gone comes back as the default: it identified nothing.
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY %s', p_table::regclass,
                       CASE v_noted.original WHEN 'n' THEN 'NOTHING' WHEN 'f' THEN 'FULL' ELSE 'DEFAULT' END);
    END IF;
    DELETE FROM synapse.identities WHERE relation = p_table;
    RETURN 'released';
END $$;

-- Tables that may need adopt_table: those we changed, and those without a usable identity.
CREATE OR REPLACE FUNCTION synapse.tables_to_adopt() RETURNS SETOF oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384 AND NOT synapse.is_local_schema(n.nspname)
       AND (EXISTS (SELECT FROM synapse.identities t WHERE t.relation = c.oid)
            OR c.relreplident <> 'f' AND NOT EXISTS (
                SELECT FROM pg_index i
                 WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
                   AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END))
     ORDER BY c.oid
$$;
