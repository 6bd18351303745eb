-- Five rollups of the same records: the finer one is, the more it can answer and the longer it takes.
-- Each row says when its records were recorded, too, so that a report can be made as it would have
-- been made then. All are summed up again by whoever asks.
--
-- Each unique index begins with what every question names and ends with what it ranges over least,
-- so that it serves the questions, too.

-- By the hour, project and feature alone: days of any zone that is whole hours off, in a few rows.
create table usage_by_feature (
    organization_id uuid not null,
    project_id uuid not null,
    feature text not null,
    currency text,
    hour timestamptz not null,
    recorded_day date not null,
    requests bigint not null,
    failed_requests bigint not null,
    unpriced_requests bigint not null,
    unbilled_requests bigint not null,
    input_tokens bigint not null,
    cached_input_tokens bigint not null,
    cache_write_tokens bigint not null,
    output_tokens bigint not null,
    reasoning_tokens bigint not null,
    cost numeric(38,12),
    unique nulls not distinct (organization_id, hour, project_id, feature, currency, recorded_day)
) with (fillfactor = 70);

-- The same by the day of UTC, which most reports are by: a month of it is read in a moment.
create table usage_by_feature_daily (
    organization_id uuid not null,
    project_id uuid not null,
    feature text not null,
    currency text,
    -- When it begins.
    day timestamptz not null,
    recorded_day date not null,
    requests bigint not null,
    failed_requests bigint not null,
    unpriced_requests bigint not null,
    unbilled_requests bigint not null,
    input_tokens bigint not null,
    cached_input_tokens bigint not null,
    cache_write_tokens bigint not null,
    output_tokens bigint not null,
    reasoning_tokens bigint not null,
    cost numeric(38,12),
    unique nulls not distinct (organization_id, day, project_id, feature, currency, recorded_day)
) with (fillfactor = 70);

-- By provider and model as well, by the day of UTC.
create table usage_daily (
    organization_id uuid not null,
    project_id uuid not null,
    feature text not null,
    provider text not null,
    model text not null,
    currency text,
    -- When it begins.
    day timestamptz not null,
    recorded_day date not null,
    requests bigint not null,
    failed_requests bigint not null,
    unpriced_requests bigint not null,
    unbilled_requests bigint not null,
    input_tokens bigint not null,
    cached_input_tokens bigint not null,
    cache_write_tokens bigint not null,
    output_tokens bigint not null,
    reasoning_tokens bigint not null,
    cost numeric(38,12),
    unique nulls not distinct (organization_id, day, project_id, feature, provider, model, currency,
        recorded_day)
) with (fillfactor = 70);

-- The same by the hour, for days of other zones.
create table usage_hourly (
    organization_id uuid not null,
    project_id uuid not null,
    feature text not null,
    provider text not null,
    model text not null,
    currency text,
    hour timestamptz not null,
    recorded_day date not null,
    requests bigint not null,
    failed_requests bigint not null,
    unpriced_requests bigint not null,
    unbilled_requests bigint not null,
    input_tokens bigint not null,
    cached_input_tokens bigint not null,
    cache_write_tokens bigint not null,
    output_tokens bigint not null,
    reasoning_tokens bigint not null,
    cost numeric(38,12),
    unique nulls not distinct (organization_id, hour, project_id, feature, provider, model, currency,
        recorded_day)
) with (fillfactor = 70);

-- By all that a record is attributed to, by the quarter of an hour: every time zone's hours and days
-- begin with one of them.
create table usage_quarter_hourly (
    organization_id uuid not null,
    project_id uuid not null,
    api_key_id uuid,
    member_id uuid,
    service_account_id uuid,
    feature text not null,
    provider text not null,
    model text not null,
    currency text,
    quarter_hour timestamptz not null,
    recorded_hour timestamptz not null,
    requests bigint not null,
    failed_requests bigint not null,
    unpriced_requests bigint not null,
    unbilled_requests bigint not null,
    input_tokens bigint not null,
    cached_input_tokens bigint not null,
    cache_write_tokens bigint not null,
    output_tokens bigint not null,
    reasoning_tokens bigint not null,
    cost numeric(38,12),
    unique nulls not distinct (organization_id, quarter_hour, project_id, feature, provider, model,
        api_key_id, member_id, service_account_id, currency, recorded_hour)
) with (fillfactor = 70);

-- What was used beside tokens, by the same: few records have any.
create table usage_units (
    organization_id uuid not null,
    project_id uuid not null,
    api_key_id uuid,
    member_id uuid,
    service_account_id uuid,
    feature text not null,
    provider text not null,
    model text not null,
    currency text,
    quarter_hour timestamptz not null,
    recorded_hour timestamptz not null,
    unit text not null,
    quantity bigint not null,
    unique nulls not distinct (organization_id, quarter_hour, project_id, feature, provider, model,
        api_key_id, member_id, service_account_id, currency, recorded_hour, unit)
) with (fillfactor = 70)
