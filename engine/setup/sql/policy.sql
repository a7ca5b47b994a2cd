-- Setting a conflict policy from SQL. A function cannot wait for its own commit, so the request goes to the daemon in a
-- message that does not belong to the transaction, and the answer comes back in a row that the daemon commits.
--
-- Anybody may write such messages. What is believed is what the database says: the sequence below, which nobody but
-- synapse.set_conflict_policy sets and whose value is seen at once, holds the digest of the request that is waited for,
-- and the session that waits holds a lock on synapse.answer: one at a time.
CREATE SEQUENCE IF NOT EXISTS synapse.request MINVALUE 0 START 0;

-- What came of the last request: taken up, and later either what was done or why not.
CREATE UNLOGGED TABLE IF NOT EXISTS synapse.answer (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    request  text    NOT NULL,
    done     text,
    error    text,
    hint     text,
    code     text
);

CREATE OR REPLACE FUNCTION synapse.request_digest(p_request text) RETURNS bigint
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT ('x' || left(encode(sha256(convert_to(p_request, 'UTF8')), 'hex'), 16))::bit(64)::bigint & 9223372036854775807 $$;

-- Whether a session waits for the answer to exactly this request: asked by the daemon.
CREATE OR REPLACE FUNCTION synapse.request_waits(p_request text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM synapse.request r WHERE r.last_value = synapse.request_digest(p_request)) THEN
        RETURN false;
    END IF;
    RETURN EXISTS (
        SELECT FROM pg_locks l
         WHERE l.locktype = 'relation' AND l.relation = 'synapse.answer'::regclass
           AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
           AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted AND l.pid = (p_request::jsonb ->> 'pid')::integer);
END $$;

-- The daemon sees what is flushed, and on an idle server nothing flushes a message that no commit follows for up to
-- fifteen seconds. PostgreSQL 17 flushes it itself, 16 has a call that wakes the walwriter, and before it the end of a
-- segment is what is left.
CREATE OR REPLACE FUNCTION synapse.flush_wal() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('server_version_num')::integer >= 160000 THEN
        EXECUTE 'SELECT pg_log_standby_snapshot()';
    ELSE
        PERFORM pg_switch_wal();
    END IF;
END $$;

CREATE OR REPLACE FUNCTION synapse.emit_request(p_request text) RETURNS pg_lsn
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_lsn pg_lsn;
BEGIN
    EXECUTE format('SELECT pg_logical_emit_message(false, ''synapse-request'', $1%s)',
                   CASE WHEN current_setting('server_version_num')::integer >= 170000 THEN ', true' END)
       INTO v_lsn USING convert_to(p_request, 'UTF8');
    RETURN v_lsn;
END $$;

