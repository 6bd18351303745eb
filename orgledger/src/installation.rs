//! Where this installation's databases and secrets are: named by the environment, or private ones
//! under the data directory.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};
use api_conventions::sign_in::{IssuerConfig, Issuers};
use api_conventions::{Authenticator, OperatorCredential};
use command_api::Executor;
use command_api::api_keys::secret::Pepper;
use command_api::credentials::CredentialRegister;
use embedded::{DataDir, Nats, Postgres};
use event_log::database::{self, Holds, Role};
use event_log::{MasterKeys, Vault};
use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor as _, PgConnection};

use crate::cli::PlaceArgs;
use crate::cli::seals::SigningArgs;
use crate::kept::{Kept, write_secret};

/// The private cluster's database.
const DATABASE: &str = "orgledger";

/// The name of the operator whose credential is always there.
const OPERATOR: &str = "operator";

/// The file in the data directory with that credential.
pub(crate) const OPERATOR_CREDENTIAL: &str = "operator-credential";

/// Connections to the keys of persons: one listens, the others read.
const VAULT_CONNECTIONS_MAX: u32 = 4;

/// Everything that a command needs to know of where it runs.
pub(crate) struct Installation {
    args: PlaceArgs,
    /// The log's database.
    pub log: PgConnectOptions,
    /// The read models' database.
    pub read: PgConnectOptions,
    postgres: Option<Postgres>,
}

impl Installation {
    /// Finds the databases, starting the private Postgres where none is named. A private or empty
    /// database gets its schema; one that is in use and older than this program is refused, since a
    /// report must not change what others run on.
    pub(crate) async fn open(args: &PlaceArgs) -> anyhow::Result<Self> {
        if args.database_url.is_none() && args.read_database_url.is_some() {
            bail!(
                "DATABASE_URL is not set: this command needs the log, and ORGLEDGER_READ_DATABASE_URL \
                 names only the read models' database"
            );
        }
        let installation = Self::find(args).await?;
        prepare(&installation.log, Holds::LogAndReadModels, installation.is_private()).await?;
        if args.read_database_url.is_some() {
            prepare(&installation.read, Holds::ReadModels, false).await?;
        }
        Ok(installation)
    }

    /// The same for who only asks: where there is no installation yet, none is begun.
    pub(crate) async fn open_existing(args: &PlaceArgs) -> anyhow::Result<Self> {
        let named = args.database_url.is_some() || args.read_database_url.is_some();
        if !named && !data_dir(&args.data_dir).has_postgres() {
            bail!(
                "there is no installation in {}: `orgledger dev` or an import begins one, --data-dir or \
                 DATABASE_URL names another",
                args.data_dir.display()
            );
        }
        Self::open(args).await
    }

    /// Finds the databases and brings their schemas to this program's version.
    pub(crate) async fn migrate(args: &PlaceArgs) -> anyhow::Result<Self> {
        let installation = Self::find(args).await?;
        if args.database_url.is_some() || args.read_database_url.is_none() {
            database::check_server(&installation.log).await?;
            database::migrate(&installation.log, Holds::LogAndReadModels).await?;
        }
        if args.read_database_url.is_some() {
            database::check_server(&installation.read).await?;
            database::migrate(&installation.read, Holds::ReadModels).await?;
        }
        Ok(installation)
    }

    /// Finds the databases as they are, for a service of a distributed deployment. Where only the
    /// read models' database is named, there is no log to be found.
    pub(crate) async fn find(args: &PlaceArgs) -> anyhow::Result<Self> {
        let named = |url: &Option<String>, variable| {
            url.as_ref().map(|url| parse(url, variable)).transpose()
        };
        let read = named(&args.read_database_url, "ORGLEDGER_READ_DATABASE_URL")?;
        let log = named(&args.database_url, "DATABASE_URL")?;
        let (log, postgres) = match (log, &read) {
            (Some(log), _) => (log, None),
            (None, Some(read)) => (read.clone(), None),
            (None, None) => private(&args.data_dir).await?,
        };
        let read = read.unwrap_or_else(|| log.clone());
        Ok(Self { args: args.clone(), log, read, postgres })
    }

    /// Whether the read models stand in a database of their own, fed from JetStream.
    pub(crate) fn reads_elsewhere(&self) -> bool {
        self.args.read_database_url.is_some()
    }

    fn is_private(&self) -> bool {
        self.postgres.is_some()
    }

