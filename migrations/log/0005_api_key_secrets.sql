-- Which API key a presented secret belongs to: found by its hash, whatever the key's state is by now.
create index events_api_key_secret on log.events ((payload ->> 'secret_hash'))
    where aggregate_type = 'api_key' and event_type in ('api_key.created', 'api_key.rotated');
