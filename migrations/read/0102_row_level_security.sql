-- Row-level security as a second wall around the read models. A reader sees the rows of the
-- organization that is set for its transaction (orgledger.organization_id), and none where none is
-- set. Until now the projector owned what it fills; an owner can take a wall down, so that from here
-- on the tables, the views and the schemas of builds belong to a role that no service works as.
--
--   orgledger_builder   owns the builds and the views; the projector's transactions take it on for
--                       the statements that make, replace or drop them.
--   orgledger_operator  reads every organization's rows: what lists organizations, reports to the
--                       owner of the machine, or looks for what has expired.
do $$
declare
    role_name text;
begin
    foreach role_name in array array['orgledger_builder', 'orgledger_operator'] loop
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

grant usage, create on schema read to orgledger_builder;
grant usage on schema read to orgledger_operator;
grant select on read.builds to orgledger_operator;
revoke create on schema read from orgledger_projector;
do $$
begin
    execute format('grant create on database %I to orgledger_builder', current_database());
    execute format('revoke create on database %I from orgledger_projector', current_database());
end $$;

-- Puts the tables of a build behind the wall and gives each role its part; `shown` are those that
-- readers see. Runs with the rights of who calls it, which is who owns the tables.
--
-- A table without an organization is closed to readers: where its rows are everybody's, the
-- projection's own SQL says so with a policy.
create function read.enclose(build text, shown text[]) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    enclosed regclass;
    table_name name;
begin
    execute format('grant usage on schema %I to orgledger_projector, orgledger_reader, orgledger_operator', build);
    for enclosed, table_name in
        select c.oid, c.relname from pg_class c
        where c.relnamespace = build::regnamespace and c.relkind in ('r', 'p') order by c.relname
    loop
        execute format('alter table %s enable row level security, force row level security', enclosed);
        execute format('grant select, insert, update, delete on %s to orgledger_projector', enclosed);
        -- One page of the log has entries of many organizations.
        execute format('create policy projector on %s to orgledger_projector using (true)', enclosed);
        continue when not table_name = any (shown);
        execute format('grant select on %s to orgledger_reader, orgledger_operator', enclosed);
        execute format('create policy operator on %s for select to orgledger_operator using (true)', enclosed);
        if exists (select from pg_attribute where attrelid = enclosed
                   and attname = 'organization_id' and not attisdropped) then
            -- In a subquery it is looked up once for each statement, not for each row. After a
            -- transaction that set it, the setting is not absent but empty.
            execute format(
                'create policy reader on %s for select to orgledger_reader using (organization_id = (
                     select nullif(current_setting(''orgledger.organization_id'', true), '''')::uuid))',
                enclosed);
        end if;
    end loop;
end $$;
revoke all on function read.enclose(text, text[]) from public;
grant execute on function read.enclose(text, text[]) to orgledger_builder;

-- Builds that are there already change hands, and their views ask with the rights of who reads.
do $$
declare
    build name;
    shown regclass;
begin
    if not exists (select from pg_namespace where nspowner = 'orgledger_projector'::regrole) then
        return;
    end if;
    reassign owned by orgledger_projector to orgledger_builder;
    set local role orgledger_builder;
    for build in select nspname from pg_namespace where nspowner = 'orgledger_builder'::regrole loop
        perform read.enclose(build, array(
            select relname::text from pg_class where relnamespace = build::text::regnamespace and relkind = 'r'));
    end loop;
    for shown in select oid from pg_class where relnamespace = 'read'::regnamespace and relkind = 'v'
                     and relowner = 'orgledger_builder'::regrole loop
        execute format('alter view %s set (security_invoker = true)', shown);
        execute format('grant select on %s to orgledger_operator', shown);
    end loop;
    reset role;
end $$;
