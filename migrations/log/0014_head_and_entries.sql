-- Ties the head to what it covers. Whoever may append may write both, and a head without its entries,
-- or an entry beyond the head, is a hole: every reader stops there. So one statement moves the head and
-- writes exactly the entries between where it was and where it is, of one lane: events, or batches of
-- usage. All else is refused, to the owner as well.

-- Where the head stood before its last move. Set by the trigger alone, whatever a statement says.
alter table log.head add column moved_from bigint not null default 0;
update log.head set moved_from = position;

create function log.move_head() returns trigger language plpgsql as $$
begin
    new.moved_from := case when new.position = old.position then old.moved_from else old.position end;
    if new.position < old.position then
        raise exception 'the log is append-only: its head stands at % and does not go back to %',
            old.position, new.position using errcode = 'integrity_constraint_violation';
    end if;
    -- Every later entry is as late as this, so a time that is still to come would stay for ever.
    if new.recorded_at < old.recorded_at or new.recorded_at > greatest(old.recorded_at, clock_timestamp()) then
        raise exception 'the log''s clock stands at % and is not set to %', old.recorded_at, new.recorded_at
            using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;

-- Whether the entries are the right ones is for their own triggers; that there are any is seen by the
-- one that ends at the head: events and batches beyond the head are refused, so it was written with it.
create function log.head_has_entries() returns trigger language plpgsql as $$
begin
    if not exists (select from log.events where position = new.position)
        and not exists (select from log.usage_batches
                        where first_position > old.position and first_position + count - 1 = new.position)
    then
        raise exception 'the log has no holes: its head is moved to % without an entry there', new.position
            using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end $$;

create function log.events_reach_head() returns trigger language plpgsql as $$
begin
    -- Positions are unique, so as many of them as there are places, from the first to the last, are all.
    if not exists (
        select from log.head h,
            (select count(*) as events, min(position) as first, max(position) as last from written) w
        where w.events = 0
           or (w.first = h.moved_from + 1 and w.last = h.position
               and w.events = h.position - h.moved_from
               and not exists (select from log.usage_batches where first_position > h.moved_from)))
    then
        raise exception 'the log has no holes: events are written with the head, and up to it'
            using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end $$;

create function log.usage_batches_reach_head() returns trigger language plpgsql as $$
begin
    if not exists (
        select from log.head h,
            (select count(*) as batches, min(first_position) as first,
                    bool_and(follows is null or follows = first_position + count) as in_a_row,
                    max(first_position + count - 1) as last
             from (select first_position, count, lead(first_position) over (order by first_position) as follows
                   from written) b) w
        where w.batches = 0
           or (w.first = h.moved_from + 1 and w.last = h.position and w.in_a_row
               and not exists (select from log.events where position > h.moved_from)))
    then
        raise exception 'the log has no holes: batches of usage are written with the head, and up to it'
            using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end $$;

create trigger moved before update on log.head
    for each row execute function log.move_head();
create trigger with_entries after update on log.head
    for each row when (new.position <> old.position) execute function log.head_has_entries();
create trigger up_to_the_head after insert on log.events referencing new table as written
    for each statement execute function log.events_reach_head();
create trigger up_to_the_head after insert on log.usage_batches referencing new table as written
    for each statement execute function log.usage_batches_reach_head();