CREATE OR REPLACE FUNCTION synapse.set_conflict_policy("table" regclass, policy text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
    v_table   regclass := "table";
    v_id      text := gen_random_uuid();
    -- Who asks: here current_user is the owner of the function.
    v_role    name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
    v_begun   timestamptz;
    v_emitted timestamptz;
    v_lsn     pg_lsn;
    v_pushed  boolean;
    v_schema  name;
    v_name    name;
    v_owner   oid;
    v_request text;
    v_answer  synapse.answer;
BEGIN
    IF v_table IS NULL OR policy IS NULL THEN
        RAISE EXCEPTION 'a table and a policy are expected, and one of them is null'
            USING ERRCODE = 'null_value_not_allowed';
    END IF;
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'a conflict policy cannot be set in a % transaction, which does not see the answer',
                        upper(current_setting('transaction_isolation'))
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Call it in a READ COMMITTED transaction.';
    END IF;
    IF current_setting('transaction_read_only')::boolean THEN
        RAISE EXCEPTION 'a conflict policy cannot be set in a read-only transaction'
            USING ERRCODE = 'read_only_sql_transaction';
    END IF;
    SELECT n.nspname, c.relname, c.relowner INTO v_schema, v_name, v_owner
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = v_table;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no table with the number %', v_table::oid USING ERRCODE = 'undefined_table';
    END IF;
    IF NOT pg_has_role(v_role, v_owner, 'USAGE') THEN
        RAISE EXCEPTION 'role % must own table %.% to set its conflict policy', v_role, v_schema, v_name
            USING ERRCODE = 'insufficient_privilege';
    END IF;

    BEGIN
        LOCK TABLE synapse.answer IN SHARE UPDATE EXCLUSIVE MODE;
    EXCEPTION WHEN lock_not_available THEN
        RAISE EXCEPTION 'another transaction is setting a conflict policy on this node'
            USING ERRCODE = 'lock_not_available', HINT = 'One at a time: say it again when that one has ended.';
    END;
    v_request := jsonb_build_object('id', v_id, 'pid', pg_backend_pid(), 'role', v_role,
                                    'schema', v_schema, 'table', v_name, 'policy', policy);
    PERFORM setval('synapse.request', synapse.request_digest(v_request));
    v_begun := clock_timestamp();
    LOOP
        -- A daemon that was starting anew may not have read the last one.
        IF v_answer.request IS NULL AND (v_emitted IS NULL OR clock_timestamp() > v_emitted + interval '5 s') THEN
            v_lsn := synapse.emit_request(v_request);
            v_emitted := clock_timestamp();
            v_pushed := false;
        END IF;
        PERFORM pg_sleep(0.02);
        SELECT * INTO v_answer FROM synapse.answer WHERE request = v_id;
        EXIT WHEN v_answer.done IS NOT NULL OR v_answer.error IS NOT NULL;
        IF v_answer.request IS NOT NULL THEN
            IF clock_timestamp() > v_begun + interval '90 s' THEN
                PERFORM setval('synapse.request', 0);
                RAISE EXCEPTION 'synapsed has taken up the request, and has not answered within 90 s: the policy may be set, or not'
                    USING ERRCODE = 'connection_exception', HINT = '`synapsectl table list` shows which policy is in force.';
            END IF;
        ELSIF clock_timestamp() > v_begun + interval '20 s' THEN
            -- First withdrawn, then looked at once more: the daemon looks the other way round.
            PERFORM setval('synapse.request', 0);
            SELECT * INTO v_answer FROM synapse.answer WHERE request = v_id;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'synapsed has not taken up the request within 20 s: nothing has changed, on no node'
                    USING ERRCODE = 'connection_exception',
                          HINT = 'Is synapsed of this node running? `synapsectl status` shows how far it has read.';
            END IF;
        ELSIF NOT v_pushed AND clock_timestamp() > v_emitted + interval '200 ms' AND pg_current_wal_flush_lsn() < v_lsn THEN
            PERFORM synapse.flush_wal();
            v_pushed := true;
        END IF;
    END LOOP;
    PERFORM setval('synapse.request', 0);
    IF v_answer.error IS NOT NULL THEN
        IF v_answer.hint IS NULL THEN
            RAISE EXCEPTION '%', v_answer.error USING ERRCODE = v_answer.code;
        END IF;
        RAISE EXCEPTION '%', v_answer.error USING ERRCODE = v_answer.code, HINT = v_answer.hint;
    END IF;
    RETURN v_answer.done;
END $$;

COMMENT ON FUNCTION synapse.set_conflict_policy(regclass, text) IS
    'SynapseDB: sets how conflicts over a table''s rows are decided, on all nodes at once';
REVOKE ALL ON FUNCTION synapse.request_digest(text), synapse.request_waits(text), synapse.flush_wal(),
    synapse.emit_request(text) FROM PUBLIC;
GRANT USAGE ON SCHEMA synapse TO PUBLIC;
GRANT EXECUTE ON FUNCTION synapse.set_conflict_policy(regclass, text) TO PUBLIC;
