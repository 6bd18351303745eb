-- Which API keys a member or a project has: found by their first event, whatever their state is by now.
create index events_api_key_member on log.events ((payload -> 'owner' ->> 'member_id'))
    where aggregate_type = 'api_key' and event_type = 'api_key.created';
create index events_api_key_project on log.events ((payload ->> 'project_id'))
    where aggregate_type = 'api_key' and event_type = 'api_key.created';
