-- Group roles. A service logs in as a user of its own and acts as one of these (SET ROLE); none of
-- them owns anything. Roles belong to the whole server, so another database of the same server may
-- have made them already, even at this very moment.
do $$
declare
    role_name text;
begin
    foreach role_name in array array['orgledger_writer', 'orgledger_relay', 'orgledger_projector', 'orgledger_reader'] loop
        begin
            execute format('create role %I nologin', role_name);
        exception when duplicate_object or unique_violation then
            null;
        end;
        -- From Postgres 16 on, who makes a role is not thereby a member of it.
        begin
            execute format('grant %I to current_user', role_name);
        exception when insufficient_privilege or unique_violation or invalid_grant_operation then
            null;
        end;
    end loop;
end $$;

create schema log;
grant usage on schema log to orgledger_writer, orgledger_relay, orgledger_projector;
