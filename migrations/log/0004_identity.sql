-- Which log this is. Every message that the relay publishes carries it, so that a stream is never
-- filled from two logs. A restored or copied database keeps it.
create table log.identity (
    only_row boolean primary key default true check (only_row),
    log_id uuid not null default gen_random_uuid()
);
insert into log.identity default values;

create trigger append_only before update or delete on log.identity
    for each row execute function log.refuse_change();
create trigger no_truncate before truncate on log.identity
    for each statement execute function log.refuse_change();

grant select on log.identity to orgledger_writer, orgledger_relay, orgledger_projector;
