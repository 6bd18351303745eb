//! `orgledger demo`: loads the demonstration organization and shows what there is to see.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use event_schemas::OrganizationId;
use tokio::net::TcpListener;

use crate::cli::{DemoArgs, PlaceArgs};
use crate::demo::{self, ORGANIZATION};
use crate::installation::data_dir;
use crate::services::Shutdown;
use crate::{dev, report};

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
    let running = dev::start(place, args.rate, listener, &shutdown).await?;
    let organization_id = match demo::find(&running.executor).await? {
        Some(organization_id) => {
            eprintln!("· {ORGANIZATION} is there already; --fresh begins anew");
            organization_id
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
            loaded.organization_id
        }
    };
    let installation = running.installation();
    for text in [
        report::access_register::table_of(installation, ORGANIZATION).await?,
        report::balance::table_of(installation, ORGANIZATION).await?,
        report::costs::table_of(installation, ORGANIZATION).await?,
    ] {
        crate::print(&format!("\n{text}"))?;
    }
    let credential = installation.operator_credential()?;
    let serves = if args.exit { "served" } else { "serves" };
    crate::print(&closing(serves, address, &credential, organization_id))?;
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

fn closing(
    serves: &str,
    address: SocketAddr,
    credential: &str,
    organization_id: OrganizationId,
) -> String {
    let base = format!("http://{address}/v1/organizations/{organization_id}");
    format!(
        "
orgledger {serves} on http://{address}
operator credential: {credential}

Worth trying:
  curl -H 'Authorization: Bearer {credential}' '{base}/access-register?as_of=2025-10-15'
  curl -H 'Authorization: Bearer {credential}' '{base}/costs?by=project,model'
  curl -X POST -H 'Authorization: Bearer {credential}' -H 'Idempotency-Key: try-1' -H 'Content-Type: application/json' -d '{{\"name\": \"Support-Prod\", \"environment\": \"production\"}}' '{base}/projects'
"
    )
}
