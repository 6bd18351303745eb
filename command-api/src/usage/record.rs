//! Record usage: check, attribute, price, write.

use std::sync::{Arc, RwLock};
use std::time::Instant;

use domain::pricing::{PriceBook, Tokens, Used};
use domain::usage::UsageRecord;
use event_log::usage::{
    Fate, NewUsage, Price, UsageWrite, UsageWriteError, UsageWriter, UsageWritten,
};
use event_schemas::{OrganizationId, PriceListEvent};
use serde::Serialize;
use utoipa::ToSchema;

use super::attribute::{Checked, attribute_all};
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
    pub(super) executor: Executor,
    writer: UsageWriter,
    pub(super) book: Arc<RwLock<PriceBook>>,
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
        records: Vec<UsageRecord>,
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
        records: Vec<UsageRecord>,
    ) -> Result<UsageAnswer, ExecuteError> {
        let metadata: Arc<str> = serde_json::to_string(&context.metadata)?.into();
        let mut checked = Checked::of(records, context.now);
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
            // A refusal on a cached state is given only after the state was brought up to the log.
            let up_to_date = attempt > 0;
            let attributed =
                attribute_all(&mut session, organization_id, &mut checked, up_to_date).await?;
            touched = session.touched();
            if !attributed {
                continue;
            }
            let prices_upto = self.refresh_prices().await?;
            self.price(organization_id, &mut checked);
            let Checked { usage, places, fates } = checked;
            let write = Arc::new(UsageWrite {
                organization_id,
                records: usage,
                expected: session.expected(),
                prices_upto,
                metadata: Arc::clone(&metadata),
                actor: context.metadata.actor.to_string(),
            });
            match self.writer.write_shared(Arc::clone(&write)).await {
                Ok(written) => return Ok(answer(written, (places, fates), &write.records)),
                Err(UsageWriteError::Stale) => {
                    let write = Arc::unwrap_or_clone(write);
                    checked = Checked { usage: write.records, places, fates };
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(ExecuteError::Contended)
    }

    /// Brings the price book up to the log; answers the position of the last price it knows.
    pub(super) async fn refresh_prices(&self) -> Result<i64, ExecuteError> {
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
    fn price(&self, organization_id: OrganizationId, checked: &mut Checked) {
        let book = self.book.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        checked.keep(|usage| {
            let priced = book.price(&used(organization_id, usage));
            let priced = priced.map_err(|error| error.to_string());
            let priced = priced.map_err(|reason| RecordFate::Invalid { field: None, reason })?;
            let known = (priced.price_version, priced.cost_pico, priced.currency);
            usage.price = match known {
                (Some(version), Some(cost_pico), Some(currency)) => {
                    Some(Price { version, cost_pico, currency })
                }
                _ => None,
            };
            Ok(())
        });
    }
}

/// What became of the records, in the order sent.
fn answer(
    written: UsageWritten,
    (places, mut fates): (Vec<usize>, Vec<Option<RecordFate>>),
    usage: &[NewUsage],
) -> UsageAnswer {
    let mut unpriced = 0;
    for ((place, fate), usage) in places.into_iter().zip(written.fates).zip(usage) {
        let recorded = matches!(fate, Fate::Recorded { .. });
        unpriced += usize::from(recorded && is_unpriced(usage));
        fates[place] = Some(fate.into());
    }
    let records = fates.into_iter().flatten().collect();
    UsageAnswer { records, position: written.position, unpriced }
}

impl RecordFate {
    pub(super) fn refused(refusal: &Refusal) -> Self {
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
            Fate::Archived { month } => Self::Invalid {
                field: Some("occurred_at".to_owned()),
                reason: format!(
                    "usage of {month} is archived and takes no more records; what was sent before is \
                     recorded"
                ),
            },
        }
    }
}

/// What failed and used nothing has no cost to know.
fn is_unpriced(usage: &NewUsage) -> bool {
    let used = usage.input_tokens != 0 || usage.output_tokens != 0 || !usage.units.is_empty();
    usage.price.is_none() && (used || usage.error_type.is_none())
}

fn used(organization_id: OrganizationId, usage: &NewUsage) -> Used<'_> {
    Used {
        organization_id,
        provider: &usage.provider,
        model: &usage.model,
        occurred_at: usage.occurred_at,
        tokens: Tokens {
            input: usage.input_tokens,
            cached_input: usage.cached_input_tokens,
            cache_write: usage.cache_write_tokens,
            output: usage.output_tokens,
            reasoning: usage.reasoning_tokens,
        },
        units: &usage.units,
        service_tier: usage.service_tier.as_deref(),
        failed: usage.error_type.is_some(),
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
