-- Read models. Every build of a projection has a schema of its own (read_<projection>_<build>);
-- the views in schema "read" show the build in service, and switch in one transaction.
do $$
declare
    role_name text;
begin
    foreach role_name in array array['orgledger_projector', 'orgledger_reader'] loop
        begin
            execute format('create role %I nologin', role_name);
        exception when duplicate_object or unique_violation then
            null;
        end;
        -- From Postgres 16 on, who makes a role is not thereby a member of it.
        begin
            execute format('grant %I to current_user', role_name);
        exception when insufficient_privilege or unique_violation or invalid_grant_operation then
            null;
        end;
    end loop;
end $$;

create schema read;
grant usage on schema read to orgledger_projector, orgledger_reader;

create table read.builds (
    build bigint primary key generated always as identity,
    projection text not null,
    version integer not null,
    -- building: filling beside the one in service; serving: what the views show; retired: replaced.
    state text not null check (state in ('building', 'serving', 'retired')),
    -- Every event up to here is in its tables: written in the same transaction as they are.
    position bigint not null default 0,
    -- When the log learned of the event at that position.
    recorded_at timestamptz,
    -- Where the JetStream feed was, for a build that is fed by it: a hint, verified when used.
    stream_sequence bigint
) with (fillfactor = 50);
create unique index one_serving on read.builds (projection) where state = 'serving';
create unique index one_building on read.builds (projection) where state = 'building';
grant select on read.builds to orgledger_reader;
grant select, insert, update on read.builds to orgledger_projector;
grant usage, create on schema read to orgledger_projector;
do $$
begin
    execute format('grant create on database %I to orgledger_projector', current_database());
end $$;
