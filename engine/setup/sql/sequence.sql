-- The twin of stride.rs: a test holds the two together. Works in numeric, so that nothing overflows; a descending
-- sequence is computed as its mirror image.
CREATE OR REPLACE FUNCTION synapse.stride(
    p_increment bigint, p_start bigint, p_min bigint, p_max bigint, p_cycle boolean,
    p_last bigint, p_called boolean, p_ordinal integer, p_nodes integer,
    OUT outcome text, OUT increment bigint, OUT start bigint, OUT min bigint, OUT max bigint, OUT next bigint)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_sign   numeric := sign(p_increment::numeric);
    v_unit   numeric := abs(p_increment::numeric);
    v_step   numeric := v_unit * p_nodes;
    v_min    numeric := CASE WHEN v_sign > 0 THEN p_min ELSE -p_max::numeric END;
    v_max    numeric := CASE WHEN v_sign > 0 THEN p_max ELSE -p_min::numeric END;
    v_offset numeric := v_sign * p_start + v_unit * p_ordinal;
    v_floor  numeric := v_sign * p_last + CASE WHEN p_called THEN 1 ELSE 0 END;
    v_low    numeric := v_min + mod(mod(v_offset - v_min, v_step) + v_step, v_step);
    v_high   numeric := v_max - mod(mod(v_max - v_offset, v_step) + v_step, v_step);
    v_next   numeric := v_floor + mod(mod(v_offset - v_floor, v_step) + v_step, v_step);
    v_start  numeric;
BEGIN
    IF v_step > 9223372036854775807 THEN
        outcome := 'too_wide';
        RETURN;
    END IF;
    IF p_cycle AND v_low > v_max THEN
        outcome := 'too_narrow';
        RETURN;
    END IF;
    v_start := CASE WHEN v_offset <= v_max THEN v_offset WHEN v_low <= v_max THEN v_high ELSE v_sign * p_start END;
    IF v_next > v_max THEN
        v_next := CASE WHEN p_cycle THEN v_low END;
    END IF;
    outcome := CASE WHEN v_next IS NULL THEN 'exhausted' ELSE 'next' END;
    increment := v_sign * v_step;
    start := v_sign * v_start;
    min := CASE WHEN p_cycle AND v_sign > 0 THEN v_low ELSE p_min END;
    max := CASE WHEN p_cycle AND v_sign < 0 THEN -v_low ELSE p_max END;
    next := v_sign * v_next;
END $$;

-- Makes a sequence disjoint; answers what was done ('disjoint', 'exhausted', 'too_wide', 'too_narrow'), or null when
-- nothing had to be. What its owner has altered since counts as the new original.
CREATE OR REPLACE FUNCTION synapse.adopt_sequence(p_sequence oid) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_node    synapse.node;
    v_now     pg_sequence;
    v_noted   synapse.sequences;
    v_last    bigint;
    v_called  boolean;
    v_natural numeric;
    v_plan    record;
