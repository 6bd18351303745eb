//! What the server's catalogues say against the wall between organizations.

use sqlx::PgConnection;

/// The roles that services act as.
const ROLES: &str = "(select oid, rolname from pg_roles where rolname in ('orgledger_writer',
    'orgledger_relay', 'orgledger_projector', 'orgledger_reader', 'orgledger_operator',
    'orgledger_analyst', 'orgledger_replayer'))";

/// Tables that are somebody's for longer than a session. What a session keeps for itself is seen by
/// nobody else.
const TABLES: &str = "(select c.* from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'm', 'f') and c.relpersistence <> 't'
        and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast'))";

/// Everything that is wrong, a line each. Each question is about all of the database: nothing has to
/// be entered here for a new table, view or role of a policy.
pub(crate) async fn wrong(connection: &mut PgConnection) -> Vec<String> {
    let with_organization = "exists (select from pg_attribute a where a.attrelid = t.oid
                                     and a.attname = 'organization_id' and not a.attisdropped)";
    // Asked by its name a partition shows nothing to anybody; asked through its parent, what the
    // parent's policies give.
    let behind_its_parent = "(t.relispartition and exists (select from pg_inherits i
        join pg_class p on p.oid = i.inhparent
        where i.inhrelid = t.oid and p.relrowsecurity and p.relforcerowsecurity))";
    let questions = [
        format!(
            "select format('%s has an organization and is open', t.oid::regclass) from {TABLES} t
             where {with_organization} and not (t.relrowsecurity and t.relforcerowsecurity)
                 and not {behind_its_parent}"
        ),
        // COPY goes into no table with row-level security, so a partition has none: its wall is that
        // nobody may read it, and the writer alone may add to it.
        format!(
            "select format('%s may use the partition %s by its name', r.rolname, t.oid::regclass)
             from {TABLES} t, pg_roles r
             where t.relispartition and r.rolname like 'orgledger\\_%'
                 and (has_table_privilege(r.oid, t.oid, 'select, update, delete, truncate, references, trigger')
                     or has_any_column_privilege(r.oid, t.oid, 'select, update, references')
                     or r.rolname <> 'orgledger_writer' and has_table_privilege(r.oid, t.oid, 'insert'))"
        ),
        format!(
            "select format('%s may use %s and no policy is for it', r.rolname, t.oid::regclass)
             from {TABLES} t, {ROLES} r
             where t.relrowsecurity and (has_table_privilege(r.oid, t.oid, 'select, insert, update, delete')
                     or has_any_column_privilege(r.oid, t.oid, 'select'))
                 and not exists (select from pg_policy p
                                 where p.polrelid = t.oid and r.oid = any (p.polroles))"
        ),
        "select format('policy %s of %s is for everybody', p.polname, p.polrelid::regclass)
             from pg_policy p where 0 = any (p.polroles)".to_owned(),
        format!(
            "select format('policy %s of %s shows readers all', p.polname, t.oid::regclass)
             from pg_policy p join {TABLES} t on t.oid = p.polrelid
             where 'orgledger_reader'::regrole = any (p.polroles) and {with_organization}
                 and pg_get_expr(p.polqual, p.polrelid)
                     not like '(organization_id = ( SELECT %orgledger.organization_id%'"
        ),
        format!(
            "select format('readers may change %s', t.oid::regclass) from {TABLES} t
             where has_table_privilege('orgledger_reader', t.oid, 'insert, update, delete, truncate')
                 or has_table_privilege('orgledger_operator', t.oid, 'insert, update, delete, truncate')
                 or has_table_privilege('orgledger_analyst', t.oid, 'insert, update, delete, truncate')"
        ),
        format!(
            "select format('policy %s of %s shows analysts all', p.polname, t.oid::regclass)
             from pg_policy p join {TABLES} t on t.oid = p.polrelid
             where 'orgledger_analyst'::regrole = any (p.polroles) and {with_organization}
                 and pg_get_expr(p.polqual, p.polrelid) not like '%login = CURRENT_USER%'"
        ),
        format!(
            "select format('%s owns %s', r.rolname, pg_describe_object(d.classid, d.objid, d.objsubid))
             from pg_shdepend d join {ROLES} r on r.oid = d.refobjid
             where d.refclassid = 'pg_authid'::regclass and d.deptype = 'o'
                 and d.dbid in (0, (select oid from pg_database where datname = current_database()))
                 and not exists (select from pg_class c where d.classid = 'pg_class'::regclass
                                 and c.oid = d.objid and c.relpersistence = 't')"
        ),
        "select format('%s is too strong', rolname) from pg_roles
         where rolname like 'orgledger\\_%' and (rolsuper or rolbypassrls or rolcreaterole
             or rolcreatedb or rolreplication or rolcanlogin)"
            .to_owned(),
        format!(
            "select format('%s is a member of %s', r.rolname, m.roleid::regrole)
             from pg_auth_members m join {ROLES} r on r.oid = m.member"
        ),
        "select format('%s reads with the rights of its owner', oid::regclass) from pg_class
         where relnamespace in ('read'::regnamespace, 'reports'::regnamespace) and relkind in ('v', 'm')
             and not coalesce('security_invoker=true' = any (reloptions), false)"
            .to_owned(),
        // The one that is known makes partitions and reads nothing.
        "select format('%s runs with the rights of its owner', p.oid::regprocedure)
         from pg_proc p join pg_namespace n on n.oid = p.pronamespace
         where p.prosecdef and n.nspname !~ '^(pg_|information_schema$)'
             and p.oid <> 'log.ensure_usage_partition(date)'::regprocedure"
            .to_owned(),
    ];
    let mut found = Vec::new();
    for question in questions {
        let lines: Vec<String> =
            sqlx::query_scalar(&question).fetch_all(&mut *connection).await.expect(&question);
        found.extend(lines);
    }
    found
}
