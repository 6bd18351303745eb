-- Webhooks. What they are stands in the log; what came of sending is no fact about the organization, and
-- cannot be computed from the log either: it stands here, and is backed up with the log. See
-- docs/adr/0026-webhooks-are-delivered-from-the-log.md.

-- Webhooks are folded from these alone; there are few of them among many events.
create index events_webhook on log.events (position) where aggregate_type = 'webhook';
-- How many an organization has is asked before each new one.
create index events_of_webhooks on log.events (organization_id) where aggregate_type = 'webhook';

create schema delivery;
grant usage on schema delivery to orgledger_writer, orgledger_reader, orgledger_operator;

-- How far each webhook is.
create table delivery.webhooks (
    webhook_id uuid primary key,
    organization_id uuid not null,
    -- Every event up to here was taken, or was none to be sent.
    position bigint not null,
    -- The position of the last webhook.replay_requested that was seen to, or is being.
    replay bigint not null default 0,
    -- Of the one that is being seen to: every event up to here was sent again; null where there is none.
    replay_position bigint,
    replay_upto bigint,
    -- Of the event that is to be sent next: how often it was tried in vain since anybody changed
    -- anything about the webhook, which then stood at this sequence.
    attempts integer not null default 0,
    sequence bigint not null default 0,
    next_attempt_at timestamptz,
    -- Of the last try of all.
    attempted_at timestamptz,
    status smallint,
    error text
) with (fillfactor = 50);

-- What was sent, for some weeks.
create table delivery.deliveries (
    webhook_id uuid not null,
    position bigint not null,
    organization_id uuid not null,
    event_id uuid not null,
    event_type text not null,
    -- delivered: taken; retrying: not yet; failed: nothing more is tried until somebody enables the webhook.
    state text not null check (state in ('delivered', 'retrying', 'failed')),
    -- How often it was sent in all.
    attempts integer not null,
    -- What the endpoint answered last; null where it did not.
    status smallint,
    error text,
    first_attempt_at timestamptz not null,
    last_attempt_at timestamptz not null,
    primary key (webhook_id, position)
) with (fillfactor = 80);
create index deliveries_age on delivery.deliveries (last_attempt_at);

grant select, insert, update, delete on delivery.webhooks, delivery.deliveries to orgledger_writer;
grant select on delivery.webhooks, delivery.deliveries to orgledger_reader, orgledger_operator;

do $$
declare
    enclosed regclass;
begin
    foreach enclosed in array array['delivery.webhooks', 'delivery.deliveries']::regclass[] loop
        execute format('alter table %s enable row level security, force row level security', enclosed);
        execute format('create policy writer on %s to orgledger_writer using (true)', enclosed);
        execute format('create policy operator on %s for select to orgledger_operator using (true)', enclosed);
        execute format(
            'create policy reader on %s for select to orgledger_reader using (organization_id = (
                 select nullif(current_setting(''orgledger.organization_id'', true), '''')::uuid))', enclosed);
    end loop;
end $$;
