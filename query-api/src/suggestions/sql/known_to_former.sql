select k.api_key_id as id, s.since, null::timestamptz as last_used_at, null::timestamptz as due_at,
    (select jsonb_agg(s.subject order by s.n) from (values
        (1, k.api_key_id, jsonb_build_object('kind', 'api_key', 'id', k.api_key_id, 'name', k.name)),
        (2, s.member_id, jsonb_build_object('kind', 'member', 'id', s.member_id, 'name', s.login)),
        (3, o.service_account_id, jsonb_build_object(
            'kind', 'service_account', 'id', o.service_account_id, 'name', o.name)),
        (4, p.project_id, jsonb_build_object('kind', 'project', 'id', p.project_id, 'name', p.name))
    ) as s(n, id, subject) where s.id is not null) as subjects
from asked a
join read.api_keys k on k.organization_id = a.organization_id
    and k.known_to is null and k.valid_to is null and k.state = 'active'
    and (k.expires_at is null or k.expires_at > a.now)
-- Of those who were shown it, the one who may not act for longest: removed since their last row
-- ended, or suspended since it began.
cross join lateral (
    select h.member_id, h.login, coalesce(h.valid_to, (
        -- The first of the rows after the last one in which they were not suspended.
        select min(r.valid_from) from read.members r
        where r.member_id = h.member_id and r.known_to is null and r.valid_from >= coalesce(
            (select max(b.valid_to) from read.members b
             where b.member_id = h.member_id and b.known_to is null and not b.suspended),
            '-infinity'))) as since
    from jsonb_array_elements_text(k.secret_shown_to) shown(member_id)
    cross join lateral (
        select m.member_id, m.login, m.suspended, m.valid_to from read.members m
        where m.member_id = shown.member_id::uuid and m.organization_id = a.organization_id
            and m.known_to is null
        order by m.valid_from desc limit 1) h
    where h.suspended or h.valid_to is not null
    order by since, h.member_id limit 1) s
left join read.service_accounts o on o.service_account_id = k.service_account_id
    and o.known_to is null and o.valid_to is null
left join read.projects p on p.project_id = k.project_id
    and p.known_to is null and p.valid_to is null
