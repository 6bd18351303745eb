-- Row-level security as a second wall: who may act as a role sees the rows that a policy gives to
-- that role and no others, and FORCE holds the tables' owner to it too. No tenant's role has any
-- privilege on the log; should one ever get it, there is no policy for it, and it sees no rows.
--
-- The roles here serve all organizations by their nature, and each has a policy that says so:
--   writer     commits the commands of many organizations in one statement;
--   relay      publishes the log as a whole, in its order;
--   projector  reads it as a whole, in its order.
-- Entries of no organization (price lists, names) are theirs alone in the same way.

alter table log.events enable row level security, force row level security;
create policy writer on log.events to orgledger_writer using (true);
create policy relay on log.events for select to orgledger_relay using (true);
create policy projector on log.events for select to orgledger_projector using (true);

-- A key's scope names who asked, not an organization; what is stored with it is still an answer to
-- somebody. The writer looks many up in one statement, for whoever asks it.
alter table log.idempotency_keys enable row level security, force row level security;
create policy writer on log.idempotency_keys to orgledger_writer using (true);

alter table log.usage_batches enable row level security, force row level security;
create policy writer on log.usage_batches to orgledger_writer using (true);
create policy relay on log.usage_batches for select to orgledger_relay using (true);
create policy projector on log.usage_batches for select to orgledger_projector using (true);

alter table log.usage_records enable row level security, force row level security;
create policy writer on log.usage_records to orgledger_writer using (true);
create policy relay on log.usage_records for select to orgledger_relay using (true);
create policy projector on log.usage_records for select to orgledger_projector using (true);

-- What is asked of the parent goes by the parent's policies. A partition has none of its own and no
-- privileges: asked by its name, it shows nothing to anybody.
do $$
declare
    partition regclass;
begin
    for partition in select inhrelid::regclass from pg_inherits
                     where inhparent = 'log.usage_records'::regclass loop
        execute format('alter table %s enable row level security, force row level security', partition);
    end loop;
end $$;

-- As before, and the new partition stands behind the wall as well.
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
    execute format('alter table log.%I enable row level security, force row level security', partition_name);
end $$;