BEGIN
    SELECT * INTO v_node FROM synapse.node;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT s.* INTO v_now
      FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE s.seqrelid = p_sequence AND c.relpersistence = 'p' AND NOT synapse.is_local_schema(n.nspname);
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO v_noted FROM synapse.sequences WHERE sequence = p_sequence;
    v_noted.sequence  := p_sequence;
    v_noted.increment := CASE WHEN v_now.seqincrement = v_noted.our_increment THEN v_noted.increment ELSE v_now.seqincrement END;
    v_noted.start     := CASE WHEN v_now.seqstart = v_noted.our_start THEN v_noted.start ELSE v_now.seqstart END;
    v_noted.min       := CASE WHEN v_now.seqmin = v_noted.our_min THEN v_noted.min ELSE v_now.seqmin END;
    v_noted.max       := CASE WHEN v_now.seqmax = v_noted.our_max THEN v_noted.max ELSE v_now.seqmax END;

    FOR v_round IN 1..2 LOOP
        EXECUTE format('SELECT last_value, is_called FROM %s', p_sequence::regclass) INTO v_last, v_called;
        v_plan := synapse.stride(v_noted.increment, v_noted.start, v_noted.min, v_noted.max, v_now.seqcycle,
                                 v_last, v_called, v_node.ordinal, v_node.max_nodes);
        IF v_plan.outcome IN ('too_wide', 'too_narrow') THEN
            RETURN v_plan.outcome;
        END IF;
        IF v_round = 1 THEN
            v_natural := v_last::numeric + CASE WHEN v_called THEN v_plan.increment ELSE 0 END;
            IF v_natural > v_plan.max AND v_plan.increment > 0 THEN
                v_natural := CASE WHEN v_now.seqcycle THEN v_plan.min END;
            ELSIF v_natural < v_plan.min AND v_plan.increment < 0 THEN
                v_natural := CASE WHEN v_now.seqcycle THEN v_plan.max END;
            END IF;
            IF (v_now.seqincrement, v_now.seqstart, v_now.seqmin, v_now.seqmax)
                   = (v_plan.increment, v_plan.start, v_plan.min, v_plan.max)
               AND v_natural IS NOT DISTINCT FROM v_plan.next::numeric
               AND v_noted.our_increment = v_now.seqincrement THEN
                RETURN NULL;
            END IF;
            -- Takes the lock that nextval waits for, and makes sessions forget the values they hold in their cache.
            EXECUTE format('ALTER SEQUENCE %s INCREMENT BY %s', p_sequence::regclass, v_plan.increment);
        END IF;
    END LOOP;

    EXECUTE format('ALTER SEQUENCE %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s', p_sequence::regclass,
                   v_plan.increment, v_plan.min, v_plan.max, v_plan.start)
            || coalesce(' RESTART WITH ' || v_plan.next, '');
    IF v_plan.next IS NULL THEN
        PERFORM setval(p_sequence::regclass, v_last, true);
    END IF;
    INSERT INTO synapse.sequences
    VALUES (v_noted.sequence, v_noted.increment, v_noted.start, v_noted.min, v_noted.max,
            v_plan.increment, v_plan.start, v_plan.min, v_plan.max)
    ON CONFLICT (sequence) DO UPDATE SET
        increment = excluded.increment, start = excluded.start, min = excluded.min, max = excluded.max,
        our_increment = excluded.our_increment, our_start = excluded.our_start,
        our_min = excluded.our_min, our_max = excluded.our_max;
    RETURN CASE WHEN v_plan.next IS NULL THEN 'exhausted' ELSE 'disjoint' END;
END $$;

-- Gives a sequence back what its owner wrote. It stays where it is, or goes past the greatest value of the column that
-- it fills: that may have come from another node, with the stride that is now gone.
CREATE OR REPLACE FUNCTION synapse.release_sequence(p_sequence oid) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now    pg_sequence;
    v_noted  synapse.sequences;
    v_last   bigint;
    v_called boolean;
    v_owner  record;
    v_used   bigint;
BEGIN
    SELECT * INTO v_noted FROM synapse.sequences WHERE sequence = p_sequence;
    SELECT * INTO v_now FROM pg_sequence WHERE seqrelid = p_sequence;
    IF FOUND THEN
        EXECUTE format('ALTER SEQUENCE %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s', p_sequence::regclass,
            CASE WHEN v_now.seqincrement = v_noted.our_increment THEN v_noted.increment ELSE v_now.seqincrement END,
            CASE WHEN v_now.seqmin = v_noted.our_min THEN v_noted.min ELSE v_now.seqmin END,
            CASE WHEN v_now.seqmax = v_noted.our_max THEN v_noted.max ELSE v_now.seqmax END,
            CASE WHEN v_now.seqstart = v_noted.our_start THEN v_noted.start ELSE v_now.seqstart END);
        SELECT * INTO v_now FROM pg_sequence WHERE seqrelid = p_sequence;
        EXECUTE format('SELECT last_value, is_called FROM %s', p_sequence::regclass) INTO v_last, v_called;
        SELECT d.refobjid::regclass AS relation, a.attname AS name INTO v_owner
          FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
         WHERE d.classid = 'pg_class'::regclass AND d.objid = p_sequence AND d.refclassid = 'pg_class'::regclass
           AND d.deptype IN ('a', 'i') AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
           AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = d.refobjid AND i.indkey[0] = a.attnum
                          AND i.indisvalid AND i.indpred IS NULL);
        IF FOUND THEN
            EXECUTE format('SELECT %s(%I) FROM %s', CASE WHEN v_now.seqincrement > 0 THEN 'max' ELSE 'min' END,
                           v_owner.name, v_owner.relation) INTO v_used;
            v_used := least(greatest(v_used, v_now.seqmin), v_now.seqmax);
            IF NOT v_now.seqcycle
               AND (v_used >= v_last AND v_now.seqincrement > 0 OR v_used <= v_last AND v_now.seqincrement < 0) THEN
                v_last := v_used;
                v_called := true;
            END IF;
        END IF;
        PERFORM setval(p_sequence::regclass, v_last, v_called);
    END IF;
    DELETE FROM synapse.sequences WHERE sequence = p_sequence;
    RETURN 'released';
END $$;
