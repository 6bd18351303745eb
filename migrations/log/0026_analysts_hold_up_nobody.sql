-- Who makes the table of a month waits for others who do. An advisory lock is for every login of the
-- database to take, an analyst's too, who could keep everybody from it: the lock of a table is not.
create table log.making_usage_partitions ();

-- As before, with that lock.
create or replace function log.ensure_usage_partition(day date) returns boolean
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
    lock table log.making_usage_partitions in exclusive mode;
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
    execute format('alter table log.%I alter batch_id set (n_distinct = -0.002)', partition_name);
    return true;
end $$;
