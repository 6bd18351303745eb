-- What a request used beside its tokens, how it was served, and how it ended. Records from before
-- have nothing there: no units, the plain tier, no failure.
alter table log.usage_records
    -- Counts by unit, where there are any: {"web_searches": 2}.
    add column units json,
    -- The service tier in the provider's words; null for the plain one.
    add column service_tier text,
    -- Why the request failed, in OpenTelemetry's error.type; null where it succeeded.
    add column error_type text,
    add column duration_ms bigint;
