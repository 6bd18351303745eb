select p.project_id as id, greatest(c.made_at, m.ended_at, g.ended_at) as since,
    null::timestamptz as last_used_at, null::timestamptz as due_at,
    jsonb_build_array(
        jsonb_build_object('kind', 'project', 'id', p.project_id, 'name', p.name)) as subjects
from asked a
join read.projects p on p.organization_id = a.organization_id
    and p.known_to is null and p.valid_to is null
cross join lateral (
    select min(h.valid_from) as made_at from read.projects h
    where h.project_id = p.project_id and h.known_to is null) c
-- An owner's time ends with the role, or with a suspension.
cross join lateral (
    select max(coalesce(t.valid_to, s.valid_from)) as ended_at,
        count(*) filter (where t.valid_to is null and not s.suspended) as owners
    from read.project_members t
    left join read.members s on s.member_id = t.member_id
        and s.known_to is null and s.valid_to is null
    where t.project_id = p.project_id and t.known_to is null and t.role = 'owner') m
cross join lateral (
    select max(t.valid_to) as ended_at,
        count(*) filter (where t.valid_to is null and exists (
            select from read.group_members i
            join read.members s on s.member_id = i.member_id
                and s.known_to is null and s.valid_to is null and not s.suspended
            where i.group_id = t.group_id and i.known_to is null and i.valid_to is null)) as owners
    from read.project_groups t
    where t.project_id = p.project_id and t.known_to is null and t.role = 'owner') g
where m.owners = 0 and g.owners = 0
