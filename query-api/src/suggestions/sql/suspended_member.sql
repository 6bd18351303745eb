select m.member_id as id, s.since, null::timestamptz as last_used_at, null::timestamptz as due_at,
    jsonb_build_array(
        jsonb_build_object('kind', 'member', 'id', m.member_id, 'name', m.login)) as subjects
from asked a
join read.members m on m.organization_id = a.organization_id
    and m.known_to is null and m.valid_to is null and m.suspended
-- The first of the rows after the last one in which they were not.
cross join lateral (
    select min(h.valid_from) as since from read.members h
    where h.member_id = m.member_id and h.known_to is null and h.valid_from >= coalesce(
        (select max(b.valid_to) from read.members b
         where b.member_id = m.member_id and b.known_to is null and not b.suspended),
        '-infinity')) s
where s.since <= a.now - interval '90 days'
