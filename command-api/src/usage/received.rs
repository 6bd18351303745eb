//! A body of usage as it arrives: what form it has, unpacked, and within its limits.

use std::io::Read;

use api_conventions::authentication::Presented;
use api_conventions::problem::UNSUPPORTED_MEDIA_TYPE;
use api_conventions::{Caller, Problem};
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, header};
use event_schemas::OrganizationId;
use futures::StreamExt as _;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::gate::{Full, Gate, Place};
use crate::problems::failures::usage_queue_full;

/// How much is unpacked at a time.
const STEP_BYTES: usize = 64 * 1024;

/// The forms that usage comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// JSON: one record, a list of them, or an object with a list.
    Json,
    /// A record a line.
    Lines,
    /// One `CloudEvents` event, in structured mode.
    CloudEvent,
    /// A list of such.
    CloudEvents,
}

/// A body, with the room that it takes until it is dropped.
pub(super) struct Received {
    pub(super) form: Form,
    pub(super) text: Bytes,
    pub(super) place: Place,
}

/// How it is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Deflate,
    Zstd,
}

/// Why something could not be unpacked.
pub(super) enum Unpacking {
    /// It unpacks to more than it may.
    TooLarge,
    /// There is no room at the moment.
    Full,
    /// It is packed in another way than it says.
    Broken(std::io::Error),
    /// The process ends, or something is wrong in it.
    Failed(tokio::task::JoinError),
}

/// Takes a body in, of so many bytes at most, packed and unpacked. It takes room of the caller's own
/// organization, whichever one it is about.
pub(super) async fn receive(
    gate: &Gate,
    (caller, about): (&Caller, Option<OrganizationId>),
    request: Request,
    bytes_max: usize,
) -> Result<Received, Problem> {
    let form = form(request.headers())?;
    let encoding = text_of(request.headers(), &header::CONTENT_ENCODING).unwrap_or_default();
    let packing = packing_of(encoding)?;
    let of = caller.presented.as_ref().map(Presented::organization_id);
    let organization_id = of.or(about).unwrap_or(OrganizationId(uuid::Uuid::nil()));
    let mut place = gate.enter(organization_id, 0).map_err(|Full| usage_queue_full())?;
    let packed = arrive(request, bytes_max, &mut place).await?;
    let Some(packing) = packing else { return Ok(Received { form, text: packed.into(), place }) };
    match unpacked(packing, packed.into(), bytes_max, place).await {
        Ok((text, place)) => Ok(Received { form, text: text.into(), place }),
        Err(Unpacking::TooLarge) => Err(Problem::too_large(bytes_max)),
        Err(Unpacking::Full) => Err(usage_queue_full()),
        Err(Unpacking::Broken(error)) => Err(Problem::invalid("body", not_as_said(&error))),
        Err(Unpacking::Failed(error)) => Err(Problem::internal(&error)),
    }
}

/// What is wrong with what is packed in another way than it says.
pub(super) fn not_as_said(error: &std::io::Error) -> String {
    format!("it is not what Content-Encoding says: {error}")
}

/// Unpacks, to so many bytes at most, beside what else goes on.
pub(super) async fn unpacked(
    packing: Packing,
    packed: Bytes,
    bytes_max: usize,
    place: Place,
) -> Result<(Vec<u8>, Place), Unpacking> {
    let unpacked = tokio::task::spawn_blocking(move || unpack(packing, &packed, bytes_max, place));
    unpacked.await.map_err(Unpacking::Failed)?
}

/// The body as it is sent. Room is taken as it arrives, however large it says that it is.
async fn arrive(request: Request, bytes_max: usize, place: &mut Place) -> Result<Vec<u8>, Problem> {
    let said = text_of(request.headers(), &header::CONTENT_LENGTH);
    let said: usize = said.and_then(|length| length.parse().ok()).unwrap_or(0);
    if said > bytes_max {
        return Err(Problem::too_large(bytes_max));
    }
    let mut parts = request.into_body().into_data_stream();
    let mut body = Vec::with_capacity(said.min(STEP_BYTES));
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| Problem::invalid("body", "it ended before it was complete"))?;
        if body.len() + part.len() > bytes_max {
            return Err(Problem::too_large(bytes_max));
        }
        place.grow(part.len()).map_err(|Full| usage_queue_full())?;
        body.extend_from_slice(&part);
    }
    Ok(body)
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    form_of(text_of(headers, &header::CONTENT_TYPE).unwrap_or_default())
}

