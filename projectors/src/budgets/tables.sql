-- What is a budget, and was: as of any time and any position. It ends with what it is on.
create table budgets (
    budget_id uuid not null,
    organization_id uuid not null,
    scope text not null,
    -- The project that it is on, or its key's.
    project_id uuid,
    api_key_id uuid,
    member_id uuid,
    -- The member or the service account whose key it is on.
    key_owner_id uuid,
    feature text,
    keeper text not null,
    name text not null,
    currency text not null,
    period text not null,
    -- An exact decimal.
    amount text not null,
    -- In percent, ascending.
    thresholds jsonb not null,
    action text not null,
    time_zone text not null,
    set_by text not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (budget_id, known_from, valid_from)
) with (fillfactor = 85);
create index on budgets (organization_id, known_from);
create index on budgets (project_id) where known_to is null;
create index on budgets (api_key_id) where known_to is null;
create index on budgets (member_id) where known_to is null;
create index on budgets (key_owner_id) where known_to is null;

-- Whose each API key is: a budget on it ends with them.
create table budget_keys (
    api_key_id uuid primary key,
    organization_id uuid not null,
    owner_id uuid not null
);

-- What usage is held against: a row for each budget that was not removed.
create table budget_counts (
    budget_id uuid primary key,
    organization_id uuid not null,
    currency text not null,
    scope text not null,
    -- The id or the feature; empty for the organization.
    subject text not null,
    period text not null,
    time_zone text not null,
    -- The first period that is watched: the one in which it was set.
    first_period date not null
);
create index on budget_counts (organization_id, currency, scope, subject);

-- The amount and the thresholds of a budget, from the period that they were set or changed in.
create table budget_terms (
    budget_id uuid not null,
    organization_id uuid not null,
    from_period date not null,
    amount numeric(38,12) not null,
    thresholds integer[] not null,
    primary key (budget_id, from_period)
);

-- What was spent in each period, by the day in the budget's time zone that it begins with;
-- 0001-01-01 where it never begins anew.
create table budget_periods (
    budget_id uuid not null,
    organization_id uuid not null,
    period date not null,
    spent numeric(38,12) not null,
    primary key (budget_id, period)
) with (fillfactor = 50);

-- What was spent of a budget by the quarter of an hour in which it was used, whichever its periods are:
-- every time zone's days begin with one. What was used long before its first period is not there.
create table budget_spending (
    budget_id uuid not null,
    organization_id uuid not null,
    quarter_hour timestamptz not null,
    cost numeric(38,12) not null,
    primary key (budget_id, quarter_hour)
) with (fillfactor = 50);

-- The same by what it came with: what the log knew at another position. A batch stands at its first
-- record's, a correction at its event's, what had been used before at that of the event that set the
-- budget.
create table budget_entries (
    budget_id uuid not null,
    organization_id uuid not null,
    position bigint not null,
    quarter_hour timestamptz not null,
    cost numeric(38,12) not null,
    primary key (budget_id, position, quarter_hour)
);

-- What was reached: a share of the amount, in percent, or (null) all of it.
create table budget_crossings (
    budget_id uuid not null,
    organization_id uuid not null,
    period date not null,
    -- Null where the period never begins anew.
    starts_at timestamptz,
    ends_at timestamptz,
    amount numeric(38,12) not null,
    threshold integer,
    spent numeric(38,12) not null,
    -- The usage record that came to it, or the event that set or changed the budget, or priced usage
    -- again.
    position bigint not null,
    -- The event that has it on record, or with which the budget was removed before.
    recorded_at_position bigint,
    -- When it was put on record; null where it was not.
    told_at timestamptz,
    unique nulls not distinct (budget_id, period, amount, threshold)
);
create index on budget_crossings (organization_id, budget_id);
create index on budget_crossings (position) where recorded_at_position is null;

-- What was used, by all that a budget can be on and by the quarter of an hour: a budget that is set
-- counts what was used before it, and every time zone's days begin with a quarter of an hour.
create table budget_usage (
    organization_id uuid not null,
    currency text not null,
    quarter_hour timestamptz not null,
    project_id uuid not null,
    api_key_id uuid,
    member_id uuid,
    feature text not null,
    cost numeric(38,12) not null,
    unique nulls not distinct (organization_id, currency, quarter_hour, project_id, api_key_id,
        member_id, feature)
) with (fillfactor = 70)
