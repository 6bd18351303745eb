-- How many budgets an organization has is asked before each new one.
create index events_of_budgets on log.events (organization_id, event_type)
    where event_type in ('budget.set', 'budget.removed');
