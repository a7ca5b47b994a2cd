-- What a node keeps in its own database. None of it but the policies is replicated: capture leaves the schema out by name.
CREATE SCHEMA IF NOT EXISTS synapse;
COMMENT ON SCHEMA synapse IS 'SynapseDB: the state of this node; removed by synapsectl node detach';

CREATE TABLE IF NOT EXISTS synapse.node (
    only_row     boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    node         text        NOT NULL,
    cluster      text        NOT NULL,
    incarnation  bigint      NOT NULL,
    ordinal      integer     NOT NULL,
    max_nodes    integer     NOT NULL,
    system_id    bigint      NOT NULL,
    timeline     integer     NOT NULL,
    version      text        NOT NULL,
    installed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS synapse.skipped (
    origin     text        NOT NULL,
    lsn        pg_lsn      NOT NULL,
    reason     text        NOT NULL,
    changes    jsonb       NOT NULL,
    skipped_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (origin, lsn)
);

-- How conflicts are decided: what a table's policy is from an epoch on. The node whose name is first writes it, and all
-- replicate it, so that an epoch means the same everywhere.
CREATE TABLE IF NOT EXISTS synapse.policies (
    epoch       integer     PRIMARY KEY,
    schema_name text        NOT NULL,
    table_name  text        NOT NULL,
    policy      text        NOT NULL,
    set_at      timestamptz NOT NULL DEFAULT now()
);
-- What becomes of its rows that are left without what they refer to; null: as before.
ALTER TABLE synapse.policies ADD COLUMN IF NOT EXISTS foreign_keys text;

-- Rows that `synapsectl verify --repair` had this node repair, each noted in the transaction that repaired it.
CREATE TABLE IF NOT EXISTS synapse.repair_log (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name  text        NOT NULL,
    key         jsonb       NOT NULL,
    source      text        NOT NULL,
    before      jsonb       NOT NULL,
    after       jsonb,
    repaired_at timestamptz NOT NULL DEFAULT now(),
    repaired_by text        NOT NULL
);

-- Rows that went while others referred to them, as they were, and through which foreign key they are missed; the daemon
-- mends each by the table's policy. Without a foreign key: what a row that was kept beside it refers to in turn.
CREATE TABLE IF NOT EXISTS synapse.orphans (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kept_with    bigint      NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    schema_name  text        NOT NULL,
    table_name   text        NOT NULL,
    image        jsonb,
    child_schema text,
    child_table  text,
    foreign_key  text,
    refs         jsonb,
    gone_by      jsonb,
    kept_at      timestamptz NOT NULL DEFAULT now(),
    state        text        NOT NULL DEFAULT 'waiting',
    problem      text
);
-- Whether it went because another row displaced it: then it is in synapse.displaced, until it comes back or is given up.
ALTER TABLE synapse.orphans ADD COLUMN IF NOT EXISTS displaced boolean NOT NULL DEFAULT false;

-- Replica identities that we changed: what the table had, and what we gave it.
CREATE TABLE IF NOT EXISTS synapse.identities (
    relation regclass PRIMARY KEY,
    original "char"   NOT NULL,
    ours     "char"   NOT NULL
);

-- Sequences that we made disjoint: what their owner wrote, and what we made of it.
CREATE TABLE IF NOT EXISTS synapse.sequences (
    sequence      regclass PRIMARY KEY,
    increment     bigint   NOT NULL,
    start         bigint   NOT NULL,
    min           bigint   NOT NULL,
    max           bigint   NOT NULL,
    our_increment bigint   NOT NULL,
    our_start     bigint   NOT NULL,
    our_min       bigint   NOT NULL,
    our_max       bigint   NOT NULL
);

-- Origins are shared by all databases of a server: only those noted here are ours to drop.
CREATE TABLE IF NOT EXISTS synapse.origins (name text PRIMARY KEY);

-- Conflicts as they were decided here, for people to look at. An image is an object of texts as the server writes them, null
-- where there is no row, and a string that says so where it was too large.
CREATE TABLE IF NOT EXISTS synapse.conflict_log (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name   text        NOT NULL,
    key          jsonb       NOT NULL,
    kind         text        NOT NULL,
    policy       text        NOT NULL,
    local        jsonb,
    remote       jsonb,
    local_stamp  jsonb       NOT NULL,
    remote_stamp jsonb       NOT NULL,
    verdict      text        NOT NULL,
    resolved_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Rows that lost against rows that exclude them through a unique index or an exclusion constraint: they are in their table
-- on no node, and come back when what stands in their way goes. The applier of each node writes its own. row_id is the
-- hash of the key; the image is an object of all writable columns' texts as the server writes them; origin and hlc are
-- of the row's latest known write; rivals are the keys of the rows in the way, for people.
CREATE TABLE IF NOT EXISTS synapse.displaced (
    table_schema text        NOT NULL,
    table_name   text        NOT NULL,
    row_id       bytea       NOT NULL,
    key          jsonb       NOT NULL,
    image        jsonb       NOT NULL,
    origin       text        NOT NULL,
    hlc          bigint      NOT NULL,
    rivals       jsonb       NOT NULL,
    displaced_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (table_schema, table_name, row_id)
);
-- An application that deletes one gives the row up: the stream has to say which.
ALTER TABLE synapse.displaced REPLICA IDENTITY FULL;

-- Which rows stand in the way of a displaced one: their hashes and the texts of their keys, and their latest known writes as of when that was last
-- looked at.
CREATE TABLE IF NOT EXISTS synapse.rivals (
    table_schema text   NOT NULL,
    table_name   text   NOT NULL,
    row_id       bytea  NOT NULL,
    rival_id     bytea  NOT NULL,
    row_key      jsonb  NOT NULL,
    rival_key    jsonb  NOT NULL,
    origin       text   NOT NULL,
    hlc          bigint NOT NULL,
    PRIMARY KEY (table_schema, table_name, row_id, rival_id)
);
CREATE INDEX IF NOT EXISTS rivals_rival ON synapse.rivals (table_schema, table_name, rival_id);
