-- One pass over everything that wants a change. What somebody else holds locked is 'busy' and left for the next pass;
-- a pass never waits longer than the caller's lock_timeout for one object.
CREATE OR REPLACE FUNCTION synapse.sweep(p_release boolean)
RETURNS TABLE (object text, kind text, outcome text, detail text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_item record;
BEGIN
    PERFORM set_config('synapse.adopting', 'on', true);
    DELETE FROM synapse.identities t WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.relation AND c.relkind = 'r');
    DELETE FROM synapse.sequences t WHERE NOT EXISTS (SELECT FROM pg_sequence s WHERE s.seqrelid = t.sequence);
    FOR v_item IN
        SELECT t.oid, 'table' AS kind FROM synapse.tables_to_adopt() AS t(oid) WHERE NOT p_release
        UNION ALL SELECT s.seqrelid, 'sequence' FROM pg_sequence s WHERE NOT p_release AND s.seqrelid >= 16384
        UNION ALL SELECT i.relation, 'table' FROM synapse.identities i WHERE p_release
        UNION ALL SELECT q.sequence, 'sequence' FROM synapse.sequences q WHERE p_release
        ORDER BY 2 DESC, 1
    LOOP
        object := v_item.oid::regclass::text;
        kind := v_item.kind;
        detail := NULL;
        BEGIN
            outcome := CASE
                WHEN p_release AND kind = 'table' THEN synapse.release_table(v_item.oid)
                WHEN p_release THEN synapse.release_sequence(v_item.oid)
                WHEN kind = 'table' THEN synapse.adopt_table(v_item.oid)
                ELSE synapse.adopt_sequence(v_item.oid) END;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected OR object_in_use THEN
                outcome := 'busy';
                detail := SQLERRM;
            WHEN undefined_table OR undefined_object THEN
                outcome := NULL; -- dropped meanwhile
            WHEN OTHERS THEN
                outcome := 'failed';
                detail := SQLERRM;
        END;
        IF outcome IS NOT NULL THEN
            RETURN NEXT;
        END IF;
    END LOOP;
    PERFORM set_config('synapse.adopting', 'off', true);
END $$;
