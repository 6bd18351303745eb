//! Who may do what, as of any time and any position.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use projectors::catch_up;
use sqlx::PgPool;

use crate::support::history::{Happening, Story, minute};
use crate::support::{House, access_register, naive};

async fn rows_as_of(reader: &PgPool, time: DateTime<Utc>, position: i64) -> BTreeSet<String> {
    let known = "known_from <= $2 and (known_to is null or known_to > $2)
                 and valid_from <= $1 and (valid_to is null or valid_to > $1)";
    let at = "to_char(since at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"+00:00\"')";
    let nil = "00000000-0000-0000-0000-000000000000";
    let sql = format!(
        "select concat_ws(' ', 'member', member_id, '{nil}', '{nil}', role, suspended::text, {at}, granted_by)
             from read.members where {known}
         union all
         select concat_ws(' ', 'project_member', project_id, member_id, '{nil}', role, 'false', {at}, granted_by)
             from read.project_members where {known}
         union all
         select concat_ws(' ', 'api_key', api_key_id, '{nil}', '{nil}', state, 'false', '', created_by)
             from read.api_keys where {known}
         union all
         select concat_ws(' ', 'organization', organization_id, '{nil}', '{nil}',
                 coalesce(settings ->> 'admins_max', 'null'),
                 jsonb_array_length(security -> 'approvals'), 'false', '', '')
             from read.organizations where {known}
         union all
         select concat_ws(' ', 'role', role_id, '{nil}', '{nil}',
                 array_to_string(array(select jsonb_array_elements_text(permissions)), ','),
                 'false', '', '')
             from read.roles where {known}
         union all
         select concat_ws(' ', 'role_grant', role_id, grantee_id, coalesce(project_id, '{nil}'),
                 grantee_kind, 'false', {at}, granted_by)
             from read.role_grants where {known}
         union all
         select concat_ws(' ', 'group', group_id, '{nil}', '{nil}', coalesce(role, 'none'), 'false',
                 {at}, granted_by)
             from read.groups where {known}
         union all
         select concat_ws(' ', 'group_member', group_id, member_id, '{nil}', '', 'false', {at},
                 granted_by)
             from read.group_members where {known}
         union all
         select concat_ws(' ', 'project_group', project_id, group_id, '{nil}', role, 'false', {at},
                 granted_by)
             from read.project_groups where {known}"
    );
    let rows: Vec<String> =
        sqlx::query_scalar(&sql).bind(time).bind(position).fetch_all(reader).await.unwrap();
    let count = rows.len();
    let rows: BTreeSet<String> = rows.into_iter().collect();
    assert_eq!(rows.len(), count, "nothing is said twice");
    rows
}

async fn compare(house: &House, happenings: &[Happening]) {
    let head = i64::try_from(happenings.len()).unwrap();
    for position in (1..=head).step_by(23).chain([head]) {
        for at in (0..=head + 200).step_by(41) {
            let found = rows_as_of(&house.reader, minute(at), position).await;
            let expected = naive::as_of(happenings, minute(at), position);
            assert_eq!(found, expected, "at minute {at}, known at {position}");
        }
    }
}

#[tokio::test]
async fn every_date_and_position_is_as_the_whole_history_says() {
    for seed in [1, 2] {
        let happenings = Story::new(seed).tell(400);
        let house = House::with(&happenings).await;
        let feed = house.feed_in_pages_of(60);
        catch_up(&house.read, &feed, &[access_register()], 400).await.unwrap();
        compare(&house, &happenings).await;
    }
}
