-- What an audit log is asked by. Nothing that is applied needs them.
create index on audit_log (organization_id, action, position);
create index on audit_log (organization_id, actor, position);
create index on audit_log (organization_id, occurred_at);
create index on audit_log (organization_id, recorded_at);
create index on audit_log (organization_id, request_id, position);
create index on audit_log (organization_id, event_id);
create index on audit_log (caused_by) where caused_by is not null;
create index on audit_log using gin (concerns);
