-- What recorded usage costs since it was priced again, in typed columns like the records themselves,
-- which stay as they are. A correction belongs to a `usage.repriced` event and has its position: it
-- counts from there on. Of several corrections of a record the last one counts.
-- See docs/adr/0021-corrections-beside-records.md.
create table log.usage_corrections (
    position bigint not null,
    -- Its place in the event, from 0.
    ordinal integer not null check (ordinal >= 0),
    organization_id uuid not null,
    -- The record.
    batch_id uuid not null,
    record_ordinal integer not null,
    occurred_at timestamptz not null,
    occurred_day date not null,
    -- As before the correction: null where the record had no price.
    price_version_before bigint,
    cost_pico_before bigint,
    currency_before text,
    price_version bigint not null,
    cost_pico bigint not null,
    currency text not null,
    recorded_at timestamptz not null,
    primary key (position, ordinal),
    check ((cost_pico_before is null) = (price_version_before is null)
        and (cost_pico_before is null) = (currency_before is null))
);
-- What a record costs now, or did at a position.
create index usage_corrections_of_record on log.usage_corrections (batch_id, record_ordinal, position);
-- What was corrected in an organization, by when the log learned of it.
create index usage_corrections_recorded on log.usage_corrections (organization_id, recorded_at, position);

create trigger append_only before update or delete on log.usage_corrections
    for each row execute function log.refuse_change();
create trigger no_truncate before truncate on log.usage_corrections
    for each statement execute function log.refuse_change();

-- An event and its corrections are written in one statement: none is added to an event that is there
-- already, and no event says that there are others.
create function log.corrections_have_their_event() returns trigger language plpgsql as $$
begin
    if exists (
        select from (select position, count(*) as corrections, min(ordinal) as first, max(ordinal) as last,
                         array_agg(distinct organization_id) as organizations
                     from written group by position) w
        where not exists (
            select from log.events e, log.head h
            where e.position = w.position and e.position > h.moved_from
                and e.event_type = 'usage.repriced' and array[e.organization_id] = w.organizations
                and (e.payload ->> 'corrections')::bigint = w.corrections
                and w.first = 0 and w.last = w.corrections - 1))
    then
        raise exception 'corrections are written with the event that they belong to, all of them'
            using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end $$;
create function log.event_has_its_corrections() returns trigger language plpgsql as $$
begin
    if not exists (select from log.usage_corrections where position = new.position) then
        raise exception 'the event at % is written without its corrections', new.position
            using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end $$;
create trigger with_their_event after insert on log.usage_corrections referencing new table as written
    for each statement execute function log.corrections_have_their_event();
create constraint trigger with_its_corrections after insert on log.events
    deferrable initially deferred
    for each row when (new.event_type = 'usage.repriced') execute function log.event_has_its_corrections();

grant select, insert on log.usage_corrections to orgledger_writer;
grant select on log.usage_corrections to orgledger_relay, orgledger_projector, orgledger_reader,
    orgledger_operator;

alter table log.usage_corrections enable row level security, force row level security;
create policy writer on log.usage_corrections to orgledger_writer using (true);
create policy relay on log.usage_corrections for select to orgledger_relay using (true);
create policy projector on log.usage_corrections for select to orgledger_projector using (true);
-- In a subquery it is looked up once for each statement, not for each row. After a transaction that
-- set it, the setting is not absent but empty.
create policy reader on log.usage_corrections for select to orgledger_reader using (organization_id = (
    select nullif(current_setting('orgledger.organization_id', true), '')::uuid));
create policy operator on log.usage_corrections for select to orgledger_operator using (true);
