-- Usage moves the head all the time, and takes nothing from a command that was decided meanwhile: it
-- writes no stream. So the head says where its last event stands, and a command is written where that
-- is still so, wherever the head has gone.
alter table log.head
    add column last_event bigint not null default 0,
    -- Set with the position by who writes batches of usage. Who does not say so has written events.
    add column last_batch bigint not null default 0;
update log.head set last_event = coalesce((select max(position) from log.events), 0);

create or replace function log.move_head() returns trigger language plpgsql as $$
begin
    new.moved_from := case when new.position = old.position then old.moved_from else old.position end;
    new.last_event := case
        when new.position = old.position or new.last_batch = new.position then old.last_event
        else new.position end;
    if new.position < old.position then
        raise exception 'the log is append-only: its head stands at % and does not go back to %',
            old.position, new.position using errcode = 'integrity_constraint_violation';
    end if;
    -- Every later entry is as late as this, so a time that is still to come would stay for ever.
    if new.recorded_at < old.recorded_at or new.recorded_at > greatest(old.recorded_at, clock_timestamp()) then
        raise exception 'the log''s clock stands at % and is not set to %', old.recorded_at, new.recorded_at
            using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;

-- As before, and the head knows of them as events.
create or replace function log.events_reach_head() returns trigger language plpgsql as $$
begin
    -- Positions are unique, so as many of them as there are places, from the first to the last, are all.
    if not exists (
        select from log.head h,
            (select count(*) as events, min(position) as first, max(position) as last from written) w
        where w.events = 0
           or (w.first = h.moved_from + 1 and w.last = h.position and w.last = h.last_event
               and w.events = h.position - h.moved_from
               and not exists (select from log.usage_batches where first_position > h.moved_from)))
    then
        raise exception 'the log has no holes: events are written with the head, and up to it'
            using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end $$;

-- The end of a transaction that has copied usage records: locks the head, sees whether what they were
-- checked against still holds, and gives their batches positions. One round trip, because everybody
-- waits for the head meanwhile. Each of its queries sees all that was committed before the lock was got.
--
-- Where something has moved, nothing is written, and the head stays locked until the transaction ends:
-- `moved` are the numbers of the streams that have, from 1; `newer_price` is a price list published after
-- `prices_upto`; `others_wrote` says that one of the organizations has other usage after `filtered_at`
-- (null: it does not matter).
create function log.place_usage(
    stream_types text[], stream_ids text[], stream_sequences bigint[],
    prices_upto bigint, filtered_at bigint,
    batch_ids uuid[], organizations uuid[], counts integer[], first_days date[], last_days date[],
    actors text[], all_metadata text[],
    out stood_at bigint, out moved bigint[], out newer_price bigint, out others_wrote boolean
) language plpgsql volatile as $$
declare
    clock timestamptz;
begin
    others_wrote := false;
    select h.position, greatest(h.recorded_at, clock_timestamp()) into strict stood_at, clock
    from log.head h for update;
    select coalesce(array_agg(s.n), '{}') into moved
    from unnest(stream_types, stream_ids, stream_sequences) with ordinality as s(type, id, sequence, n)
    where s.sequence <> coalesce(
        -- One index entry a stream, however long the stream is.
        (select e.sequence from log.events e where e.aggregate_type = s.type and e.aggregate_id = s.id
         order by e.sequence desc limit 1), 0);
    select max(e.position) into newer_price
    from log.events e where e.aggregate_type = 'price_list' and e.position > prices_upto;
    if moved <> '{}' or newer_price is not null then
        return;
    end if;
    if stood_at > filtered_at and exists (
        select from log.usage_batches b
        where b.organization_id = any (organizations) and b.first_position > filtered_at)
    then
        others_wrote := true;
        return;
    end if;
    with placed as (
        select b.*, sum(b.count) over (order by b.n) as upto
        from unnest(batch_ids, organizations, counts, first_days, last_days, actors, all_metadata)
            with ordinality as b(batch_id, organization_id, count, first_day, last_day, actor, metadata, n)
    ), written as (
        insert into log.usage_batches (first_position, batch_id, organization_id, count, first_day,
            last_day, actor, metadata, recorded_at)
        select stood_at + p.upto - p.count + 1, p.batch_id, p.organization_id, p.count, p.first_day,
            p.last_day, p.actor, p.metadata::json, clock
        from placed p
    )
    update log.head h
    set position = stood_at + p.upto, last_batch = stood_at + p.upto, recorded_at = clock
    from (select max(upto)::bigint as upto from placed) p;
    -- The channel on which appends are heard of: event_log::follow::NOTIFY_CHANNEL.
    perform pg_notify('orgledger_log', h.position::text) from log.head h;
end $$;
revoke all on function log.place_usage(text[], text[], bigint[], bigint, bigint, uuid[], uuid[], integer[],
    date[], date[], text[], text[]) from public;
grant execute on function log.place_usage(text[], text[], bigint[], bigint, bigint, uuid[], uuid[],
    integer[], date[], date[], text[], text[]) to orgledger_writer;
