-- No index has known_to in it: overruling a row then touches no index, and the room left on each
-- page takes the row's new state.
create table organizations (
    organization_id uuid not null,
    name text not null,
    seat_limit integer,
    settings jsonb not null,
    security jsonb not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (organization_id, known_from, valid_from)
) with (fillfactor = 85);

create table members (
    member_id uuid not null,
    person_id uuid not null,
    organization_id uuid not null,
    login text not null,
    email text,
    role text not null,
    suspended boolean not null,
    since timestamptz not null,
    granted_by text not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (member_id, known_from, valid_from)
) with (fillfactor = 85);
create index on members (organization_id, known_from);

create table invites (
    invite_id uuid not null,
    person_id uuid not null,
    organization_id uuid not null,
    email text not null,
    role text not null,
    projects jsonb not null,
    expires_at timestamptz not null,
    state text not null,
    invited_by text not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (invite_id, known_from, valid_from)
) with (fillfactor = 85);
create index on invites (organization_id, known_from);

create table projects (
    project_id uuid not null,
    organization_id uuid not null,
    name text not null,
    environment text,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (project_id, known_from, valid_from)
) with (fillfactor = 85);
create index on projects (organization_id, known_from);

create table project_members (
    project_id uuid not null,
    member_id uuid not null,
    organization_id uuid not null,
    role text not null,
    since timestamptz not null,
    granted_by text not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (project_id, member_id, known_from, valid_from)
) with (fillfactor = 85);
create index on project_members (member_id);
create index on project_members (organization_id, known_from);

create table service_accounts (
    service_account_id uuid not null,
    organization_id uuid not null,
    project_id uuid not null,
    name text not null,
    purpose text,
    disabled boolean not null,
    created_by text not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (service_account_id, known_from, valid_from)
) with (fillfactor = 85);
create index on service_accounts (organization_id, known_from);
create index on service_accounts (project_id);

create table api_keys (
    api_key_id uuid not null,
    organization_id uuid not null,
    project_id uuid,
    member_id uuid,
    service_account_id uuid,
    name text not null,
    redacted text not null,
    state text not null,
    expires_at timestamptz,
    rotation_due_at timestamptz,
    rotation_days integer,
    scopes jsonb,
    rotated_at timestamptz,
    shared boolean not null,
    secret_shown_to jsonb not null,
    created_by text not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (api_key_id, known_from, valid_from)
) with (fillfactor = 85);
create index on api_keys (organization_id, known_from);
create index on api_keys (project_id);
create index on api_keys (member_id);
create index on api_keys (service_account_id);

create table roles (
    role_id uuid not null,
    organization_id uuid not null,
    name text not null,
    permissions jsonb not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (role_id, known_from, valid_from)
) with (fillfactor = 85);
create index on roles (organization_id, known_from);

create table role_grants (
    role_id uuid not null,
    grantee_id uuid not null,
    grantee_kind text not null,
    project_id uuid,
    organization_id uuid not null,
    since timestamptz not null,
    granted_by text not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    unique nulls not distinct (role_id, grantee_id, project_id, known_from, valid_from)
) with (fillfactor = 85);
create index on role_grants (grantee_id);
create index on role_grants (project_id);
create index on role_grants (organization_id, known_from);

create table groups (
    group_id uuid not null,
    organization_id uuid not null,
    name text not null,
    role text,
    since timestamptz not null,
    granted_by text not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (group_id, known_from, valid_from)
) with (fillfactor = 85);
create index on groups (organization_id, known_from);

create table group_members (
    group_id uuid not null,
    member_id uuid not null,
    organization_id uuid not null,
    since timestamptz not null,
    granted_by text not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (group_id, member_id, known_from, valid_from)
) with (fillfactor = 85);
create index on group_members (member_id);
create index on group_members (organization_id, known_from);

create table project_groups (
    project_id uuid not null,
    group_id uuid not null,
    organization_id uuid not null,
    role text not null,
    since timestamptz not null,
    granted_by text not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    known_from bigint not null,
    known_to bigint,
    opened_by bigint not null,
    closed_by bigint,
    primary key (project_id, group_id, known_from, valid_from)
) with (fillfactor = 85);
create index on project_groups (group_id);
create index on project_groups (organization_id, known_from);

create table sequences (
    stream_type text not null,
    stream_id uuid not null,
    organization_id uuid not null,
    sequence bigint not null,
    primary key (stream_type, stream_id)
) with (fillfactor = 85);
-- The texts under which external actors stand in the columns above, so that they are found again when
-- such a person is erased.
create table external_actors (
    person_id uuid not null,
    actor text not null,
    primary key (person_id, actor)
);
