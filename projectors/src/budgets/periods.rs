//! Periods, in SQL: where they begin and end by the clocks of a time zone, daylight saving and all.

/// The day that a period begins with that never begins anew.
pub(super) const TOTAL: &str = "date '0001-01-01'";

/// The period of a time: `c` is a budget of `budget_counts`. Postgres knows the zone: nobody sets a
/// budget in one that it does not.
pub(super) fn of(time: &str) -> String {
    format!(
        "case c.period when 'total' then {TOTAL} else date_trunc(
             case c.period when 'daily' then 'day' when 'weekly' then 'week' else 'month' end,
             {time} at time zone c.time_zone)::date end"
    )
}

/// When the period of that day begins; none where it never does.
pub(super) fn starts_at(day: &str) -> String {
    format!(
        "case c.period when 'total' then null else {} end",
        start_of(&format!("{day}::timestamp"))
    )
}

/// When the period of that day ends; none where it never does.
pub(super) fn ends_at(day: &str) -> String {
    let after = format!(
        "({day}::timestamp + case c.period when 'daily' then interval '1 day'
             when 'weekly' then interval '7 days' else interval '1 month' end)"
    );
    format!("case c.period when 'total' then null else {} end", start_of(&after))
}

/// When a day begins by its midnight: with the first quarter of an hour that is of it. Clocks that are set
/// back at one o'clock pass midnight twice, and of two such times Postgres takes the second.
fn start_of(midnight: &str) -> String {
    format!(
        "(select min(time) from generate_series({midnight} at time zone c.time_zone - interval '3 hours',
             {midnight} at time zone c.time_zone, interval '15 minutes') as time
          where (time at time zone c.time_zone)::date >= {midnight}::date)"
    )
}

/// Whether what was used then is kept by when it was used: from the budget's first period on in any time
/// zone, for a change may bring another.
pub(super) fn is_kept(time: &str) -> String {
    format!("{time} >= c.first_period::timestamp at time zone 'UTC' - interval '1 day'")
}

/// Whether usage is that which the budget `c` counts.
pub(super) const COUNTS: &str = "c.organization_id = u.organization_id
    and c.currency = u.currency
    and case c.scope when 'organization' then true when 'project' then c.subject = u.project_id::text
        when 'api_key' then c.subject = u.api_key_id::text
        when 'member' then c.subject = u.member_id::text else c.subject = u.feature end";

/// What was spent is what was used.
pub(super) const USED: &str = "
    select format('%s was spent of budget %s in the period %s, and %s was used', p.spent,
        c.budget_id, p.period, coalesce(used.cost, 0))
    from budget_counts c join budget_periods p using (budget_id)
    cross join lateral (
        select sum(u.cost) as cost from budget_usage u
        where u.organization_id = c.organization_id and u.currency = c.currency
            and case c.scope when 'organization' then true
                when 'project' then c.subject = u.project_id::text
                when 'api_key' then c.subject = u.api_key_id::text
                when 'member' then c.subject = u.member_id::text else c.subject = u.feature end
            and p.period = case c.period when 'total' then date '0001-01-01' else date_trunc(
                case c.period when 'daily' then 'day' when 'weekly' then 'week' else 'month' end,
                u.quarter_hour at time zone c.time_zone)::date end) used
    where p.spent <> coalesce(used.cost, 0)";

/// It is that by when it was used, too.
pub(super) const BY_QUARTERS: &str = "
    select format('%s was spent of budget %s in the period %s, and %s by the quarter of an hour',
        p.spent, c.budget_id, p.period, coalesce(spent.cost, 0))
    from budget_counts c join budget_periods p using (budget_id)
    cross join lateral (
        select sum(s.cost) as cost from budget_spending s
        where s.budget_id = c.budget_id and p.period = case c.period
            when 'total' then date '0001-01-01' else date_trunc(
                case c.period when 'daily' then 'day' when 'weekly' then 'week' else 'month' end,
                s.quarter_hour at time zone c.time_zone)::date end) spent
    where p.spent <> coalesce(spent.cost, 0)";

/// And by what it came with.
pub(super) const BY_ENTRIES: &str = "
    select format('%s was spent of budget %s in the quarter of an hour from %s, and %s was entered',
        coalesce(s.cost, 0), budget_id, quarter_hour, coalesce(e.cost, 0))
    from budget_spending s
    full join (select budget_id, quarter_hour, sum(cost) as cost
               from budget_entries group by 1, 2) e using (budget_id, quarter_hour)
    where s.cost is distinct from e.cost";
