-- One row an event of an organization, and one a batch of its usage records.
create table audit_log (
    organization_id uuid not null,
    position bigint not null,
    -- Of a batch of usage records that of its last one; else the same.
    last_position bigint not null,
    event_id uuid not null,
    event_type text not null,
    stream_type text not null,
    stream_id text not null,
    -- Usage has no stream.
    sequence bigint,
    -- What was done: the event's type; of a refusal, the command.
    action text not null,
    -- done or refused.
    outcome text not null,
    problem text,
    permission text,
    -- As kind:id; null for usage whose message did not say.
    actor text,
    -- Who that is, where it is somebody outside whose name is theirs.
    actor_person_id uuid,
    credential text,
    target_kind text not null,
    target_id text not null,
    project_id uuid,
    -- Whose texts are in before and after.
    person_id uuid,
    -- All that it is about, by id.
    concerns uuid[] not null,
    before jsonb,
    after jsonb,
    reason text,
    -- The entry that brought it about, where the event names one.
    caused_by bigint,
    records bigint,
    source_address text,
    request_id text,
    causation_id text,
    traceparent text,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    primary key (organization_id, position)
) with (fillfactor = 95);
create index on audit_log (person_id) where person_id is not null;
create index on audit_log (actor_person_id) where actor_person_id is not null;

-- What each thing was when it was last told of, to say what it was before.
create table audit_states (
    key text primary key,
    person_id uuid,
    state jsonb not null
) with (fillfactor = 70);
create index on audit_states (person_id) where person_id is not null;
