-- A reader uses nothing in a project, and is not idle for that.
select m.member_id as id, greatest(t.since, u.used_at) as since, u.used_at as last_used_at,
    null::timestamptz as due_at,
    jsonb_build_array(
        jsonb_build_object('kind', 'member', 'id', m.member_id, 'name', m.login),
        jsonb_build_object('kind', 'project', 'id', p.project_id, 'name', p.name)) as subjects
from asked a
join read.project_members t on t.organization_id = a.organization_id
    and t.known_to is null and t.valid_to is null and t.role <> 'reader'
join read.members m on m.member_id = t.member_id
    and m.known_to is null and m.valid_to is null and not m.suspended
join read.projects p on p.project_id = t.project_id and p.known_to is null and p.valid_to is null
cross join lateral (
    select max(l.last_used_at) as used_at from read.last_use l
    where l.organization_id = t.organization_id and l.project_id = t.project_id
        and l.member_id = t.member_id) u
where greatest(t.since, u.used_at) <= a.now - interval '90 days'
