-- Reports read usage records where the rollups have less than is asked for: by end user or tag, and
-- as the log stood in the middle of an hour. A reader sees those of the organization that is set for
-- its transaction, and of a batch what its records are found by, not who sent it.
--
-- Where the read models have a server of their own, nobody uses this.
do $$
begin
    create role orgledger_operator nologin;
exception when duplicate_object or unique_violation then
    null;
end $$;

grant usage on schema log to orgledger_reader, orgledger_operator;
grant select (first_position, batch_id, organization_id, count, first_day, last_day, recorded_at)
    on log.usage_batches to orgledger_reader, orgledger_operator;
grant select on log.usage_records to orgledger_reader, orgledger_operator;

-- In a subquery it is looked up once for each statement, not for each row. After a transaction that
-- set it, the setting is not absent but empty.
create policy reader on log.usage_batches for select to orgledger_reader using (organization_id = (
    select nullif(current_setting('orgledger.organization_id', true), '')::uuid));
create policy reader on log.usage_records for select to orgledger_reader using (organization_id = (
    select nullif(current_setting('orgledger.organization_id', true), '')::uuid));
create policy operator on log.usage_batches for select to orgledger_operator using (true);
create policy operator on log.usage_records for select to orgledger_operator using (true);

-- What had been recorded by a time.
create index usage_batches_recorded on log.usage_batches (organization_id, recorded_at, first_position);
