create table approvals (
    approval_id uuid not null,
    organization_id uuid not null,
    action text not null,
    request jsonb not null,
    state text not null,
    requested_by uuid not null,
    requested_at timestamptz not null,
    expires_at timestamptz not null,
    decided_by uuid,
    reason text,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (approval_id, known_from, valid_from)
) with (fillfactor = 85);
create index on approvals (organization_id, known_from);

create table break_glass (
    break_glass_id uuid not null,
    organization_id uuid not null,
    operator text not null,
    reason text not null,
    minutes integer not null,
    state text not null,
    requested_at timestamptz not null,
    opened_at timestamptz,
    expires_at timestamptz,
    ended_at timestamptz,
    decided_by text,
    reviewed_by text,
    reviewed_at timestamptz,
    note text,
    took_in jsonb not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (break_glass_id, known_from, valid_from)
) with (fillfactor = 85);
create index on break_glass (organization_id, known_from);
create index on break_glass (expires_at) where (state = 'open');

create table webhooks (
    webhook_id uuid not null,
    organization_id uuid not null,
    url text not null,
    description text,
    event_types jsonb not null,
    -- enabled or disabled.
    state text not null,
    disabled_because text,
    secret_rotated_at timestamptz,
    previous_signs_until timestamptz,
    created_by text not null,
    created_at timestamptz not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (webhook_id, known_from, valid_from)
) with (fillfactor = 85);
create index on webhooks (organization_id, known_from);

create table refusals (
    refusal_id uuid not null,
    organization_id uuid not null,
    actor text not null,
    command text not null,
    problem text not null,
    permission text,
    unrecorded_before bigint not null,
    occurred_at timestamptz not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (refusal_id, known_from, valid_from)
) with (fillfactor = 85);
create index on refusals (organization_id, known_from);
