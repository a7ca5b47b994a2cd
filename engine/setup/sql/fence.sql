-- What the fence of a node that is being filled from another one calls.
CREATE OR REPLACE FUNCTION synapse.refuse_write() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'this node is being filled from another one, and takes no writes yet'
        USING ERRCODE = 'read_only_sql_transaction', HINT = 'synapsectl status shows how far it is';
END $$;

REVOKE ALL ON FUNCTION synapse.refuse_write() FROM PUBLIC;
