-- Replaying history: who does it reads the log, and writes to temporary tables of their own session,
-- which end with it however it ends. Nothing else can be written as this role.
do $$
begin
    begin
        create role orgledger_replayer nologin;
    exception when duplicate_object or unique_violation then
        null;
    end;
    -- From Postgres 16 on, who makes a role is not thereby a member of it.
    begin
        execute format('grant orgledger_replayer to current_user');
    exception when insufficient_privilege or unique_violation or invalid_grant_operation then
        null;
    end;
    execute format('grant temporary on database %I to orgledger_replayer', current_database());
end $$;

grant usage on schema log to orgledger_replayer;
grant select on log.events, log.head, log.usage_batches, log.usage_records to orgledger_replayer;
create policy replayer on log.events for select to orgledger_replayer using (true);
create policy replayer on log.usage_batches for select to orgledger_replayer using (true);
create policy replayer on log.usage_records for select to orgledger_replayer using (true);
