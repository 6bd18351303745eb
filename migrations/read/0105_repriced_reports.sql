-- Usage that was priced again is taken away where it stood and added where it stands now. Where nothing
-- is left of a day, project and feature in a currency, or without one, there is no row.
set local check_function_bodies = off;

create or replace function reports.cost_per_feature_rows() returns table (organization_id uuid,
    project_id uuid, feature text, day date, currency text, requests bigint, failed_requests bigint,
    unpriced_requests bigint, unbilled_requests bigint, input_tokens bigint, output_tokens bigint,
    cost numeric)
    language sql stable as $$
    select organization_id, project_id, feature, (day at time zone 'UTC')::date, currency,
        sum(requests)::bigint, sum(failed_requests)::bigint, sum(unpriced_requests)::bigint,
        sum(unbilled_requests)::bigint, sum(input_tokens)::bigint, sum(output_tokens)::bigint, sum(cost)
    from read.usage_daily group by 1, 2, 3, 4, 5 having sum(requests) <> 0 $$;

comment on view reports.usage_hourly is
    'Usage and cost by hour, project, feature, provider and model. Several rows may be of the same hour: sum them up. What was priced again is taken away in one row and added in another.';
comment on view reports.usage_attributed is
    'Usage and cost by quarter of an hour and all that usage is attributed to. Several rows may be of the same quarter: sum them up. What was priced again is taken away in one row and added in another.';
