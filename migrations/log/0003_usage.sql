-- The second lane of the log: usage records in typed columns, each with a position of its own:
-- its batch's first position plus its ordinal.
create table log.usage_batches (
    first_position bigint primary key check (first_position > 0),
    batch_id uuid not null unique,
    organization_id uuid not null,
    count integer not null check (count > 0),
    -- The span of days that its records lie in, to find their partitions by.
    first_day date not null,
    last_day date not null,
    actor text not null,
    metadata json not null,
    recorded_at timestamptz not null
);
create index usage_batches_organization on log.usage_batches (organization_id, first_position);

create table log.usage_records (
    batch_id uuid not null,
    ordinal integer not null,
    organization_id uuid not null,
    project_id uuid not null,
    api_key_id uuid,
    member_id uuid,
    service_account_id uuid,
    end_user text,
    feature text not null,
    provider text not null,
    model text not null,
    request_id text not null,
    occurred_at timestamptz not null,
    -- The day of occurred_at in UTC: what the table is partitioned by, and what keeps the unique
    -- key local to the pages being written.
    occurred_day date not null,
    -- The first 16 bytes of SHA-256 over organization and request id.
    request_key uuid not null,
    -- The first 16 bytes of SHA-256 over what the sender said: the same again is a duplicate,
    -- another is a conflict.
    content_key uuid not null,
    input_tokens bigint not null,
    cached_input_tokens bigint not null,
    cache_write_tokens bigint not null,
    output_tokens bigint not null,
    reasoning_tokens bigint not null,
    price_version bigint,
    -- Pico-units (10^-12) of the currency; null where no price was known.
    cost_pico bigint,
    currency text,
    tags json not null,
    check ((cost_pico is null) = (price_version is null) and (cost_pico is null) = (currency is null)),
    unique (occurred_day, request_key)
) partition by range (occurred_day);
create index usage_records_batch on log.usage_records (batch_id, ordinal);

create trigger append_only before update or delete on log.usage_records
    for each row execute function log.refuse_change();
create trigger append_only before update or delete on log.usage_batches
    for each row execute function log.refuse_change();
create trigger no_truncate before truncate on log.usage_batches
    for each statement execute function log.refuse_change();
create trigger no_truncate before truncate on log.usage_records
    for each statement execute function log.refuse_change();

-- Makes the partition of the month that a day lies in, where it is not there yet. The writers own
-- nothing, so it runs as its owner.
create function log.ensure_usage_partition(day date) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    month date := date_trunc('month', day)::date;
    partition_name text := 'usage_records_' || to_char(month, 'YYYY_MM');
begin
    if to_regclass('log.' || partition_name) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtext('orgledger usage partition'));
    -- A query of its own: to_regclass would answer again from this session's cache, which has not
    -- heard of what was committed while it waited for the lock.
    if exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname = 'log' and c.relname = partition_name) then
        return;
    end if;
    execute format(
        'create table log.%I partition of log.usage_records for values from (%L) to (%L)',
        partition_name, month, (month + interval '1 month')::date);
    execute format(
        'create trigger no_truncate before truncate on log.%I for each statement execute function log.refuse_change()',
        partition_name);
end $$;
revoke all on function log.ensure_usage_partition(date) from public;
grant execute on function log.ensure_usage_partition(date) to orgledger_writer;

grant select, insert on log.usage_records, log.usage_batches to orgledger_writer;
grant select on log.usage_records, log.usage_batches to orgledger_relay, orgledger_projector;
