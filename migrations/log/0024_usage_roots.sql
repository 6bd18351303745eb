-- Who writes a batch has the bytes of its records in hand, and they are what is sealed: so the root over
-- them is written with the batch, and a sealer reads no records. Older batches have none; a sealer that
-- has not come to them yet reads theirs. See docs/adr/0028-a-batch-has-its-root.md.
alter table log.usage_batches
    add column records_root bytea check (octet_length(records_root) = 32);
-- Who takes one away again is told so.
do $$ begin
    execute format(
        'alter table log.usage_batches add constraint records_root_is_there
             check (records_root is not null or first_position <= %s)',
        (select position from log.head));
end $$;

-- As before, with the roots.
drop function log.place_usage(text[], text[], bigint[], bigint, bigint, uuid[], uuid[], integer[], date[],
    date[], text[], text[]);
create function log.place_usage(
    stream_types text[], stream_ids text[], stream_sequences bigint[],
    prices_upto bigint, filtered_at bigint,
    batch_ids uuid[], organizations uuid[], counts integer[], first_days date[], last_days date[],
    actors text[], all_metadata text[],
    records_roots bytea[],
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
        from unnest(batch_ids, organizations, counts, first_days, last_days, actors, all_metadata,
                records_roots)
            with ordinality as b(batch_id, organization_id, count, first_day, last_day, actor, metadata,
                records_root, n)
    ), written as (
        insert into log.usage_batches (first_position, batch_id, organization_id, count, first_day,
            last_day, actor, metadata, recorded_at, records_root)
        select stood_at + p.upto - p.count + 1, p.batch_id, p.organization_id, p.count, p.first_day,
            p.last_day, p.actor, p.metadata::json, clock, p.records_root
        from placed p
    )
    update log.head h
    set position = stood_at + p.upto, last_batch = stood_at + p.upto, recorded_at = clock
    from (select max(upto)::bigint as upto from placed) p;
    -- The channel on which appends are heard of: event_log::follow::NOTIFY_CHANNEL.
    perform pg_notify('orgledger_log', h.position::text) from log.head h;
end $$;
revoke all on function log.place_usage(text[], text[], bigint[], bigint, bigint, uuid[], uuid[], integer[],
    date[], date[], text[], text[], bytea[]) from public;
grant execute on function log.place_usage(text[], text[], bigint[], bigint, bigint, uuid[], uuid[],
    integer[], date[], date[], text[], text[], bytea[]) to orgledger_writer;
