-- What was sealed: trees of hashes over the log, and the signatures of their roots. Unlike read models
-- it cannot be made again, since what was signed was signed at its time: back this schema up with the
-- log. See docs/adr/0023-the-log-is-sealed-in-two-trees.md.
create schema seal;
grant usage on schema seal to orgledger_projector, orgledger_reader, orgledger_operator;

-- One row: how far the log is sealed. Whoever seals holds its lock.
create table seal.state (
    only_row boolean primary key default true check (only_row),
    -- Which log: the name of the keys that sign. Null until it is sealed for the first time.
    origin text,
    -- Every entry of the log up to here is a leaf of its organization's tree.
    position bigint not null default 0,
    -- How many leaves the log's tree has.
    size bigint not null default 0
) with (fillfactor = 10);
insert into seal.state default values;

-- Where the tree of each organization stands; that of the nil id has what belongs to none.
create table seal.organizations (
    organization_id uuid primary key,
    -- What its name in the log's tree is salted with.
    salt bytea not null check (octet_length(salt) = 32),
    size bigint not null,
    -- The position of its last entry.
    position bigint not null,
    -- The last leaf of the log's tree that is about it, and how many leaves that says it has.
    head_index bigint,
    head_size bigint not null default 0
) with (fillfactor = 50);
create index organizations_unsealed on seal.organizations (organization_id) where size > head_size;

-- The trees of organizations in tiles: 256 hashes in a row, and those of level n over full tiles of
-- level n - 1. The last one of a level grows.
create table seal.tiles (
    organization_id uuid not null,
    level smallint not null,
    index bigint not null,
    hashes bytea not null,
    -- The position of each leaf's first entry; at level 0.
    positions bigint[],
    primary key (organization_id, level, index)
);
-- Which leaf a position is in.
create index tiles_position on seal.tiles (organization_id, (positions[1])) where level = 0;
-- The log's tree, likewise.
create table seal.log_tiles (
    level smallint not null,
    index bigint not null,
    hashes bytea not null,
    primary key (level, index)
);
-- Hashes do not compress.
alter table seal.tiles alter column hashes set storage external;
alter table seal.log_tiles alter column hashes set storage external;

-- The leaves of the log's tree: where an organization's tree stood.
create table seal.heads (
    index bigint primary key,
    organization_id uuid not null,
    size bigint not null,
    root bytea not null,
    previous bigint,
    position bigint not null,
    sealed_at timestamptz not null
);
create unique index heads_organization on seal.heads (organization_id, size);

-- What was signed, for ever.
create table seal.checkpoints (
    size bigint primary key,
    root bytea not null,
    -- Every entry of the log up to here is under it.
    position bigint not null,
    sealed_at timestamptz not null,
    note text not null
);
create index checkpoints_position on seal.checkpoints (position);

-- What witnesses said of checkpoints: a signature line each.
create table seal.cosignatures (
    size bigint not null references seal.checkpoints (size),
    witness text not null,
    line text not null,
    primary key (size, witness)
);

-- How far checkpoints were taken outside, by place.
create table seal.anchors (
    place text primary key,
    size bigint not null,
    anchored_at timestamptz not null
);

create trigger append_only before update or delete on seal.heads
    for each row execute function log.refuse_change();
create trigger no_truncate before truncate on seal.heads
    for each statement execute function log.refuse_change();
create trigger append_only before update or delete on seal.checkpoints
    for each row execute function log.refuse_change();
create trigger no_truncate before truncate on seal.checkpoints
    for each statement execute function log.refuse_change();
create trigger append_only before update or delete on seal.cosignatures
    for each row execute function log.refuse_change();
create trigger no_truncate before truncate on seal.cosignatures
    for each statement execute function log.refuse_change();

grant select, update on seal.state to orgledger_projector;
grant select, insert, update on seal.organizations, seal.tiles, seal.log_tiles, seal.anchors
    to orgledger_projector;
grant select, insert on seal.heads, seal.checkpoints, seal.cosignatures to orgledger_projector;
grant select on seal.organizations, seal.tiles, seal.log_tiles, seal.heads, seal.checkpoints, seal.cosignatures,
    seal.state to orgledger_reader, orgledger_operator;

-- An organization's tree is its own; the log's tree, whose leaves say nothing without a salt, and the
-- checkpoints are everybody's.
do $$
declare
    sealed regclass;
begin
    foreach sealed in array array['seal.organizations', 'seal.tiles', 'seal.heads']::regclass[] loop
        execute format('alter table %s enable row level security, force row level security', sealed);
        execute format('create policy projector on %s to orgledger_projector using (true)', sealed);
        execute format('create policy operator on %s for select to orgledger_operator using (true)', sealed);
        execute format(
            'create policy reader on %s for select to orgledger_reader using (organization_id = (
                 select nullif(current_setting(''orgledger.organization_id'', true), '''')::uuid))', sealed);
    end loop;
end $$;
