select k.api_key_id as id, k.expires_at - interval '14 days' as since,
    null::timestamptz as last_used_at, k.expires_at as due_at,
    (select jsonb_agg(s.subject order by s.n) from (values
        (1, k.api_key_id, jsonb_build_object('kind', 'api_key', 'id', k.api_key_id, 'name', k.name)),
        (2, m.member_id, jsonb_build_object('kind', 'member', 'id', m.member_id, 'name', m.login)),
        (3, o.service_account_id, jsonb_build_object(
            'kind', 'service_account', 'id', o.service_account_id, 'name', o.name)),
        (4, p.project_id, jsonb_build_object('kind', 'project', 'id', p.project_id, 'name', p.name))
    ) as s(n, id, subject) where s.id is not null) as subjects
from asked a
join read.api_keys k on k.organization_id = a.organization_id
    and k.known_to is null and k.valid_to is null and k.state = 'active'
    and (k.expires_at is null or k.expires_at > a.now)
left join read.members m on m.member_id = k.member_id
    and m.known_to is null and m.valid_to is null
left join read.service_accounts o on o.service_account_id = k.service_account_id
    and o.known_to is null and o.valid_to is null
left join read.projects p on p.project_id = k.project_id
    and p.known_to is null and p.valid_to is null
where k.expires_at <= a.now + interval '14 days'
