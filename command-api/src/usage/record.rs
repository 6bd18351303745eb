//! Record usage: check, attribute, price, write.

use std::sync::{Arc, RwLock};
use std::time::Instant;

use chrono::{DateTime, Utc};
use domain::api_key::ApiKey;
use domain::pricing::PriceBook;
use domain::project::Project;
use domain::usage::UsageRecord;
use event_log::usage::{Fate, NewUsage, Price, UsageWrite, UsageWriteError, UsageWriter};
use event_schemas::{KeyOwner, OrganizationId, Permission, PriceListEvent};
use serde::Serialize;
use utoipa::ToSchema;

use crate::execute::observe;
use crate::execute::{CommandContext, Executor, Session};
use crate::problems;
use crate::refusal::{ExecuteError, Refusal};

/// How often records are checked again when what they were checked against moves on.
/// From the second try on, what was looked at before cannot be overtaken within this process; the
/// others are for prices, for streams not looked at before, and for other processes.
const TRIES_MAX: usize = 6;

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum RecordFate {
    /// It is in the log.
    Recorded {
        /// At this position.
        position: i64,
    },
    /// It was there already, with the same content: it counts once.
    Duplicate,
    /// The request was recorded with other content: that one stays.
    Conflict,
    /// It cannot be recorded.
    Invalid {
        /// The field that is wrong, where it is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<String>,
        /// What is wrong.
        reason: String,
    },
}

/// What became of records sent together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UsageAnswer {
    /// One fate for each record, in the order sent.
    pub records: Vec<RecordFate>,
    /// The position up to which the log must be read to see all of them.
    pub position: i64,
    /// For how many of the records that were recorded no price was known.
    pub unpriced: usize,
}

/// Records usage. Cheap to clone.
#[derive(Clone)]
pub struct UsageRecorder {
    executor: Executor,
    writer: UsageWriter,
    book: Arc<RwLock<PriceBook>>,
}

impl UsageRecorder {
    /// A recorder beside an executor.
    pub fn new(executor: Executor) -> Self {
        let writer = UsageWriter::new(executor.log());
        Self { executor, writer, book: Arc::default() }
    }

    /// Records what can be recorded; one bad record never costs its neighbours. Answers after the
    /// commit.
    pub async fn record(
        &self,
        context: &CommandContext,
        organization_id: OrganizationId,
        records: &[UsageRecord],
    ) -> Result<UsageAnswer, ExecuteError> {
        let started = Instant::now();
        let answer = self.check_and_write(context, organization_id, records).await;
        let outcome = answer.as_ref().map_or_else(observe::failure, |_| "done");
        observe::command("usage.record", started, outcome);
        answer
    }

    async fn check_and_write(
        &self,
        context: &CommandContext,
        organization_id: OrganizationId,
        records: &[UsageRecord],
    ) -> Result<UsageAnswer, ExecuteError> {
        let metadata: Arc<str> = serde_json::to_string(&context.metadata)?.into();
        let mut touched = Vec::new();
        for attempt in 0..TRIES_MAX {
            let mut session = match attempt {
                0 => self.executor.reading(context.authority, false),
                _ => self.executor.reading_alone(context.authority, &touched).await,
            }
            .named(&context.metadata.actor.id);
            if let Err(refusal) = open(&mut session, context, organization_id).await {
                if attempt == 0 {
                    continue;
                }
                return Err(refusal.into_error());
            }
            let mut fates: Vec<Option<RecordFate>> = vec![None; records.len()];
            let mut checked = Vec::with_capacity(records.len());
            for (index, record) in records.iter().enumerate() {
                match attribute(&mut session, organization_id, record, context.now).await {
                    Ok(usage) => checked.push((index, usage)),
                    Err(Refusal::Failed(error)) => return Err(*error),
                    Err(refusal) => fates[index] = Some(RecordFate::refused(&refusal)),
                }
            }
            // A refusal on a cached state is given only after the state was brought up to the log.
            touched = session.touched();
            if attempt == 0 && checked.len() < records.len() {
                continue;
            }
            let prices_upto = self.refresh_prices().await?;
            self.price(&mut checked, &mut fates);
            let (places, usage): (Vec<usize>, Vec<NewUsage>) = checked.into_iter().unzip();
            let write = UsageWrite {
                organization_id,
                records: usage,
                expected: session.expected(),
                prices_upto,
                metadata: Arc::clone(&metadata),
                actor: context.metadata.actor.to_string(),
            };
            match self.writer.write(&write).await {
                Ok(written) => {
                    let mut unpriced = 0;
                    for ((place, fate), usage) in
                        places.into_iter().zip(written.fates).zip(&write.records)
                    {
                        let recorded = matches!(fate, Fate::Recorded { .. });
                        unpriced += usize::from(recorded && usage.price.is_none());
                        fates[place] = Some(fate.into());
                    }
                    let records = fates.into_iter().flatten().collect();
                    return Ok(UsageAnswer { records, position: written.position, unpriced });
                }
                Err(UsageWriteError::Stale) => {}
                Err(UsageWriteError::Contended) => return Err(ExecuteError::Contended),
                Err(UsageWriteError::Sqlx(error)) => return Err(error.into()),
            }
        }
        Err(ExecuteError::Contended)
    }

