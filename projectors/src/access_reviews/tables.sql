create table access_reviews (
    access_review_id uuid primary key,
    organization_id uuid not null,
    title text not null,
    -- What it looks at, as `access_review.opened` says it.
    scope jsonb not null,
    due_at timestamptz not null,
    -- open, completed or cancelled.
    state text not null,
    opened_by text not null,
    opened_at timestamptz not null,
    -- The event's position: what the log knew at another.
    opened_position bigint not null,
    closed_by text,
    closed_at timestamptz,
    closed_position bigint,
    -- Why it was cancelled.
    reason text,
    -- Of its stream's last event: what a command names in `If-Match`.
    sequence bigint not null default 0
) with (fillfactor = 70);
create index on access_reviews (organization_id, opened_at);

create table access_review_lines (
    line_id uuid primary key,
    access_review_id uuid not null,
    organization_id uuid not null,
    -- The line's place in the review, from 1.
    ordinal integer not null,
    kind text not null,
    -- Whose access it is: a member, a group or a service account.
    holder_kind text not null,
    holder_id uuid not null,
    project_id uuid,
    group_id uuid,
    role_id uuid,
    api_key_id uuid,
    -- What was held, as `access_review.opened` says it.
    held jsonb not null,
    decision text,
    reason text,
    attested_by text,
    attested_at timestamptz,
    -- Once the review is completed: kept, revoked or already_ended; cancelled, where it was.
    outcome text
) with (fillfactor = 70);
create index on access_review_lines (access_review_id, ordinal);
create index on access_review_lines (organization_id);

-- All that was ever said of a line: what had been said at a time, or was known at a position.
create table access_review_attestations (
    line_id uuid not null,
    organization_id uuid not null,
    position bigint not null,
    decision text not null,
    reason text,
    attested_by text not null,
    attested_at timestamptz not null,
    primary key (line_id, position)
);
create index on access_review_attestations (organization_id);
