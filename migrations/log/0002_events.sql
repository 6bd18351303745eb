-- One row: the head of the log. Every append locks it, takes the next positions from it and
-- commits, so positions have no gaps and are in commit order.
create table log.head (
    only_row boolean primary key default true check (only_row),
    position bigint not null default 0,
    -- recorded_at never goes back as positions grow, whatever the machine's clock does.
    recorded_at timestamptz not null default '-infinity'
) with (fillfactor = 10);
insert into log.head default values;

create table log.events (
    position bigint primary key check (position > 0),
    event_id uuid not null unique,
    organization_id uuid,
    aggregate_type text not null,
    aggregate_id text not null,
    sequence bigint not null check (sequence > 0),
    event_type text not null,
    event_version text not null,
    -- json, not jsonb: the stored text is what gets hashed.
    payload json not null,
    metadata json not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    unique (aggregate_type, aggregate_id, sequence)
);
-- The price book is folded from these alone; there are few of them among many events.
create index events_price_list on log.events (position) where aggregate_type = 'price_list';

-- What a command with this key has answered. Written in the append's transaction.
create table log.idempotency_keys (
    scope text not null,
    key text not null,
    fingerprint bytea not null,
    outcome json not null,
    -- The last position of the command's events; where it had none, the head it was decided on.
    position bigint not null,
    recorded_at timestamptz not null,
    primary key (scope, key)
);

create function log.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the log is append-only: % on %.% is refused', tg_op, tg_table_schema, tg_table_name
        using errcode = 'insufficient_privilege',
              hint = 'Record a correcting event instead.';
end $$;

create trigger append_only before update or delete on log.events
    for each row execute function log.refuse_change();
create trigger no_truncate before truncate on log.events
    for each statement execute function log.refuse_change();
create trigger append_only before update or delete on log.idempotency_keys
    for each row execute function log.refuse_change();
create trigger no_truncate before truncate on log.idempotency_keys
    for each statement execute function log.refuse_change();
create trigger one_head before delete on log.head
    for each row execute function log.refuse_change();
create trigger no_truncate before truncate on log.head
    for each statement execute function log.refuse_change();

grant select, insert on log.events, log.idempotency_keys to orgledger_writer;
grant select, update on log.head to orgledger_writer;
grant select on log.events, log.head to orgledger_relay, orgledger_projector;
