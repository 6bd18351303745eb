-- Reports in plain SQL: views in a schema of their own, whose names, columns and meaning stay, however
-- the read models behind them change. Analysts read them with any tool, each with a login of their
-- own, which sees the organizations that it was granted (docs/for-finance.md).
--
--   orgledger_analyst   reads the views; every analyst's login is a member of it.
do $$
begin
    begin
        create role orgledger_analyst nologin;
    exception when duplicate_object or unique_violation then
        null;
    end;
    -- From Postgres 16 on, who makes a role is not thereby a member of it.
    begin
        execute format('grant orgledger_analyst to current_user with admin option');
    exception when insufficient_privilege or unique_violation or invalid_grant_operation then
        null;
    end;
end $$;

create schema reports;
comment on schema reports is
    'Usage and cost for analysts. What stands here is a contract; the schemas read… are not.';
grant usage on schema reports, read to orgledger_analyst;
-- Whose policies name the table of grants.
grant usage on schema reports to orgledger_builder;
grant select (build, projection, state, position, recorded_at) on read.builds to orgledger_analyst;

-- Who sees what. It is no read model: nothing rebuilds it.
create table reports.grants (
    login name not null,
    organization_id uuid not null,
    granted_at timestamptz not null default now(),
    primary key (login, organization_id)
);
comment on table reports.grants is 'Which organizations an analyst''s login sees.';
alter table reports.grants enable row level security, force row level security;
create policy own on reports.grants for select to orgledger_analyst using (login = current_user);
do $$
begin
    execute format('create policy owner on reports.grants to %I using (true)', current_user);
end $$;
grant select on reports.grants to orgledger_analyst;

-- As before, and analysts see the rows of their organizations in what reports are made of.
create or replace function read.enclose(build text, shown text[]) returns void
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
    perform read.open_to_analysts(build);
end $$;

-- What analysts see of a build: sums and names, and of members no more than what they are called.
create function read.open_to_analysts(build text) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    opened regclass;
    table_name name;
    columns text;
begin
    for opened, table_name in
        select c.oid, c.relname from pg_class c
        where c.relnamespace = build::regnamespace and c.relkind in ('r', 'p')
            and c.relname in ('organizations', 'projects', 'api_keys', 'members', 'service_accounts',
                'usage_by_feature', 'usage_daily', 'usage_hourly', 'usage_quarter_hourly', 'usage_units')
        order by c.relname
    loop
        execute format('grant usage on schema %I to orgledger_analyst', build);
        columns := read.columns_for_analysts(opened);
        execute format('grant select (%s) on %s to orgledger_analyst', columns, opened);
        execute format(
            'create policy analyst on %s for select to orgledger_analyst using (organization_id = any (array(
                 select organization_id from reports.grants where login = current_user)))', opened);
    end loop;
end $$;

-- The columns of a table of names that say what something is called and when; of sums, all.
create function read.columns_for_analysts(opened regclass) returns text
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    where a.attrelid = opened and attnum > 0 and not attisdropped
        and (c.relname like 'usage\_%' or attname in ('organization_id', 'project_id', 'api_key_id',
            'member_id', 'service_account_id', 'name', 'login', 'valid_from', 'valid_to', 'known_from',
            'known_to'))
$$;
revoke all on function read.open_to_analysts(text), read.columns_for_analysts(regclass) from public;
grant execute on function read.open_to_analysts(text), read.columns_for_analysts(regclass)
    to orgledger_builder;

-- The views in `read` come and go with builds, so that nothing here may be built on them. These
-- functions name them and depend on nothing; Postgres puts them into the query that asks, with its
-- conditions, as it does with a view.
set local check_function_bodies = off;

-- The latest name of each thing, whatever has become of it. From the build itself: a view of `read`
-- asks for all columns, and analysts may see few of them.
create function reports.names(things text, id text, called text)
    returns table (organization_id uuid, thing_id uuid, name text)
    language plpgsql stable as $$
declare
    register text;
begin
    select 'read_access_register_' || build into register from read.builds
    where projection = 'access_register' and state = 'serving';
    if register is null then
        return;
    end if;
    return query execute format(
        'select distinct on (%2$I) organization_id, %2$I, %3$I from %4$I.%1$I
         order by %2$I, (known_to is null) desc, valid_from desc, known_from desc',
        things, id, called, register);
