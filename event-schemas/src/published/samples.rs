//! A sample of every event: plausible, complete, and the same every time.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{
    AccessReviewEvent, Amount, ApiKeyEvent, ApprovalEvent, BreakGlassId, BudgetAction, BudgetEvent,
    BudgetId, BudgetKeeper, BudgetPeriod, BudgetScope, CreditAccountEvent, CreditPolicy, Currency,
    Environment, Grantee, GroupId, HeldAccess, IdentityProvider, InviteId, KeyOwner, LotId,
    MatchRule, Measure, MemberId, ModelPrice, NameEvent, OrganizationEvent, OrganizationId,
    OrganizationRole, OrganizationSettings, PICO_PER_UNIT, Percent, Permission, PermissionSet,
    PersonEvent, PersonId, PriceListEvent, PriceListId, PriceStatus, ProjectEvent, ProjectGrant,
    ProjectId, ProjectRole, Rate, Rates, RatesAbove, RecordedUsage, RefusalEvent, RepricedTotal,
    RepricingScope, ReviewDecision, ReviewLine, ReviewOutcome, ReviewScope, RoleId,
    SecuritySettings, SensitiveAction, SensitiveRequest, ServiceAccountEvent, ServiceAccountId,
    ServiceTierPrice, SigningKeyEvent, TimedPrice, Unit, UsageMonthEvent, UsageRepricingEvent,
    WebhookDisabledReason, WebhookEvent, WebhookId, When,
};

/// A personal text as it stands in the log: sealed, with a key that nobody has.
pub(super) const SEALED: &str =
    "sealed:v1:Zm9yIHNob3cgb25seQdc9lYx0Wm2kq7V3RtB1uNfE8sJaLhGp4oTzKyQiC5dXwMv";

/// An id of version 7 that ends in a number.
fn id<T: From<Uuid>>(number: u128) -> T {
    T::from(Uuid::from_u128(0x0198_f3c0_5a00_7000_8000_0000_0000_0000 + number))
}

/// Half past nine on a day, counted from 2026-01-01 as 0.
fn day(number: i64) -> DateTime<Utc> {
    let new_year_2026 = TimeDelta::days(20_454);
    DateTime::UNIX_EPOCH + new_year_2026 + TimeDelta::days(number) + TimeDelta::minutes(9 * 60 + 30)
}

