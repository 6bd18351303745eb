//! `orgledger why`.

use anyhow::{Context as _, bail};
use event_schemas::{Amount, MemberId, OrganizationId, PriceStatus, ProjectId};
use query_api::audit_log::AuditEntry;
use query_api::audit_log::entry::{AuditEntryInContext, Which, audit_entry};
use query_api::costs::{CostTotal, Dimension, OfLine};
use query_api::why::{READS, Why, WhyLine, WhyQuery, WhyUsage, why};
use query_api::{OrganizationRef, Snapshot, Temporal, Visible};
use uuid::Uuid;

use super::{audit_log, failed, text, up_to_date};
use crate::cli::{PlaceArgs, TableOrJson, WhyArgs};
use crate::installation::Installation;

const HEADINGS: [&str; 7] = ["position", "when", "who", "what", "to", "change", "why"];

/// Places after the point that a table shows of an amount. JSON has all twelve.
const TABLE_PLACES: u32 = 6;

/// Prints why.
pub(crate) async fn run(place: &PlaceArgs, args: &WhyArgs) -> anyhow::Result<()> {
    let asks_nothing = args.member.is_none()
        && args.subject.is_none()
        && args.currency.is_none()
        && !args.of_usage.are_given()
        && args.event.is_none();
    if asks_nothing {
        bail!(
            "why what? Name --member, --subject, --currency, --event, or --usage with what a line of a \
             report of costs is of, such as --project, --feature or --model"
        );
    }
    let installation = Installation::open_existing(place).await?;
    let mut snapshot = up_to_date(&installation, READS).await?;
    let organization: OrganizationRef = args.organization.parse()?;
    let (organization_id, name) = query_api::organizations::find(&mut snapshot, &organization)
        .await
        .map_err(|error| failed(error, &args.organization))?;
    let text = match &args.event {
        Some(event) => {
            let which = match event.parse::<i64>() {
                Ok(position) => Which::Position(position),
                Err(_) => Which::Event(event.parse::<Uuid>().with_context(|| {
                    format!("'{event}' is neither a position nor the id of an event")
                })?),
            };
            let found = audit_entry(&mut snapshot, organization_id, which).await?;
            match args.format {
                TableOrJson::Json => serde_json::to_string_pretty(&found)?,
                TableOrJson::Table => in_context(&found),
            }
        }
        None => {
            let query = query(&mut snapshot, organization_id, args).await?;
            let found = why(&mut snapshot, organization_id, &query).await?;
            match args.format {
                TableOrJson::Json => serde_json::to_string_pretty(&found)?,
                TableOrJson::Table => table(&name, &found),
            }
        }
    };
    drop(snapshot);
    crate::print(&text)?;
    installation.close().await
}

async fn query(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    args: &WhyArgs,
) -> anyhow::Result<WhyQuery> {
    let member_id = match &args.member {
        None => None,
        Some(member) => Some(MemberId(
            id(snapshot, organization_id, ("members", "member_id", "login"), member).await?,
        )),
    };
    let project_id = match &args.project {
        None => None,
        Some(project) => Some(ProjectId(
            id(snapshot, organization_id, ("projects", "project_id", "name"), project).await?,
        )),
    };
    let temporal = Temporal { as_of: args.as_of, at_position: args.at_position };
    let asked = WhyQuery { subject: args.subject, temporal, ..WhyQuery::default() };
    if !args.of_usage.are_given() {
        return Ok(WhyQuery { member_id, project_id, currency: args.currency, ..asked });
    }
    let mut only = Vec::new();
    only.extend(project_id.map(|id| (Dimension::Project, id.to_string())));
    only.extend(member_id.map(|id| (Dimension::Member, id.to_string())));
    only.extend(of_usage(snapshot, organization_id, args).await?);
    let of = &args.of_usage;
    let without = of.without.iter().map(|name| name.trim().parse().map_err(anyhow::Error::msg));
    let usage = WhyUsage {
        only,
        without: without.collect::<anyhow::Result<_>>()?,
        line: OfLine { currency: args.currency, price_status: of.price_status },
        from: of.from,
        to: of.to,
        time_zone: of.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
        visible: Visible::All,
    };
    Ok(WhyQuery { usage: Some(usage), ..asked })
}

