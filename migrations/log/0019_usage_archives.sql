-- A month of usage is archived in steps: it is closed, its records are written to files and verified,
-- its partition is detached, and dropped where the operator says so. Who does it owns the tables; a
-- service may look, and do none of it. See docs/adr/0025-usage-is-archived-by-the-month.md.
create table log.usage_archives (
    month date primary key check (month = date_trunc('month', month::timestamp)::date),
    -- closed: it takes no more records, and has those it had; detached: they are in a table that no
    -- report reads, log.usage_archived_YYYY_MM; dropped: they are in files alone.
    state text not null check (state in ('closed', 'detached', 'dropped'))
);
grant select on log.usage_archives to orgledger_writer, orgledger_relay, orgledger_projector,
    orgledger_reader, orgledger_operator, orgledger_replayer;

-- Of the first and the last day of an archived month: what is sent again within 24 hours of them, in
-- the month beside it, is found here. All else of the month is refused, new or not.
create table log.usage_archived_requests (
    occurred_day date not null,
    request_key uuid not null,
    content_key uuid not null,
    occurred_at timestamptz not null,
    primary key (occurred_day, request_key)
);
grant select on log.usage_archived_requests to orgledger_writer;

create function log.refuse_archived() returns trigger language plpgsql as $$
begin
    raise exception 'usage of this month is archived: % takes no more records', tg_table_name
        using errcode = 'OL001', hint = 'Restore the month with `orgledger usage restore` first.';
end $$;

-- As before, and it says whether the month takes records.
drop function log.ensure_usage_partition(date);
create function log.ensure_usage_partition(day date) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    first_day date := date_trunc('month', day::timestamp)::date;
    partition_name text := 'usage_records_' || to_char(first_day, 'YYYY_MM');
begin
    if exists (select from log.usage_archives where month = first_day) then
        return false;
    end if;
    if to_regclass('log.' || partition_name) is not null then
        return true;
    end if;
    perform pg_advisory_xact_lock(hashtext('orgledger usage partition'));
    -- Queries of their own: to_regclass would answer again from this session's cache, which has not
    -- heard of what was committed while it waited for the lock.
    if exists (select from log.usage_archives where month = first_day) then
        return false;
    end if;
    if exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname = 'log' and c.relname = partition_name) then
        return true;
    end if;
    execute format(
        'create table log.%I partition of log.usage_records for values from (%L) to (%L)',
        partition_name, first_day, (first_day + interval '1 month')::date);
    execute format(
        'create trigger no_truncate before truncate on log.%I for each statement execute function log.refuse_change()',
        partition_name);
    execute format('grant insert on log.%I to orgledger_writer', partition_name);
    return true;
end $$;
revoke all on function log.ensure_usage_partition(date) from public;
grant execute on function log.ensure_usage_partition(date) to orgledger_writer;

-- The months of which log.usage_records has no records any more. In a transaction whose picture is
-- older than a detaching, the tables say what was there then, and the partitions are those of now:
-- what has gone in between is missing, too. Ask while the table is locked against a detaching.
create function log.missing_usage_months() returns setof date language sql volatile
    set search_path = pg_catalog, pg_temp as $$
    select month from log.usage_archives where state in ('detached', 'dropped')
    union
    select to_date(right(c.relname, 7), 'YYYY_MM') from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'log.usage_records'::regclass
        and i.inhrelid not in (select relid::oid from pg_partition_tree('log.usage_records'::regclass))
$$;
revoke all on function log.missing_usage_months() from public;
grant execute on function log.missing_usage_months() to orgledger_writer, orgledger_relay,
    orgledger_projector, orgledger_reader, orgledger_operator, orgledger_replayer;
