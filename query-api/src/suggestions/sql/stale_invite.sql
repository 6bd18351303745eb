select i.invite_id as id, i.valid_from as since, null::timestamptz as last_used_at,
    null::timestamptz as due_at,
    jsonb_build_array(
        jsonb_build_object('kind', 'invite', 'id', i.invite_id, 'name', i.email)) as subjects
from asked a
join read.invites i on i.organization_id = a.organization_id
    and i.known_to is null and i.valid_to is null and i.state = 'open'
where i.valid_from <= a.now - interval '14 days'