/// So many thousandths of a currency's unit.
fn thousandths(number: i128) -> Amount {
    Amount::from_pico(number * PICO_PER_UNIT / 1000)
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn acme() -> OrganizationId {
    id(1)
}

fn chat() -> ProjectId {
    id(2)
}

fn ada() -> MemberId {
    id(3)
}

fn invite() -> InviteId {
    id(4)
}

fn nightly() -> ServiceAccountId {
    id(5)
}

fn ada_herself() -> PersonId {
    id(10)
}

fn support() -> GroupId {
    id(11)
}

fn key_keeper() -> RoleId {
    id(12)
}

/// An HMAC-SHA-256 in hexadecimal, of nothing.
fn hash(digit: &str) -> String {
    digit.repeat(64)
}

pub(super) fn organization() -> Vec<OrganizationEvent> {
    use OrganizationEvent as Was;
    let mut events = vec![
        Was::Created { organization_id: acme(), name: text("Acme GmbH"), seat_limit: Some(25) },
        Was::Updated { name: Some(text("Acme AG")), seat_limit: None },
        Was::SettingsChanged {
            settings: OrganizationSettings {
                invite_domains: vec![text("acme.example")],
                api_key_name_pattern: Some(text("^[a-z]+(-[a-z]+)*$")),
                api_key_rotation_days: Some(90),
                api_key_lifetime_days_max: Some(365),
                admins_max: Some(5),
                time_zone: text("Europe/Berlin"),
                ..OrganizationSettings::default()
            },
        },
        Was::SecurityChanged {
            security: SecuritySettings {
                identity_provider: Some(IdentityProvider {
                    issuer: text("https://login.acme.example"),
                    email_domains: vec![text("acme.example")],
                }),
                approvals: vec![SensitiveAction::GrantOwner],
            },
        },
        Was::Archived {},
    ];
    events.extend(invites());
    events.extend(members());
    events.extend(roles());
    events.extend(groups());
    events.extend(break_glass());
    events
}

fn break_glass() -> [OrganizationEvent; 7] {
    use OrganizationEvent as Was;
    let break_glass_id: BreakGlassId = id(14);
    [
        Was::BreakGlassRequested {
            break_glass_id,
            operator: text("operations"),
            reason: text("nobody can sign in since the identity provider moved"),
            minutes: 60,
        },
        Was::BreakGlassApproved { break_glass_id, expires_at: day(20) },
        Was::BreakGlassTookIn { break_glass_id, member_id: ada() },
        Was::BreakGlassInvited { break_glass_id, invite_id: id(17) },
        Was::BreakGlassDeclined { break_glass_id, reason: Some(text("not an emergency")) },
        Was::BreakGlassEnded { break_glass_id },
        Was::BreakGlassReviewed { break_glass_id, note: text("one setting was put right") },
    ]
}

pub(super) fn approval() -> Vec<ApprovalEvent> {
    use ApprovalEvent as Was;
    vec![
        Was::Requested {
            approval_id: id(15),
            organization_id: acme(),
            request: SensitiveRequest::ChangeMemberRole {
                member_id: ada(),
                role: OrganizationRole::Owner,
            },
            requested_by: id(13),
            expires_at: day(7),
        },
        Was::Approved { approved_by: id(16) },
        Was::Declined { declined_by: id(16), reason: Some(text("ask again after the audit")) },
        Was::Withdrawn {},
    ]
}

/// The usage below, which had no price at first, and another record in euros.
pub(super) fn usage_repricing() -> Vec<UsageRepricingEvent> {
    let total = |currency, before: (u32, i128), after: (u32, i128)| RepricedTotal {
        currency,
        records_before: before.0,
        cost_before: Amount::from_pico(before.1),
        records_after: after.0,
        cost_after: Amount::from_pico(after.1),
    };
    let euro = "EUR".parse::<Currency>().expect("a currency");
    vec![UsageRepricingEvent::Repriced {
        repricing_id: id(21),
        scope: RepricingScope {
            from: day(0),
            to: day(31),
            project_id: Some(chat()),
            provider: Some(text("anthropic")),
            model: None,
            only_unpriced: false,
        },
        prices_at: 57,
        price_list_id: Some(PriceListId::of("genai-prices", "anthropic")),
        price_list_version: Some(3),
        reason: Some(text("the price of March was published late")),
        corrections: 2,
        corrections_hash: text("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        totals: vec![
            total(None, (1, 0), (0, 0)),
            total(Some(euro), (1, 7_250_000_000), (0, 0)),
            total(Some(Currency::USD), (0, 0), (2, 33_625_000_000)),
        ],
    }]
}

pub(super) fn refusal() -> Vec<RefusalEvent> {
    vec![RefusalEvent::Recorded {
        organization_id: Some(acme()),
        command: text("credits.purchase"),
        problem: text("/problems/forbidden"),
        permission: Some(text("credits.update")),
        unrecorded_before: 0,
    }]
}

pub(super) fn usage_month() -> Vec<UsageMonthEvent> {
    let month = "2026-01".parse().expect("a month");
    let manifest = "3f2b9a8f0c7d4e1a5b6c7d8e9fa0b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c";
    vec![
        UsageMonthEvent::Archived {
            month,
            records: 1_250_000,
            first_position: 4_711,
            last_position: 1_301_408,
            rows_sha256: text("9c1185a5c5e9fc54612808977ee8f548b2258d31b8f6a1d2c3e4f50617283940"),
            manifest_sha256: text(manifest),
        },
        UsageMonthEvent::Dropped { month, manifest_sha256: text(manifest) },
        UsageMonthEvent::Restored { month },
    ]
}

fn roles() -> [OrganizationEvent; 5] {
    use OrganizationEvent as Was;
    let role_id = key_keeper();
    let grantee = Grantee::Group { group_id: support() };
    let permissions = [Permission::ApiKeysRead, Permission::ApiKeysUpdate];
    [
        Was::RoleDefined {
            role_id,
            name: text("key keeper"),
            permissions: permissions.into_iter().collect(),
        },
        Was::RoleUpdated {
            role_id,
            name: None,
            permissions: Some([Permission::ApiKeysRead].into_iter().collect()),
        },
        Was::RoleRemoved { role_id },
        Was::RoleGranted { role_id, grantee, project_id: Some(chat()) },
        Was::RoleWithdrawn { role_id, grantee, project_id: Some(chat()) },
    ]
}

fn groups() -> [OrganizationEvent; 6] {
    use OrganizationEvent as Was;
    let (group_id, member_id) = (support(), ada());
    [
        Was::GroupCreated { group_id, name: text("support"), role: Some(OrganizationRole::Reader) },
        Was::GroupRenamed { group_id, name: text("customer support") },
        Was::GroupRoleChanged {
            group_id,
            role: None,
            previous_role: Some(OrganizationRole::Reader),
        },
        Was::GroupRemoved { group_id },
        Was::GroupMemberAdded { group_id, member_id },
        Was::GroupMemberRemoved { group_id, member_id },
    ]
}

fn invites() -> [OrganizationEvent; 6] {
    use OrganizationEvent as Was;
    let invite_id = invite();
    [
        Was::InviteSent {
            invite_id,
            person_id: ada_herself(),
            email: text("ada@acme.example"),
            role: OrganizationRole::Admin,
            projects: vec![ProjectGrant { project_id: chat(), role: ProjectRole::Owner }],
            expires_at: day(7),
            token_hash: Some(hash("3d")),
            invited_by: Some(id(13)),
        },
        Was::InviteResent {
            invite_id,
            expires_at: day(14),
            token_hash: hash("4c"),
            resent_by: Some(ada()),
        },
        Was::InviteTokenShared { invite_id, shown_to: vec![id(12)] },
        Was::InviteAccepted { invite_id, member_id: ada() },
        Was::InviteRevoked { invite_id },
        Was::InviteExpired { invite_id },
    ]
}

fn members() -> [OrganizationEvent; 6] {
    use OrganizationEvent as Was;
    let member_id = ada();
    [
        Was::MemberAdded {
            member_id,
            person_id: ada_herself(),
            login: text("ada"),
            email: Some(text("ada@acme.example")),
            role: OrganizationRole::Member,
        },
        Was::MemberRenamed { member_id, person_id: ada_herself(), login: text("ada-lovelace") },
        Was::MemberRoleChanged {
            member_id,
            role: OrganizationRole::Admin,
            previous_role: OrganizationRole::Member,
        },
        Was::MemberSuspended { member_id, reason: Some(text("laptop stolen")) },
        Was::MemberReinstated { member_id },
        Was::MemberRemoved { member_id, reason: Some(text("left the company")) },
    ]
}

pub(super) fn person() -> Vec<PersonEvent> {
    let reason = Some(text("asked for under Article 17 GDPR"));
    vec![
        PersonEvent::Erased { person_id: id(10), reason },
        PersonEvent::ExportGranted {
            person_id: id(10),
            export_id: id(17),
            granted_to: id(13),
            expires_at: day(8),
        },
        PersonEvent::Exported { export_id: id(17) },
    ]
}

pub(super) fn project() -> Vec<ProjectEvent> {
    use ProjectEvent as Was;
    let member_id = ada();
    vec![
        Was::Created {
            project_id: chat(),
            organization_id: acme(),
            name: text("Support chat"),
            environment: Some(Environment::Staging),
        },
        Was::Updated { name: None, environment: Some(Environment::Production) },
        Was::Archived {},
        Was::MemberAssigned { member_id, role: ProjectRole::Member },
        Was::MemberRoleChanged {
            member_id,
            role: ProjectRole::Owner,
            previous_role: ProjectRole::Member,
        },
        Was::MemberRemoved { member_id },
        Was::GroupAssigned { group_id: support(), role: ProjectRole::Reader },
        Was::GroupRoleChanged {
            group_id: support(),
            role: ProjectRole::Member,
            previous_role: ProjectRole::Reader,
        },
        Was::GroupRemoved { group_id: support() },
    ]
}

pub(super) fn service_account() -> Vec<ServiceAccountEvent> {
    use ServiceAccountEvent as Was;
    vec![
        Was::Created {
            service_account_id: nightly(),
            organization_id: acme(),
            project_id: chat(),
            name: text("nightly-evaluation"),
            purpose: Some(text("runs the evaluation suite every night")),
        },
        Was::Updated {
            name: Some(text("nightly-quality")),
            purpose: Some(text("runs the evaluation suite and compares it")),
        },
        Was::Disabled { reason: Some(text("the suite moved to another project")) },
        Was::Removed {},
    ]
}

pub(super) fn access_review() -> Vec<AccessReviewEvent> {
    use AccessReviewEvent as Was;
    let evaluators = Grantee::Group { group_id: id(13) };
    let usage: PermissionSet = [Permission::UsageRead].into_iter().collect();
    let lines = [
        HeldAccess::MemberRole { member_id: ada(), role: OrganizationRole::Admin },
        HeldAccess::GroupMembership { group_id: id(13), member_id: ada(), role: None },
        HeldAccess::RoleGrant {
            role_id: id(12),
            grantee: evaluators,
            project_id: None,
            permissions: usage,
        },
        HeldAccess::ProjectRole {
            project_id: chat(),
            holder: evaluators,
            role: ProjectRole::Member,
        },
        HeldAccess::ApiKey {
            api_key_id: id(6),
            owner: KeyOwner::ServiceAccount { service_account_id: nightly() },
            project_id: Some(chat()),
            scopes: Some(usage),
        },
    ];
    let mut lines: Vec<ReviewLine> =
        (21..).zip(lines).map(|(number, held)| ReviewLine { line_id: id(number), held }).collect();
    let more = lines.split_off(3);
    vec![
        Was::Opened {
            access_review_id: id(20),
            organization_id: acme(),
            title: text("Access in the first quarter"),
            scope: ReviewScope::Organization {},
            due_at: day(90),
            lines,
        },
        Was::LinesAdded { lines: more },
        Was::Attested {
            line_id: id(25),
            decision: ReviewDecision::Revoke,
            reason: Some(text("the suite moved to another project")),
        },
        Was::Closed {
            outcome: ReviewOutcome::Completed,
            reason: None,
            kept: 4,
            revoked: 1,
            unattested: 0,
            already_ended: vec![id(25)],
        },
    ]
}

pub(super) fn api_key() -> Vec<ApiKeyEvent> {
    use ApiKeyEvent as Was;
    vec![
        Was::Created {
            api_key_id: id(6),
            organization_id: acme(),
            project_id: Some(chat()),
            owner: KeyOwner::ServiceAccount { service_account_id: nightly() },
            name: text("evaluation runner"),
            secret_hash: hash("1f"),
            redacted: text("olk_7Qm2…x9Kd"),
            expires_at: Some(day(365)),
            rotation_due_at: Some(day(90)),
            rotation_days: Some(90),
            scopes: Some([Permission::UsageRecord].into_iter().collect()),
        },
        Was::Renamed { name: text("evaluation runner, eu") },
        Was::Rotated {
            secret_hash: hash("2e"),
            redacted: text("olk_b4Tz…m1Rw"),
            previous_valid_until: day(91),
            rotation_due_at: Some(day(180)),
        },
        Was::SecretShared { shown_to: vec![id(12)], break_glass_id: Some(id(14)) },
        Was::Revoked { reason: Some(text("found in a public repository")) },
        Was::Expired {},
    ]
}

pub(super) fn budget() -> Vec<BudgetEvent> {
    use BudgetEvent as Was;
    let (organization_id, currency): (_, Currency) = (acme(), Currency::USD);
    let (budget_id, name): (BudgetId, _) = (id(14), text("Chat, a month"));
    let scope = BudgetScope::Project { project_id: chat() };
    // The month of September in Berlin.
    let (begins, ends) = (day(242) + TimeDelta::minutes(750), day(272) + TimeDelta::minutes(750));
    let (period_start, period_end) = (Some(begins), Some(ends));
    let period = (begins + TimeDelta::hours(2)).date_naive();
    vec![
        Was::Set {
            budget_id,
            organization_id,
            scope: scope.clone(),
            project_id: Some(chat()),
            keeper: BudgetKeeper::Organization,
            name: name.clone(),
            currency,
            period: BudgetPeriod::Monthly,
            amount: thousandths(1_000_000),
            thresholds: vec![50, 80],
            action: BudgetAction::Block,
            time_zone: text("Europe/Berlin"),
        },
        Was::Changed {
            budget_id,
            organization_id,
            name: name.clone(),
            amount: thousandths(1_500_000),
            thresholds: vec![80, 95],
            action: BudgetAction::Block,
            time_zone: text("Europe/Berlin"),
        },
        Was::Removed { budget_id, organization_id },
        Was::ThresholdReached {
            budget_id,
            organization_id,
            name: name.clone(),
            scope: scope.clone(),
            period: Some(period),
            period_start,
            period_end,
            currency,
            amount: thousandths(1_000_000),
            threshold: 80,
            spent: thousandths(800_125),
            crossed_at: 5120,
        },
        Was::Exhausted {
            budget_id,
            organization_id,
            name,
            scope,
            period: Some(period),
            period_start,
            period_end,
            currency,
            amount: thousandths(1_000_000),
            action: BudgetAction::Block,
            spent: thousandths(1_000_250),
            crossed_at: 5733,
        },
    ]
}

pub(super) fn webhook() -> Vec<WebhookEvent> {
    use WebhookEvent as Was;
    let (webhook_id, organization_id): (WebhookId, _) = (id(18), acme());
    vec![
        Was::Created {
            webhook_id,
            organization_id,
            url: text("https://alerts.acme.example/orgledger"),
            description: Some(text("budget alerts for the team on call")),
            event_types: vec![text("budget.*"), text("credits.exhausted")],
        },
        Was::Changed {
            webhook_id,
            organization_id,
            url: text("https://alerts.acme.example/v2/orgledger"),
            description: None,
            event_types: vec![text("budget.threshold_reached")],
        },
        Was::SecretRotated {
            webhook_id,
            organization_id,
            secret_number: 2,
            previous_signs_until: day(21),
        },
        Was::Disabled { webhook_id, organization_id, reason: WebhookDisabledReason::Failing },
        Was::Enabled { webhook_id, organization_id },
        Was::ReplayRequested {
            webhook_id,
            organization_id,
            after_position: 4_711,
            upto_position: None,
        },
        Was::TestRequested { webhook_id, organization_id },
        Was::Removed { webhook_id, organization_id },
    ]
}

pub(super) fn credit_account() -> Vec<CreditAccountEvent> {
    use CreditAccountEvent as Was;
    let (organization_id, currency): (_, Currency) = (acme(), Currency::USD);
    let lot: fn(u128) -> LotId = id;
    vec![
        Was::Purchased {
            organization_id,
            lot_id: lot(7),
            amount: thousandths(2_500_000),
            currency,
            expires_at: Some(day(365)),
            priority: 100,
            reference: Some(text("INV-2026-0042")),
        },
        Was::Granted {
            organization_id,
            lot_id: lot(8),
            amount: thousandths(50_000),
            currency,
            expires_at: None,
            priority: 50,
            reason: Some(text("outage of 12 January")),
        },
        Was::Refunded {
            organization_id,
            lot_id: lot(7),
            amount: thousandths(100_000),
            currency,
            left_before: thousandths(1_250_000),
            known_at: 4711,
            reference: Some(text("CN-2026-0007")),
        },
        Was::TransferredOut {
            organization_id,
            lot_id: lot(7),
            amount: thousandths(200_000),
            currency,
            to_organization_id: id(2),
            to_lot_id: lot(9),
            left_before: thousandths(1_150_000),
            known_at: 4712,
            reason: Some(text("the other half of the team")),
        },
        Was::TransferredIn {
            organization_id,
            lot_id: lot(10),
            amount: thousandths(300_000),
            currency,
            expires_at: Some(day(365)),
            priority: 100,
            from_organization_id: id(2),
            from_lot_id: lot(11),
            reason: None,
        },
        Was::Expired { organization_id, lot_id: lot(7), currency, expires_at: day(365) },
        Was::PolicyChanged { organization_id, currency, policy: CreditPolicy::Block },
        Was::Exhausted { organization_id, currency, balance: thousandths(-125), crossed_at: 5120 },
        Was::Restored {
            organization_id,
            currency,
            balance: thousandths(2_499_875),
            crossed_at: 5244,
        },
    ]
}

pub(super) fn signing_key() -> Vec<SigningKeyEvent> {
    let key = text("ledger.acme.example+1e6cd0a8+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    vec![SigningKeyEvent::Introduced { key: key.clone() }, SigningKeyEvent::Retired { key }]
}

pub(super) fn name() -> Vec<NameEvent> {
    vec![NameEvent::Claimed { holder_id: chat().to_string() }, NameEvent::Released {}]
}

pub(super) fn price_list() -> Vec<PriceListEvent> {
    let either = MatchRule::Or(vec![
        MatchRule::Equals(text("claude-sonnet-4-5")),
        MatchRule::StartsWith(text("claude-sonnet-4-5-")),
        MatchRule::Regex(text(r"^claude-sonnet-4\.5-\d{8}$")),
    ]);
    let all = MatchRule::And(vec![
        MatchRule::Contains(text("haiku")),
        MatchRule::EndsWith(text("-latest")),
    ]);
    let long = RatesAbove {
        input_tokens: 200_000,
        rates: rates(&[(Measure::Input, "6"), (Measure::Output, "22.5")]),
    };
    let batch = ServiceTierPrice {
        tier: text("batch"),
        percent: Percent::from_hundredths(5_000),
        rates: rates(&[(Measure::Unit(Unit::WebSearches), "10")]),
        above: vec![],
    };
    let sonnet = ModelPrice {
        above: vec![long],
        service_tiers: vec![batch],
        ..ModelPrice::plain(
            text("claude-sonnet-4-5"),
            either,
            rates(&[
                (Measure::Input, "3"),
                (Measure::CachedInput, "0.3"),
                (Measure::CacheWrite, "3.75"),
                (Measure::Unit(Unit::CacheWrite1hTokens), "6"),
                (Measure::Output, "15"),
                (Measure::Unit(Unit::WebSearches), "10"),
            ]),
        )
    };
    let haiku = ModelPrice {
        at_times: vec![TimedPrice {
            when: When::FromDate(day(200).date_naive()),
            rates: rates(&[(Measure::Input, "0.9"), (Measure::Output, "4.5")]),
            above: vec![],
            service_tiers: vec![],
        }],
        ..ModelPrice::plain(
            text("claude-haiku-4-5"),
            all,
            rates(&[(Measure::Input, "1"), (Measure::Output, "5")]),
        )
    };
    vec![PriceListEvent::Published {
        price_list_id: PriceListId::of("genai-prices", "anthropic"),
        version: 3,
        organization_id: None,
        provider: text("anthropic"),
        provider_matches: Some(MatchRule::Contains(text("anthropic"))),
        model_matches: Some(MatchRule::Contains(text("claude"))),
        fallback_providers: vec![],
        mark_up_percent: None,
        currency: Currency::USD,
        effective_from: day(0),
        source: Some(text("https://github.com/pydantic/genai-prices")),
        models: vec![sonnet, haiku],
    }]
}

fn rates(prices: &[(Measure, &str)]) -> Rates {
    let rate = |text: &str| text.parse::<Rate>().expect("a sample's price is a decimal");
    prices.iter().map(|(measure, text)| (*measure, rate(text))).collect()
}

/// Priced by the list above: 400 × 3 + 1,000 × 0.30 + 100 × 3.75 + 250 × 15 = 5,625 USD for a
/// million times as many tokens, and two searches at 10 USD a thousand.
pub(super) fn usage() -> RecordedUsage {
    RecordedUsage {
        batch_id: id(9),
        ordinal: 17,
        organization_id: acme(),
        project_id: chat(),
        api_key_id: Some(id(6)),
        member_id: None,
        service_account_id: Some(nightly()),
        end_user: Some(text("customer-4711")),
        feature: text("reply-suggestion"),
        provider: text("anthropic"),
        model: text("claude-sonnet-4-5-20250929"),
        request_id: text("req_011CTx9mQ4"),
        occurred_at: day(12),
        input_tokens: 1_500,
        cached_input_tokens: 1_000,
        cache_write_tokens: 100,
        output_tokens: 250,
        reasoning_tokens: 120,
        units: [(Unit::WebSearches, 2)].into_iter().collect(),
        service_tier: None,
        error_type: None,
        duration_ms: Some(2_340),
        price_status: PriceStatus::Priced,
        price_version: Some(42),
        cost_pico: Some(25_625_000_000),
        currency: Some(Currency::USD),
        tags: BTreeMap::from([(text("region"), text("eu")), (text("team"), text("support"))]),
    }
}
