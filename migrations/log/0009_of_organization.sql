-- What an organization has: its projects, API keys and access reviews, each found by its first event,
-- whatever has become of it since.
create index events_of_organization on log.events (organization_id, event_type)
    where event_type in ('project.created', 'api_key.created', 'access_review.opened');
