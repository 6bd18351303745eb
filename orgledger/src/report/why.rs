//! `orgledger why`.

use anyhow::{Context as _, bail};
use event_schemas::{MemberId, OrganizationId, ProjectId};
use query_api::audit_log::AuditEntry;
use query_api::audit_log::entry::{AuditEntryInContext, Which, audit_entry};
use query_api::why::{READS, Why, WhyQuery, why};
use query_api::{OrganizationRef, Snapshot, Temporal};
use uuid::Uuid;

use super::{audit_log, failed, text, up_to_date};
use crate::cli::{PlaceArgs, TableOrJson, WhyArgs};
use crate::installation::Installation;

const HEADINGS: [&str; 7] = ["position", "when", "who", "what", "to", "change", "why"];

/// Prints why.
pub(crate) async fn run(place: &PlaceArgs, args: WhyArgs) -> anyhow::Result<()> {
    let asks_nothing = args.member.is_none()
        && args.subject.is_none()
        && args.currency.is_none()
        && args.feature.is_none()
        && args.event.is_none();
    if asks_nothing {
        bail!("why what? Name --member, --subject, --currency, --feature or --event");
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
            let query = query(&mut snapshot, organization_id, &args).await?;
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
    Ok(WhyQuery {
        member_id,
        project_id,
        subject: args.subject,
        currency: args.currency,
        feature: args.feature.clone(),
        temporal: Temporal { as_of: args.as_of, at_position: args.at_position },
    })
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

fn table(name: &str, found: &Why) -> String {
    let mut text = format!("{name}: why, position {}", found.position);
    for line in &found.lines {
        text.push_str(&format!("\n\n{}", line.what));
        if let (Some(since), Some(by)) = (line.since, &line.granted_by) {
            text.push_str(&format!(" (since {}, by {by})", since.format("%Y-%m-%d")));
        }
        text.push_str(&format!("\n{}", events(&line.events)));
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