/// What usage is asked about, beside its project and its member.
async fn of_usage(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    args: &WhyArgs,
) -> anyhow::Result<Vec<(Dimension, String)>> {
    let of = &args.of_usage;
    let mut only = Vec::new();
    for (dimension, things, called) in [
        (Dimension::ApiKey, ("api_keys", "api_key_id", "name"), &of.api_key),
        (
            Dimension::ServiceAccount,
            ("service_accounts", "service_account_id", "name"),
            &of.service_account,
        ),
    ] {
        if let Some(called) = called {
            only.push((
                dimension,
                id(snapshot, organization_id, things, called).await?.to_string(),
            ));
        }
    }
    for (dimension, value) in [
        (Dimension::EndUser, &of.end_user),
        (Dimension::Feature, &of.feature),
        (Dimension::Provider, &of.provider),
        (Dimension::Model, &of.model),
        (Dimension::ServiceTier, &of.service_tier),
        (Dimension::ErrorType, &of.error_type),
    ] {
        only.extend(value.clone().map(|value| (dimension, value)));
    }
    for tag in &of.tag {
        let (tag, value) = tag
            .split_once('=')
            .with_context(|| format!("'{tag}' is not a tag and its value, such as team=red"))?;
        let dimension = format!("tag:{tag}").parse().map_err(anyhow::Error::msg)?;
        only.push((dimension, value.to_owned()));
    }
    Ok(only)
}

/// An id, or the latest thing of that name.
async fn id(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    (things, id, called): (&str, &str, &str),
    name: &str,
) -> anyhow::Result<Uuid> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let found =
        query_api::why::named(snapshot, organization_id, (things, id, called), name).await?;
    found.with_context(|| format!("there was never '{name}' among the {things}"))
}

fn events(events: &[AuditEntry]) -> String {
    text::table(&HEADINGS, &[0], events.iter().map(audit_log::row).collect())
}

/// The events of a line, where it is of usage each with how many of its records are meant.
fn events_of(line: &WhyLine) -> String {
    if line.records.is_empty() {
        return events(&line.events);
    }
    let mut headings = HEADINGS.to_vec();
    headings.insert(1, "of these");
    let rows = line.events.iter().map(|event| {
        let of_these = line.records.iter().find(|records| records.position == event.position);
        let mut row = audit_log::row(event);
        row.insert(1, of_these.map(|records| records.records.to_string()).unwrap_or_default());
        row
    });
    text::table(&headings, &[0, 1], rows.collect())
}

/// What usage comes to.
fn total(total: &CostTotal) -> String {
    let cost = total.sums.cost.map(|cost: Amount| cost.rounded_for_display(TABLE_PLACES));
    let cost = match (total.price_status, cost, &total.currency) {
        (PriceStatus::Priced, Some(cost), Some(currency)) => format!("{cost} {currency}"),
        (PriceStatus::NotBilled, _, _) => "not billed".to_owned(),
        (PriceStatus::Priced | PriceStatus::Unpriced, _, _) => "unpriced".to_owned(),
    };
    format!("{} requests: {cost}", total.sums.requests)
}

fn table(name: &str, found: &Why) -> String {
    let mut text = format!("{name}: why, position {}", found.position);
    for line in &found.lines {
        text.push_str(&format!("\n\n{}", line.what));
        if let (Some(since), Some(by)) = (line.since, &line.granted_by) {
            text.push_str(&format!(" (since {}, by {by})", since.format("%Y-%m-%d")));
        }
        for one in &line.totals {
            text.push_str(&format!("\n{}", total(one)));
        }
        if !line.events.is_empty() {
            text.push_str(&format!("\n{}", events_of(line)));
        }
        if line.more {
            text.push_str("\n… and more: the audit log has all");
        }
        for attested in &line.attestations {
            let when = attested.attested_at.map(|time| time.format("%Y-%m-%d").to_string());
            text.push_str(&format!(
                "\nattested: {} by {} on {} in '{}'",
                attested.decision,
                attested.attested_by.as_deref().unwrap_or("nobody"),
                when.unwrap_or_default(),
                attested.title,
            ));
        }
    }
    if let Some(departure) = &found.departure {
        let last = |time: Option<chrono::DateTime<chrono::Utc>>| {
            time.map_or_else(|| "never".to_owned(), |time| time.to_rfc3339())
        };
        text.push_str(&format!(
            "\n\n{}: left at {}, effective at {} ({} s later), position {}\nlast command: {}\nlast \
             use of a key: {}",
            departure.event.action,
            departure.left_at.to_rfc3339(),
            departure.effective_at.to_rfc3339(),
            departure.seconds,
            departure.event.position,
            last(departure.last_command_at),
            last(departure.last_use_at),
        ));
    }
    if found.lines.is_empty() && found.departure.is_none() {
        text.push_str("\n\nit is not so, and was never said");
    }
    text
}

fn in_context(found: &AuditEntryInContext) -> String {
    let none = |title: &str, entries: &[AuditEntry]| {
        if entries.is_empty() {
            return format!("\n\n{title}: nothing");
        }
        format!("\n\n{title}\n{}", events(entries))
    };
    let mut text = events(std::slice::from_ref(&found.entry));
    text.push_str(&none("before it, in the same request or named by it", &found.causes));
    text.push_str(&none("after it, in the same request or naming it", &found.effects));
    text
}