    /// Brings the price book up to the log; answers the position of the last price it knows.
    async fn refresh_prices(&self) -> Result<i64, ExecuteError> {
        let known = self.book.read().unwrap_or_else(std::sync::PoisonError::into_inner).position();
        let published =
            event_log::read::read_price_lists(self.executor.log().pool(), known).await?;
        let mut book = self.book.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for event in published {
            let position = event.position;
            let event: PriceListEvent = serde_json::from_value(event.payload)?;
            book.published(position, &event);
        }
        Ok(book.position())
    }

    /// Prices every record at the prices in force when it happened.
    fn price(&self, checked: &mut Vec<(usize, NewUsage)>, fates: &mut [Option<RecordFate>]) {
        let book = self.book.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        checked.retain_mut(|(index, usage)| {
            let tokens = tokens(usage);
            match book.price(&usage.provider, &usage.model, usage.occurred_at, &tokens) {
                Ok(priced) => {
                    let known = (priced.price_version, priced.cost_pico, priced.currency);
                    if let (Some(version), Some(cost_pico), Some(currency)) = known {
                        usage.price = Some(Price { version, cost_pico, currency });
                    }
                    true
                }
                Err(error) => {
                    let reason = error.to_string();
                    fates[*index] = Some(RecordFate::Invalid { field: None, reason });
                    false
                }
            }
        });
    }
}

impl RecordFate {
    fn refused(refusal: &Refusal) -> Self {
        let field = problems::field_of_record(refusal).map(str::to_owned);
        Self::Invalid { field, reason: refusal.to_string() }
    }
}

impl From<Fate> for RecordFate {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Recorded { position } => Self::Recorded { position },
            Fate::Duplicate => Self::Duplicate,
            Fate::Conflict => Self::Conflict,
        }
    }
}

fn tokens(usage: &NewUsage) -> domain::pricing::Tokens {
    domain::pricing::Tokens {
        input: usage.input_tokens,
        cached_input: usage.cached_input_tokens,
        cache_write: usage.cache_write_tokens,
        output: usage.output_tokens,
        reasoning: usage.reasoning_tokens,
    }
}

/// That the organization is open, for one who is of it. The operator, unless they were let in, is
/// refused as a whole like with every command, and not record by record.
async fn open(
    session: &mut Session<'_>,
    context: &CommandContext,
    organization_id: OrganizationId,
) -> Result<(), Refusal> {
    session.vouch(context.presented.as_ref()).await?;
    let asking = session.asking(organization_id).await?;
    session.open_organization(organization_id).await?;
    match asking {
        Some(asking) if asking.is_operator() => Err(Refusal::BreakGlassNeeded),
        Some(_) | None => Ok(()),
    }
}

/// Checks a record and finds out whose it is.
async fn attribute(
    session: &mut Session<'_>,
    organization_id: OrganizationId,
    record: &UsageRecord,
    now: DateTime<Utc>,
) -> Result<NewUsage, Refusal> {
    record.check(now)?;
    session.permit_in(organization_id, record.project_id, Permission::UsageRecord).await?;
    session.read::<Project>(record.project_id).await?.open(organization_id)?;
    let owner = owner(session, organization_id, record).await?;
    let (member_id, service_account_id) = match owner {
        Some(KeyOwner::Member { member_id }) => (Some(member_id), None),
        Some(KeyOwner::ServiceAccount { service_account_id }) => (None, Some(service_account_id)),
        None => (None, None),
    };
    Ok(NewUsage {
        project_id: record.project_id,
        api_key_id: record.api_key_id,
        member_id,
        service_account_id,
        end_user: record.end_user.clone(),
        feature: record.feature.clone(),
        provider: record.provider.clone(),
        model: record.model.clone(),
        request_id: record.request_id.clone(),
        occurred_at: record.occurred_at,
        input_tokens: record.input_tokens,
        cached_input_tokens: record.cached_input_tokens,
        cache_write_tokens: record.cache_write_tokens,
        output_tokens: record.output_tokens,
        reasoning_tokens: record.reasoning_tokens,
        price: None,
        tags: record.tags.clone(),
    })
}

/// Whose usage it is: the key's owner, else the member or service account that the record names.
async fn owner(
    session: &mut Session<'_>,
    organization_id: OrganizationId,
    record: &UsageRecord,
) -> Result<Option<KeyOwner>, Refusal> {
    if let Some(api_key_id) = record.api_key_id {
        let project_id = session.own_api_key(organization_id, api_key_id).await?;
        // An admin key is good for any project.
        if project_id.is_some_and(|project_id| project_id != record.project_id) {
            let why = "the key belongs to another project";
            return Err(Refusal::Invalid { field: "api_key_id", why });
        }
        return Ok(session.read::<ApiKey>(api_key_id).await?.owner());
    }
    match (record.member_id, record.service_account_id) {
        (None, None) => Ok(None),
        (Some(member_id), None) => {
            session.active_member(organization_id, member_id).await?;
            Ok(Some(KeyOwner::Member { member_id }))
        }
        (None, Some(service_account_id)) => {
            let account =
                session.active_service_account(organization_id, service_account_id).await?;
            if account.project_id() != record.project_id {
                let why = "the service account belongs to another project";
                return Err(Refusal::Invalid { field: "service_account_id", why });
            }
            Ok(Some(KeyOwner::ServiceAccount { service_account_id }))
        }
        (Some(_), Some(_)) => Err(Refusal::Invalid {
            field: "member_id",
            why: "usage is a member's or a service account's, not both",
        }),
    }
}
