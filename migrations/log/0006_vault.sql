-- Keys of persons. What the log knows of a person is sealed with their key, and their key is wrapped by
-- a master key that is never in the database: neither the log nor this schema says anything alone.
create schema vault;
grant usage on schema vault to orgledger_writer, orgledger_projector;

-- A destroyed key is still in the table's dead row, so vacuum comes for every single one.
create table vault.person_keys (
    person_id uuid primary key,
    -- None for who acted outside of any organization.
    organization_id uuid,
    -- Which master key wraps it.
    master_key_id text,
    wrapped_key bytea,
    created_at timestamptz not null default clock_timestamp(),
    -- A destroyed key leaves its row: what was sealed with it is erased. A key without a row is missing,
    -- which is an error and never taken for an erasure.
    destroyed_at timestamptz,
    check ((wrapped_key is null) = (destroyed_at is not null)),
    check ((wrapped_key is null) = (master_key_id is null))
) with (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
create index person_keys_master on vault.person_keys (master_key_id);

-- Keys that are nobody's, by what they are for.
create table vault.common_keys (
    purpose text primary key,
    master_key_id text not null,
    wrapped_key bytea not null
);

create function vault.refuse_revival() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.destroyed_at is null
        and new.person_id = old.person_id
        and new.organization_id is not distinct from old.organization_id then
        return new;
    end if;
    raise exception 'a person''s key is wrapped anew or destroyed for good: % on %.% is refused', tg_op,
        tg_table_schema, tg_table_name using errcode = 'insufficient_privilege';
end $$;

create trigger destroyed_for_good before update or delete on vault.person_keys
    for each row execute function vault.refuse_revival();
create trigger no_truncate before truncate on vault.person_keys
    for each statement execute function vault.refuse_revival();

grant select, insert on vault.person_keys, vault.common_keys to orgledger_writer;
grant update (master_key_id, wrapped_key, destroyed_at) on vault.person_keys to orgledger_writer;
grant update (master_key_id, wrapped_key) on vault.common_keys to orgledger_writer;
grant select on vault.person_keys to orgledger_projector;

-- Behind the same wall as the log: these roles serve all organizations, and nobody else sees a row.
alter table vault.person_keys enable row level security, force row level security;
create policy writer on vault.person_keys to orgledger_writer using (true);
create policy projector on vault.person_keys for select to orgledger_projector using (true);
alter table vault.common_keys enable row level security, force row level security;
create policy writer on vault.common_keys to orgledger_writer using (true);

-- A stream's events with what their sealed texts are bound to: postgres-es reads these columns.
create view log.stream_events with (security_invoker = true) as
    select aggregate_type, aggregate_id, sequence, event_type, event_version, payload,
        json_build_object('event_id', event_id, 'organization_id', organization_id, 'metadata', metadata)
            as metadata
    from log.events;
grant select on log.stream_events to orgledger_writer, orgledger_projector;
