-- Usage is copied straight into its partition: COPY refuses a table with row-level security, and the
-- way through a table of the session cost a quarter of a batch's time.
--
-- So a partition has no row-level security, and none of our roles may read one, or do anything with
-- it but that the writer may add rows. Whoever reads asks the parent, whose policies go by the role
-- that asks. See docs/adr/0015-row-level-security.md.
do $$
declare
    partition regclass;
begin
    for partition in select inhrelid::regclass from pg_inherits
                     where inhparent = 'log.usage_records'::regclass loop
        execute format('alter table %s disable row level security, no force row level security', partition);
        execute format('grant insert on %s to orgledger_writer', partition);
    end loop;
end $$;

create or replace function log.ensure_usage_partition(day date) returns void
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
    execute format('grant insert on log.%I to orgledger_writer', partition_name);
end $$;
