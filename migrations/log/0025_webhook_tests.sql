-- The position of the last webhook.test_requested whose message was sent.
alter table delivery.webhooks add tested bigint not null default 0;