end $$;
create function reports.usage_hourly_rows() returns table (organization_id uuid, project_id uuid,
    feature text, provider text, model text, hour timestamptz, recorded_day date, currency text,
    requests bigint, failed_requests bigint, unpriced_requests bigint, unbilled_requests bigint,
    input_tokens bigint, cached_input_tokens bigint, cache_write_tokens bigint, output_tokens bigint,
    reasoning_tokens bigint, cost numeric)
    language sql stable as $$
    select organization_id, project_id, feature, provider, model, hour, recorded_day, currency, requests,
        failed_requests, unpriced_requests, unbilled_requests, input_tokens, cached_input_tokens,
        cache_write_tokens, output_tokens, reasoning_tokens, cost
    from read.usage_hourly $$;
create function reports.usage_attributed_rows() returns table (organization_id uuid, project_id uuid,
    api_key_id uuid, member_id uuid, service_account_id uuid, feature text, provider text, model text,
    quarter_hour timestamptz, recorded_hour timestamptz, currency text, requests bigint,
    failed_requests bigint, unpriced_requests bigint, unbilled_requests bigint, input_tokens bigint,
    cached_input_tokens bigint, cache_write_tokens bigint, output_tokens bigint,
    reasoning_tokens bigint, cost numeric)
    language sql stable as $$
    select organization_id, project_id, api_key_id, member_id, service_account_id, feature, provider,
        model, quarter_hour, recorded_hour, currency, requests, failed_requests, unpriced_requests,
        unbilled_requests, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, cost
    from read.usage_quarter_hourly $$;
create function reports.usage_units_rows() returns table (organization_id uuid, project_id uuid,
    api_key_id uuid, member_id uuid, service_account_id uuid, feature text, provider text, model text,
    quarter_hour timestamptz, recorded_hour timestamptz, currency text, unit text, quantity bigint)
    language sql stable as $$
    select organization_id, project_id, api_key_id, member_id, service_account_id, feature, provider,
        model, quarter_hour, recorded_hour, currency, unit, quantity
    from read.usage_units $$;
create function reports.cost_per_feature_rows() returns table (organization_id uuid, project_id uuid,
    feature text, day date, currency text, requests bigint, failed_requests bigint,
    unpriced_requests bigint, unbilled_requests bigint, input_tokens bigint, output_tokens bigint,
    cost numeric)
    language sql stable as $$
    select organization_id, project_id, feature, (day at time zone 'UTC')::date, currency,
        sum(requests)::bigint, sum(failed_requests)::bigint, sum(unpriced_requests)::bigint,
        sum(unbilled_requests)::bigint, sum(input_tokens)::bigint, sum(output_tokens)::bigint, sum(cost)
    from read.usage_daily group by 1, 2, 3, 4, 5 $$;
create function reports.freshness_rows() returns table (read_model text, "position" bigint,
    recorded_at timestamptz)
    language sql stable as $$
    select projection, position, recorded_at from read.builds
    where state = 'serving' and projection in ('access_register', 'cost_per_feature') $$;

create view reports.organizations with (security_invoker = true) as
    select organization_id, name from reports.names('organizations', 'organization_id', 'name');
create view reports.projects with (security_invoker = true) as
    select organization_id, thing_id as project_id, name
    from reports.names('projects', 'project_id', 'name');
create view reports.api_keys with (security_invoker = true) as
    select organization_id, thing_id as api_key_id, name
    from reports.names('api_keys', 'api_key_id', 'name');
create view reports.members with (security_invoker = true) as
    select organization_id, thing_id as member_id, name as login
    from reports.names('members', 'member_id', 'login');
create view reports.service_accounts with (security_invoker = true) as
    select organization_id, thing_id as service_account_id, name
    from reports.names('service_accounts', 'service_account_id', 'name');
create view reports.usage_hourly with (security_invoker = true) as
    select * from reports.usage_hourly_rows();
create view reports.usage_attributed with (security_invoker = true) as
    select * from reports.usage_attributed_rows();
create view reports.usage_units with (security_invoker = true) as select * from reports.usage_units_rows();
create view reports.cost_per_feature with (security_invoker = true) as
    select * from reports.cost_per_feature_rows();
create view reports.freshness with (security_invoker = true) as select * from reports.freshness_rows();
grant select on all tables in schema reports to orgledger_analyst;