    /// Gives the private Postgres up; it stops with its last user.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        if let Some(postgres) = self.postgres {
            postgres.stop().await?;
        }
        Ok(())
    }

    /// The data directory of the private Postgres, where it is ours.
    pub(crate) fn private_dir(&self) -> Option<DataDir> {
        self.is_private().then(|| data_dir(&self.args.data_dir))
    }

    /// The process id of the private Postgres.
    pub(crate) fn postgres_pid(&self) -> Option<u32> {
        self.postgres.as_ref().and_then(Postgres::pid)
    }

    /// What secrets are hashed with: named, or made once and kept beside the private cluster.
    pub(crate) fn pepper(&self) -> anyhow::Result<Pepper> {
        let text = match &self.args.key_pepper {
            Some(pepper) => pepper.clone(),
            None => self.kept_secret::<24>("key-pepper", "ORGLEDGER_KEY_PEPPER", None)?,
        };
        Pepper::new(text.into_bytes()).with_context(|| {
            format!("ORGLEDGER_KEY_PEPPER is too short: at least {} characters", Pepper::LENGTH_MIN)
        })
    }

    /// What keys of persons are wrapped with, likewise.
    pub(crate) fn master_keys(&self) -> anyhow::Result<MasterKeys> {
        let text = match &self.args.master_key {
            Some(keys) => keys.clone(),
            None => self.kept_secret::<32>("master-key", "ORGLEDGER_MASTER_KEY", None)?,
        };
        MasterKeys::parse(&text).context("ORGLEDGER_MASTER_KEY cannot be used")
    }

    /// Where the keys of persons are: beside the log, unless another place is named.
    pub(crate) fn vault(&self) -> anyhow::Result<PgConnectOptions> {
        match (&self.args.vault_database_url, &self.args.database_url) {
            (Some(url), _) => parse(url, "ORGLEDGER_VAULT_DATABASE_URL"),
            (None, None) if self.reads_elsewhere() => bail!(
                "ORGLEDGER_VAULT_DATABASE_URL is not set: what is a person's in the stream is opened with \
                 keys that the log's database holds"
            ),
            (None, Some(_) | None) => Ok(self.log.clone()),
        }
    }

    /// The keys of persons, for who fills read models.
    pub(crate) async fn open_vault(&self) -> anyhow::Result<Vault> {
        let masters = self.master_keys()?;
        let pool = database::pool(&self.vault()?, Role::Projector, VAULT_CONNECTIONS_MAX).await?;
        Ok(Vault::open(pool, masters).await?)
    }

    /// The operator's credential, likewise.
    pub(crate) fn operator_credential(&self) -> anyhow::Result<String> {
        match &self.args.operator_credential {
            Some(credential) => Ok(credential.clone()),
            None => {
                let variable = "ORGLEDGER_OPERATOR_CREDENTIAL";
                self.kept_secret::<24>(OPERATOR_CREDENTIAL, variable, Some("olo_"))
            }
        }
    }

    /// Who is let in.
    pub(crate) fn authenticator(&self) -> anyhow::Result<Authenticator> {
        let credential = self.operator_credential()?;
        let mut secrets = vec![credential.clone()];
        let mut operators = vec![OperatorCredential::new(OPERATOR, &credential)?];
        for entry in listed(self.args.operators.as_deref()) {
            let (name, credential) = entry
                .split_once('=')
                .context("ORGLEDGER_OPERATORS is a list of name=credential with commas between")?;
            anyhow::ensure!(
                !name.is_empty()
                    && operators.iter().all(|other| !other.name().eq_ignore_ascii_case(name)),
                "ORGLEDGER_OPERATORS: each operator has a name of their own, and 'operator' is taken"
            );
            anyhow::ensure!(
                secrets.iter().all(|other| other != credential),
                "ORGLEDGER_OPERATORS: each operator has a credential of their own: with one for two, \
                 one person is their own second"
            );
            secrets.push(credential.to_owned());
            operators.push(OperatorCredential::new(name, credential)?);
        }
        Ok(Authenticator::of(operators))
    }

    /// Who vouches for people signing in; none where nobody does.
    pub(crate) fn issuers(&self) -> anyhow::Result<Option<Issuers>> {
        let configs: Result<Vec<IssuerConfig>, _> =
            listed(self.args.oidc_issuers.as_deref()).map(str::parse).collect();
        let configs = configs.context("ORGLEDGER_OIDC_ISSUERS")?;
        if configs.is_empty() {
            return Ok(None);
        }
        Ok(Some(Issuers::new(configs).context("ORGLEDGER_OIDC_ISSUERS")?))
    }

    /// The credentials that the executor's log knows.
    pub(crate) fn register(&self, executor: Executor) -> anyhow::Result<CredentialRegister> {
        let register = CredentialRegister::new(executor);
        Ok(match self.issuers()? {
            Some(issuers) => register.with_issuers(issuers),
            None => register,
        })
    }

    /// A private NATS where none is named and the program is there; none, said once, where not.
    pub(crate) async fn nats(&self) -> anyhow::Result<Option<NatsPlace>> {
        if let Some(url) = &self.args.nats_url {
            return Ok(Some(NatsPlace { url: url.clone(), server: None }));
        }
        if self.args.database_url.is_some() {
            tracing::info!("no NATS_URL: the log is not published to NATS");
            return Ok(None);
        }
        match Nats::start(&data_dir(&self.args.data_dir)).await {
            Ok(server) => Ok(Some(NatsPlace { url: server.url(), server: Some(server) })),
            Err(error) => {
                tracing::warn!(%error, "no NATS: the log is not published; all else works");
                Ok(None)
            }
        }
    }

    /// Where a credential is that was kept in the data directory; none where there is no such file.
    pub(crate) fn kept(&self, name: &str) -> Option<Kept> {
        let path = self.args.data_dir.join(name);
        (self.is_private() && path.is_file()).then_some(Kept::In(path))
    }

    /// Keeps a credential in the data directory in place of an earlier one. With a database of one's
    /// own it is kept nowhere, only shown.
    pub(crate) fn keep(&self, name: &str, secret: &str) -> anyhow::Result<Kept> {
        if !self.is_private() {
            return Ok(Kept::Nowhere(secret.to_owned()));
        }
        let path = self.args.data_dir.join(name);
        if path.is_file() {
            std::fs::remove_file(&path)?;
        }
        write_secret(&path, secret).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Kept::In(path))
    }

    /// What is named of keys that sign.
    pub(crate) fn signing(&self) -> &SigningArgs {
        &self.args.signing
    }

    /// A file of the data directory, where the installation is a private one.
    pub(crate) fn private_file(&self, name: &str) -> Option<PathBuf> {
        self.is_private().then(|| self.args.data_dir.join(name))
    }

    fn kept_secret<const BYTES: usize>(
        &self,
        name: &str,
        variable: &str,
        prefix: Option<&str>,
    ) -> anyhow::Result<String> {
        if self.args.database_url.is_some() || self.args.read_database_url.is_some() {
            bail!(
                "{variable} is not set: with a database of your own, secrets are not kept in a \
                 directory"
            );
        }
        let path = self.args.data_dir.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => return Ok(text.trim().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        }
        let random = command_api::edge::random_bytes::<BYTES>().map_err(anyhow::Error::msg)?;
        let mut text = prefix.unwrap_or_default().to_owned();
        for byte in random {
            text.push_str(&format!("{byte:02x}"));
        }
        write_secret(&path, &text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Where NATS is, and the private server where it is ours.
pub(crate) struct NatsPlace {
    /// Its URL.
    pub url: String,
    server: Option<Nats>,
}

impl NatsPlace {
    /// Gives the private server up; it stops with its last user.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        if let Some(server) = self.server {
            server.stop().await?;
        }
        Ok(())
    }
}

