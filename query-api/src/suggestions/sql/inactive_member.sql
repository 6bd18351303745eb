select m.member_id as id, greatest(j.joined_at, u.used_at, c.last_at) as since,
    greatest(u.used_at, c.last_at) as last_used_at, null::timestamptz as due_at,
    jsonb_build_array(
        jsonb_build_object('kind', 'member', 'id', m.member_id, 'name', m.login)) as subjects
from asked a
join read.members m on m.organization_id = a.organization_id
    and m.known_to is null and m.valid_to is null and not m.suspended
cross join lateral (
    select min(h.valid_from) as joined_at from read.members h
    where h.member_id = m.member_id and h.known_to is null) j
cross join lateral (
    select max(l.last_used_at) as used_at from read.last_use l
    where l.organization_id = m.organization_id and l.member_id = m.member_id) u
left join read.last_commands c on c.organization_id = m.organization_id
    and c.actor_kind = 'member' and c.actor_id = m.member_id
where greatest(j.joined_at, u.used_at, c.last_at) <= a.now - interval '90 days'
