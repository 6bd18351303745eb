select o.service_account_id as id, s.since, null::timestamptz as last_used_at,
    null::timestamptz as due_at,
    jsonb_build_array(
        jsonb_build_object('kind', 'service_account', 'id', o.service_account_id, 'name', o.name),
        jsonb_build_object('kind', 'project', 'id', p.project_id, 'name', p.name)) as subjects
from asked a
join read.service_accounts o on o.organization_id = a.organization_id
    and o.known_to is null and o.valid_to is null and o.disabled
join read.projects p on p.project_id = o.project_id and p.known_to is null and p.valid_to is null
cross join lateral (
    select min(h.valid_from) as since from read.service_accounts h
    where h.service_account_id = o.service_account_id and h.known_to is null and h.disabled) s
where s.since <= a.now