comment on view reports.organizations is 'What organizations are called.';
comment on view reports.projects is 'What projects are called, archived ones too.';
comment on view reports.api_keys is 'What API keys are called, revoked ones too.';
comment on view reports.members is 'The logins of members, of those who left too.';
comment on view reports.service_accounts is 'What service accounts are called, removed ones too.';
comment on view reports.usage_hourly is
    'Usage and cost by hour, project, feature, provider and model. Several rows may be of the same hour: sum them up.';
comment on view reports.usage_attributed is
    'Usage and cost by quarter of an hour and all that usage is attributed to. Several rows may be of the same quarter: sum them up.';
comment on view reports.usage_units is
    'What was used beside tokens, by the same. A total includes its parts.';
comment on view reports.cost_per_feature is 'Usage and cost by day (UTC), project and feature.';
comment on view reports.freshness is 'Up to which position of the log the views show it.';

-- The same word means the same everywhere.
do $$
declare
    meaning record;
    shown record;
begin
    for meaning in select * from (values
        ('organization_id', 'The organization.'),
        ('project_id', 'The project.'),
        ('api_key_id', 'The API key; null where the usage came without one.'),
        ('member_id', 'The member whose key it was; null where it was nobody''s.'),
        ('service_account_id', 'The service account whose key it was; null where it was none''s.'),
        ('name', 'What it is called now, or was last.'),
        ('login', 'The login.'),
        ('feature', 'What the customer''s product calls it; empty where it said nothing.'),
        ('provider', 'Who served the model.'),
        ('model', 'The model.'),
        ('hour', 'When the hour begins in which it happened.'),
        ('quarter_hour', 'When the quarter of an hour begins in which it happened.'),
        ('day', 'The day on which it happened, in UTC.'),
        ('recorded_day', 'The day on which it was recorded, in UTC: leave later ones out for what was known then.'),
        ('recorded_hour', 'When the hour begins in which it was recorded: leave later ones out for what was known then.'),
        ('currency', 'The currency of the cost; null where the usage has no price.'),
        ('requests', 'Requests, priced or not, failed or not.'),
        ('failed_requests', 'Requests that failed.'),
        ('unpriced_requests', 'Requests for which no price was known.'),
        ('unbilled_requests', 'Requests that failed and used nothing.'),
        ('input_tokens', 'Input tokens, cached and written ones included.'),
        ('cached_input_tokens', 'Input tokens that came out of the provider''s cache.'),
        ('cache_write_tokens', 'Input tokens that were written to the provider''s cache.'),
        ('output_tokens', 'Output tokens, reasoning included.'),
        ('reasoning_tokens', 'Output tokens that were reasoning.'),
        ('cost', 'The exact cost in the currency; null where the usage has no price.'),
        ('unit', 'What was used, such as web_searches.'),
        ('quantity', 'How much of it.'),
        ('read_model', 'The read model.'),
        ('position', 'The position of the log up to which it goes.'),
        ('recorded_at', 'When the log learned of what stands there.'),
        ('granted_at', 'Since when.')
    ) as m (name, meaning) loop
        for shown in select attrelid::regclass as relation, attname from pg_attribute a
            join pg_class c on c.oid = a.attrelid
            where c.relnamespace = 'reports'::regnamespace and c.relkind in ('v', 'r')
                and attnum > 0 and attname = meaning.name loop
            execute format('comment on column %s.%I is %L', shown.relation, shown.attname, meaning.meaning);
        end loop;
    end loop;
end $$;

-- Builds that are there already, and the views that show them.
do $$
declare
    build name;
    shown regclass;
begin
    set local role orgledger_builder;
    for build in select nspname from pg_namespace where nspowner = 'orgledger_builder'::regrole loop
        perform read.open_to_analysts(build);
    end loop;
    for shown in select oid from pg_class where relnamespace = 'read'::regnamespace and relkind = 'v'
                     and relowner = 'orgledger_builder'::regrole
                     and relname in ('organizations', 'projects', 'api_keys', 'members', 'service_accounts',
                         'usage_by_feature', 'usage_daily', 'usage_hourly', 'usage_quarter_hourly', 'usage_units') loop
        execute format('grant select on %s to orgledger_analyst', shown);
    end loop;
    reset role;
end $$;
