//! `orgledger demo`: loads the demonstration organization and shows what there is to see.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use event_schemas::OrganizationId;
use tokio::net::TcpListener;

use crate::cli::{DemoArgs, PlaceArgs};
use crate::demo::{self, ORGANIZATION};
use crate::installation::{OPERATOR_CREDENTIAL, data_dir};
use crate::kept::Kept;
use crate::services::Shutdown;
use crate::{dev, report};

/// The file in the data directory with the credential of the organization's owner.
const OWNER_CREDENTIAL: &str = "owner-credential";

/// Runs the demonstration.
pub(crate) async fn run(place: &PlaceArgs, args: &DemoArgs) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signal()?;
    if args.fresh {
        eprintln!("· emptying {}", place.data_dir.display());
        data_dir(&place.data_dir).remove().await?;
    }
    eprintln!("· starting Postgres, NATS, projectors and the APIs in {}", place.data_dir.display());
    let listener = bind_somewhere(args.listen).await?;
    let address = listener.local_addr().context("the listener has no address")?;
    let running = dev::start(place, args.rate, &args.webhooks, listener, &shutdown).await?;
    let installation = running.installation();
    let (organization_id, owner) = match demo::find(&running.executor).await? {
        Some(organization_id) => {
            eprintln!("· {ORGANIZATION} is there already; --fresh begins anew");
            (organization_id, installation.kept(OWNER_CREDENTIAL))
        }
        None => {
            let head = running.executor.log().head().await?;
            if head > 0 {
                running.stop().await?;
                bail!(
                    "{} holds other data already, up to position {head}: name another directory \
                     with --data-dir",
                    place.data_dir.display()
                );
            }
            let loaded = demo::load(&running.executor, |what| eprintln!("· {what}")).await?;
            eprintln!("· {} usage records are recorded", loaded.usage_records);
            let secret = loaded.owner_credential.reveal();
            (loaded.organization_id, Some(installation.keep(OWNER_CREDENTIAL, secret)?))
        }
    };
    for text in [
        report::access_register::table_of(installation, ORGANIZATION).await?,
        report::balance::table_of(installation, ORGANIZATION).await?,
        report::costs::table_of(installation, ORGANIZATION).await?,
    ] {
        crate::print(&format!("\n{text}"))?;
    }
    // One that was named is known to whoever named it.
    let named = place.operator_credential.is_some();
    let operator = installation.kept(OPERATOR_CREDENTIAL).filter(|_| !named);
    let serves = if args.exit { "served" } else { "serves" };
    crate::print(&closing(serves, address, operator.as_ref(), owner.as_ref(), organization_id))?;
    if args.exit {
        return running.stop().await;
    }
    running.wait().await
}

/// The address asked for or, where something else holds it, any free port.
async fn bind_somewhere(address: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            eprintln!("· {address} is taken; serving on a free port instead");
            let any = SocketAddr::new(address.ip(), 0);
            TcpListener::bind(any).await.with_context(|| format!("cannot listen on {any}"))
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address}")),
    }
}

/// What to try, as the organization's owner: the operator alone sees nothing of an organization.
fn closing(
    serves: &str,
    address: SocketAddr,
    operator: Option<&Kept>,
    owner: Option<&Kept>,
    organization_id: OrganizationId,
) -> String {
    let base = format!("http://{address}/v1/organizations/{organization_id}");
    let mut text = format!("\norgledger {serves} on http://{address}\n");
    if let Some(operator) = operator {
        text.push_str(&format!("operator credential: {operator}\n"));
    }
    let Some(owner) = owner else { return text };
    let bearer = format!("-H \"Authorization: Bearer {}\"", owner.in_shell());
    text.push_str(&format!(
        "credential of {ORGANIZATION}'s owner: {owner}

Worth trying:
  curl {bearer} '{base}/access-register?as_of=2025-10-15'
  curl {bearer} '{base}/costs?by=project,model'
  curl -X POST {bearer} -H 'Idempotency-Key: try-1' -H 'Content-Type: application/json' -d '{{\"name\": \"Support-Prod\", \"environment\": \"production\"}}' '{base}/projects'
"
    ));
    text
}