/// The form that a media type names.
pub(super) fn form_of(media_type: &str) -> Result<Form, Problem> {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines" => Ok(Form::Lines),
        "application/cloudevents+json" => Ok(Form::CloudEvent),
        "application/cloudevents-batch+json" => Ok(Form::CloudEvents),
        "application/json" => Ok(Form::Json),
        other if other.starts_with("application/") && other.ends_with("+json") => Ok(Form::Json),
        _ => Err(Problem::new(UNSUPPORTED_MEDIA_TYPE).with_detail(
            "Send application/json, application/x-ndjson, application/cloudevents+json or \
             application/cloudevents-batch+json.",
        )),
    }
}

/// How something is packed that says so in `Content-Encoding`.
pub(super) fn packing_of(encoding: &str) -> Result<Option<Packing>, Problem> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(None),
        "gzip" | "x-gzip" => Ok(Some(Packing::Gzip)),
        "deflate" => Ok(Some(Packing::Deflate)),
        "zstd" => Ok(Some(Packing::Zstd)),
        _ => Err(Problem::new(UNSUPPORTED_MEDIA_TYPE)
            .with_detail("Of Content-Encoding, gzip, deflate, zstd and identity are understood.")),
    }
}

/// Unpacks, and stops as soon as it is too large: a small body can unpack to any size.
fn unpack(
    packing: Packing,
    packed: &[u8],
    bytes_max: usize,
    place: Place,
) -> Result<(Vec<u8>, Place), Unpacking> {
    match packing {
        Packing::Gzip => read(flate2::read::MultiGzDecoder::new(packed), bytes_max, place),
        Packing::Deflate => {
            let mut decoder = flate2::bufread::ZlibDecoder::new(packed);
            let unpacked = read(&mut decoder, bytes_max, place)?;
            if decoder.get_ref().is_empty() { Ok(unpacked) } else { Err(more_than_one()) }
        }
        Packing::Zstd => read(Frames { packed, frame: None }, bytes_max, place),
    }
}

/// A deflate stream is one; what stands behind it would be lost.
fn more_than_one() -> Unpacking {
    Unpacking::Broken(std::io::Error::other("something stands after its end"))
}

/// The frames of a zstd body, one after another: who packs as they write sends many.
struct Frames<'a> {
    packed: &'a [u8],
    frame: Option<StreamingDecoder<&'a [u8], FrameDecoder>>,
}

impl Read for Frames<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let bytes = frame.read(buffer)?;
                if bytes > 0 || buffer.is_empty() {
                    return Ok(bytes);
                }
                self.packed = frame.get_ref();
                self.frame = None;
            }
            if self.packed.is_empty() {
                return Ok(0);
            }
            match StreamingDecoder::new(self.packed) {
                Ok(frame) => self.frame = Some(frame),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => self.skip(length)?,
                Err(error) => return Err(std::io::Error::other(error)),
            }
        }
    }
}

impl Frames<'_> {
    /// Skips a frame that has nothing of the body in it: a header of eight bytes and so many more.
    fn skip(&mut self, length: u32) -> std::io::Result<()> {
        let length = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(8);
        self.packed = self.packed.get(length..).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        Ok(())
    }
}

fn read(
    mut decoder: impl Read,
    bytes_max: usize,
    mut place: Place,
) -> Result<(Vec<u8>, Place), Unpacking> {
    let mut text = Vec::new();
    loop {
        place.grow(STEP_BYTES).map_err(|Full| Unpacking::Full)?;
        let step = decoder.by_ref().take(STEP_BYTES as u64).read_to_end(&mut text);
        let step = step.map_err(Unpacking::Broken)?;
        if text.len() > bytes_max {
            return Err(Unpacking::TooLarge);
        }
        if step < STEP_BYTES {
            return Ok((text, place));
        }
    }
}
