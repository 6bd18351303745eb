-- Postgres lets every login fill the disk with temporary tables: here those alone who need them.
do $$ begin
    execute format('revoke temporary on database %I from public', current_database());
    execute format('grant temporary on database %I to orgledger_projector, orgledger_builder',
        current_database());
exception when insufficient_privilege then
    -- A database of somebody else's: they decide. See docs/operating.md.
    raise notice 'temporary tables stay open to every login of this database';
end $$;
