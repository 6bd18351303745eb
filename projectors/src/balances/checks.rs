//! Whether balance, lots and journal agree. Each question finds what does not, a line each.

/// Every entry sums to zero.
const ENTRIES: &str = "select format('the entry of %s at position %s of %s in %s sums to %s',
        booked_on, position, organization_id, currency, sum(amount))
    from credit_journal group by organization_id, currency, booked_on, position
    having sum(amount) <> 0";

/// A lot is what is left of it and where the rest went, and the journal says the same.
const LOTS: &str = "select format('lot %s: %s of %s is left, and the journal says %s', l.lot_id,
        l.remaining, l.amount, coalesce(j.amount, 0))
    from credit_lots l
    left join (select lot_id, sum(amount) as amount from credit_journal
               where account = 'lots' group by lot_id) j using (lot_id)
    where l.remaining <> coalesce(j.amount, 0) or l.remaining < 0 or l.drawn < 0
        or l.amount <> l.remaining + l.drawn + l.refunded + l.transferred_out + l.expired";

/// A lot is what it came to last, and at no time was anything of it lost.
const LOT_STATES: &str = "select format('%s of lot %s is left, and at position %s %s was', l.remaining,
        l.lot_id, s.position, s.remaining)
    from credit_lots l
    left join (select *, row_number() over (partition by lot_id order by position desc) = 1 as is_last
               from credit_lot_states) s using (lot_id)
    where s.position is null or s.organization_id <> l.organization_id
        or l.amount <> s.remaining + s.drawn + s.refunded + s.transferred_out + s.expired
        or s.is_last and (l.remaining, l.drawn, l.refunded, l.transferred_out, l.expired)
            <> (s.remaining, s.drawn, s.refunded, s.transferred_out, s.expired)";

/// A balance is its lots and what was returned less its overdraft, and what came in less what left.
const BALANCES: &str =
    "select format('the balance of %s in %s is %s; its lots say %s, its totals %s',
        b.organization_id, b.currency, b.balance, coalesce(l.remaining, 0) + b.returned - b.overdraft,
        b.purchased + b.granted + b.transferred_in - b.refunded - b.transferred_out - b.expired
            - b.consumed)
    from balances b
    left join (select organization_id, currency, sum(remaining) as remaining
               from credit_lots group by 1, 2) l using (organization_id, currency)
    where b.balance <> coalesce(l.remaining, 0) + b.returned - b.overdraft or b.overdraft < 0
        or b.returned < 0
        or b.balance <> b.purchased + b.granted + b.transferred_in - b.refunded - b.transferred_out
            - b.expired - b.consumed";

/// Each of its totals is what the journal has of it.
const TOTALS: &str = "select format('%s of %s in %s is %s, and the journal says %s', t.account,
        b.organization_id, b.currency, t.amount, coalesce(j.amount, 0))
    from balances b
    cross join lateral (values ('purchased', -b.purchased), ('granted', -b.granted),
        ('transferred_in', -b.transferred_in), ('refunded', b.refunded),
        ('transferred_out', b.transferred_out), ('expired', b.expired), ('consumed', b.consumed),
        ('overdraft', -b.overdraft), ('returned', b.returned)) as t(account, amount)
    left join (select organization_id, currency, account, sum(amount) as amount
               from credit_journal group by 1, 2, 3) j
        using (organization_id, currency, account)
    where t.amount <> coalesce(j.amount, 0)";

/// Nothing stands in the journal of an account that has no balance.
const ACCOUNTS: &str = "select format('the journal has legs of %s in %s, which has no balance',
        organization_id, currency)
    from credit_journal left join balances b using (organization_id, currency)
    where b.balance is null";

/// What was consumed is what was used, by the hour and by the batch.
const USAGE: &str = "select format('%s in %s consumed %s, by the hour %s, by the batch %s',
        b.organization_id, b.currency, b.consumed, coalesce(h.cost, 0), coalesce(p.cost, 0))
    from balances b
    left join (select organization_id, currency, sum(cost) as cost
               from credit_usage group by 1, 2) h using (organization_id, currency)
    left join (select organization_id, currency, sum(cost) as cost
               from credit_usage_batches group by 1, 2) p using (organization_id, currency)
    where b.consumed <> coalesce(h.cost, 0) or b.consumed <> coalesce(p.cost, 0)";

/// What was moved and consumed comes to the balance.
const MOVEMENTS: &str =
    "select format('the movements of %s in %s come to %s, with usage %s, the balance is %s',
        b.organization_id, b.currency, coalesce(m.amount, 0), b.consumed, b.balance)
    from balances b
    left join (select organization_id, currency, sum(amount) as amount
               from credit_movements group by 1, 2) m using (organization_id, currency)
    where b.balance <> coalesce(m.amount, 0) - b.consumed";

/// All of them.
pub(super) const ALL: &[&str] =
    &[ENTRIES, LOTS, LOT_STATES, BALANCES, TOTALS, ACCOUNTS, USAGE, MOVEMENTS];
