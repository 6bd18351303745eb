-- What came into an account and left it again, but for usage: one row an event.
create table credit_movements (
    position bigint primary key,
    event_id uuid not null,
    organization_id uuid not null,
    currency text not null,
    kind text not null,
    lot_id uuid not null,
    -- What it did to the balance: below zero where it left.
    amount numeric(38,12) not null,
    expires_at timestamptz,
    -- Where a transfer came from or went to.
    other_organization_id uuid,
    note text,
    actor text not null,
    occurred_at timestamptz not null
);
create index on credit_movements (organization_id, currency, position);

create table balances (
    organization_id uuid not null,
    currency text not null,
    purchased numeric(38,12) not null,
    granted numeric(38,12) not null,
    transferred_in numeric(38,12) not null,
    refunded numeric(38,12) not null,
    transferred_out numeric(38,12) not null,
    expired numeric(38,12) not null,
    consumed numeric(38,12) not null,
    -- What was used when no lot was there to draw.
    overdraft numeric(38,12) not null,
    balance numeric(38,12) not null,
    policy text not null,
    -- Whether the balance has fallen to zero or below and not come back.
    exhausted boolean not null,
    -- How many events of the account's stream this knows.
    sequence bigint not null,
    -- What corrections of prices gave back and no lot could take.
    returned numeric(38,12) not null default 0,
    primary key (organization_id, currency)
) with (fillfactor = 50);

-- amount = remaining + drawn + refunded + transferred_out + expired.
create table credit_lots (
    lot_id uuid primary key,
    organization_id uuid not null,
    currency text not null,
    kind text not null,
    amount numeric(38,12) not null,
    remaining numeric(38,12) not null,
    drawn numeric(38,12) not null,
    refunded numeric(38,12) not null,
    transferred_out numeric(38,12) not null,
    expired numeric(38,12) not null,
    expires_at timestamptz,
    priority integer not null,
    position bigint not null,
    occurred_at timestamptz not null
) with (fillfactor = 70);
create index on credit_lots (organization_id, position);
create index on credit_lots (organization_id, currency) where remaining > 0;
create index on credit_lots (expires_at) where remaining > 0;

-- What was left of a lot after each entry that changed that, and where the rest had gone. A batch of usage
-- stands at its first record: it commits at once.
create table credit_lot_states (
    lot_id uuid not null,
    organization_id uuid not null,
    position bigint not null,
    recorded_at timestamptz not null,
    remaining numeric(38,12) not null,
    drawn numeric(38,12) not null,
    refunded numeric(38,12) not null,
    transferred_out numeric(38,12) not null,
    expired numeric(38,12) not null,
    primary key (lot_id, position)
);

-- Double entry. Legs of one event have its position; legs of usage are summed up by the day on which
-- they were recorded, in UTC, and have none. Those of one organization, currency, day and position
-- sum to zero.
create table credit_journal (
    organization_id uuid not null,
    currency text not null,
    booked_on date not null,
    position bigint,
    account text not null,
    lot_id uuid,
    amount numeric(38,12) not null,
    unique nulls not distinct (organization_id, currency, booked_on, position, account, lot_id)
) with (fillfactor = 70);

-- What was used by the hour in which it was, in UTC.
create table credit_usage (
    organization_id uuid not null,
    currency text not null,
    hour timestamptz not null,
    cost numeric(38,12) not null,
    primary key (organization_id, currency, hour)
) with (fillfactor = 70);

-- The same by the batch that it came with, by its first position: what the log knew at another. What a
-- correction of prices changed stands at its event's position.
create table credit_usage_batches (
    organization_id uuid not null,
    currency text not null,
    first_position bigint not null,
    hour timestamptz not null,
    cost numeric(38,12) not null,
    primary key (organization_id, currency, first_position, hour)
);

create table credit_crossings (
    organization_id uuid not null,
    currency text not null,
    -- The usage record or event that crossed it.
    position bigint not null,
    exhausted boolean not null,
    balance numeric(38,12) not null,
    -- The event that has it on record.
    recorded_at_position bigint,
    primary key (organization_id, currency, position)
);
create index on credit_crossings (position) where recorded_at_position is null;
