select o.organization_id as id, n.reached_at as since, null::timestamptz as last_used_at,
    null::timestamptz as due_at, n.subjects
from asked a
join read.organizations o on o.organization_id = a.organization_id
    and o.known_to is null and o.valid_to is null
cross join lateral (
    select coalesce((o.settings ->> 'admins_max')::integer, 5) as most) s
cross join lateral (
    select count(*) as admins,
        -- Since the one came who was too many.
        (array_agg(w.since order by w.since, w.member_id))[s.most + 1] as reached_at,
        jsonb_agg(jsonb_build_object('kind', 'member', 'id', w.member_id, 'name', w.login)
            order by lower(w.login) collate "C", w.member_id) as subjects
    from (
        select m.member_id, m.login, min(v.since) as since
        from read.members m
        cross join lateral (
            select m.since where m.role in ('owner', 'admin')
            union all
            select greatest(g.since, t.since) from read.group_members t
            join read.groups g on g.group_id = t.group_id
                and g.known_to is null and g.valid_to is null and g.role in ('owner', 'admin')
            where t.member_id = m.member_id and t.known_to is null and t.valid_to is null
        ) v(since)
        where m.organization_id = o.organization_id
            and m.known_to is null and m.valid_to is null and not m.suspended
        group by m.member_id, m.login
    ) w
) n
where n.admins > s.most