/// The entries of a list with commas between.
fn listed(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or_default().split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

fn parse(url: &str, variable: &str) -> anyhow::Result<PgConnectOptions> {
    // The driver takes any scheme for its own.
    let is_postgres = ["postgres://", "postgresql://"].iter().any(|own| url.starts_with(own));
    let options = PgConnectOptions::from_str(url).ok().filter(|_| is_postgres);
    options.with_context(|| {
        format!("{variable} is not like postgres://user:password@host:port/database")
    })
}

/// The data directory, with the programs that `make` put beside the checkout.
pub(crate) fn data_dir(path: &Path) -> DataDir {
    DataDir::new(path).with_programs(PathBuf::from(".tools/programs"))
}

/// Makes a database usable, or says why it is not.
async fn prepare(options: &PgConnectOptions, holds: Holds, is_private: bool) -> anyhow::Result<()> {
    database::check_server(options).await?;
    if is_private || database::is_empty(options).await? {
        return Ok(database::migrate(options, holds).await?);
    }
    Ok(database::check_migrated(options, holds).await?)
}

async fn private(path: &Path) -> anyhow::Result<(PgConnectOptions, Option<Postgres>)> {
    let postgres = Postgres::start(&data_dir(path)).await?;
    let mut connection = PgConnection::connect_with(&postgres.connect_options()).await?;
    let there: Option<i32> = sqlx::query_scalar("select 1 from pg_database where datname = $1")
        .bind(DATABASE)
        .fetch_optional(&mut connection)
        .await?;
    if there.is_none() {
        let created = connection.execute(format!("create database {DATABASE}").as_str()).await;
        // Another process may have been faster: 42P04 says that it is there, 23505 that it comes.
        match created {
            Ok(_) => {}
            Err(error) => {
                match error.as_database_error().and_then(DatabaseError::code).as_deref() {
                    Some("42P04" | "23505") => {}
                    Some(_) | None => return Err(error.into()),
                }
            }
        }
    }
    Ok((postgres.connect_options().database(DATABASE), Some(postgres)))
}
