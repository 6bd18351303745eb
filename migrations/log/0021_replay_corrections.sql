-- Who folds history again reads what usage costs since it was priced again, too: balances, budgets and costs
-- follow it.

grant select on log.usage_corrections to orgledger_replayer;
create policy replayer on log.usage_corrections for select to orgledger_replayer using (true);
