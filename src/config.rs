//! Typed settings with units; the only reader of the environment.
//!
//! [`table()`] names every setting with its default and its bounds; the parser, the messages and
//! `docs/CONFIGURATION.md` all follow it. A bad value or an unknown `BRASA_*` variable stops the start.

mod accounts;
mod encryption;
mod mail;
mod network;
mod outside;
mod table;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use accounts::FirstAdmin;
pub use encryption::Encryption;
pub use mail::{Mail, MailWay, Smtp, SmtpEncryption};
pub use network::{Network, Origin, Origins};
pub use outside::OutsideIssuer;
pub use table::{Accepts, Preset, Setting, table};
pub use words::{Auth, BaseUrl, BodyCodec, DatabaseUrl, Engine, LogFormat, Mode, Profiles, Secret, Switch, Validation};

/// What the server is started with. Every number is within the bounds of its row in [`table()`].
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    /// The FHIR endpoint as clients see it; without it, links follow the checked `Host`.
    pub base_url: Option<BaseUrl>,
    pub mode: Mode,
    pub auth: Auth,
    /// Whether accesses are recorded.
    pub audit: bool,
    /// Months of the audit that are kept besides the one that goes on; `None`: all.
    pub audit_months_kept: Option<u32>,
    /// Whether strangers may make themselves an account, of a patient and linked to no record.
    pub registration: bool,
    /// How long an access token is valid.
    pub token_life: Duration,
    /// How long after its log-in a session ends, whatever is done in it.
    pub refresh_life: Duration,
    /// Made at the start when no admin's account is there yet.
    pub first_admin: Option<FirstAdmin>,
    /// `None`: nobody comes in by a token of another server.
    pub outside_issuer: Option<OutsideIssuer>,
    /// `None`: no mail is sent.
    pub mail: Option<Mail>,
    /// Web pages that may use this server from a browser; `None`: none but its own.
    pub cors_origins: Option<Origins>,
    /// Proxies whose word about a client's address is taken.
    pub trusted_proxies: Vec<Network>,
    /// Of one account, one key or one address, on average; 0: no bound.
    pub requests_per_second_max: u32,
    /// Of these, at once after a pause.
    pub requests_burst_max: u32,
    /// From one address.
    pub registrations_per_hour_max: u32,
    /// How long a client may send nothing in the middle of a body.
    pub body_idle: Duration,
    /// How long requests under way may go on after the signal to stop.
    pub shutdown: Duration,
    pub http_workers: usize,

    /// Without it, the server keeps an embedded PostgreSQL in `data_dir`.
    pub database_url: Option<DatabaseUrl>,
    /// May be relative (to the working directory) and may not exist yet.
    pub data_dir: PathBuf,
    pub engine: Engine,
    /// Citus only, and only when the tables are first distributed.
    pub shard_count: u32,
    /// For each database node.
    pub pool_connections_max: usize,
    /// For one call to the database.
    pub database_deadline: Duration,
    /// For a whole transaction Bundle.
    pub transaction_deadline: Duration,
    pub body_codec: BodyCodec,
    pub validation: Validation,
    pub profiles: Profiles,

    /// One body, after decompression.
    pub body_bytes_max: usize,
    /// All bodies held at once; never less than `body_bytes_max`.
    pub bodies_in_flight_bytes_max: usize,
    pub requests_in_flight_max: usize,
    pub bundle_entries_max: usize,
    pub json_depth_max: usize,
    /// Entries of one batch Bundle.
    pub batch_concurrency: usize,
    /// Never more than `page_count_max`.
    pub page_count_default: u32,
    pub page_count_max: u32,
    /// Resources that go along with a page by `_include` and `_revinclude`.
    pub included_max: usize,
    /// Resources that one conditional delete may delete.
    pub conditional_deletes_max: usize,
    /// Whether `_explain` is answered.
    pub explain: bool,
    /// Whether `/docs`, `/redoc` and `/openapi.json` are answered.
    pub docs: bool,

    /// Whether `_text` and `_content` are answered, and the words of each resource kept for them.
    pub full_text: bool,

    /// A filter that `tracing_subscriber::EnvFilter` reads.
    pub log: String,
    pub log_format: LogFormat,
}

/// Why the server does not start: which variable, what it held, and what would be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    pub variable: String,
    /// Sentences for the operator, variable included. Never a secret.
    pub message: String,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SettingError {}

impl SettingError {
    fn new(variable: &str, message: String) -> Self {
        SettingError { variable: variable.to_owned(), message }
    }
}

/// What the defaults depend on besides the environment.
struct Machine {
    is_root: bool,
    cores: usize,
}

impl Machine {
    fn here() -> Self {
        // `/proc/self` belongs to the process's effective user; elsewhere than on Linux nobody counts as root.
        let owner = std::fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m));
        Machine {
            is_root: owner.is_ok_and(|uid| uid == 0),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl Settings {
    /// The settings of this process's environment.
    ///
    /// # Errors
    /// The first variable that is unknown, unreadable, out of bounds or at odds with another.
    pub fn load() -> Result<Self, SettingError> {
        Settings::load_with(&[])
    }

    /// As [`Settings::load`], with flags of the command line, each under its variable's name, before the environment.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn load_with(flags: &[(&str, String)]) -> Result<Self, SettingError> {
        let mut values = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str() else { continue };
            match value.into_string() {
                Ok(value) => drop(values.insert(name.to_owned(), value)),
                Err(_) if !name.starts_with("BRASA_") => {}
                Err(_) => return Err(SettingError::new(name, format!("{name} holds text that is not UTF-8."))),
            }
        }
        check_names(&values)?;
        values.extend(flags.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        Settings::from_env(|name| values.get(name).cloned())
    }

    /// The settings that `lookup` gives by variable name. An empty value is as good as none.
    ///
    /// # Errors
    /// As [`Settings::load`], but for unknown variables, which a look-up cannot show.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let settings = Reader { lookup: &lookup }.settings(&Machine::here())?;
        settings.validate()?;
        Ok(settings)
    }

    /// Checks what concerns more than one setting. Call it again after changing a field.
    ///
    /// # Errors
    /// The first pair of settings that do not go together.
    pub fn validate(&self) -> Result<(), SettingError> {
        let at_odds = |variable: &str, message: String| Err(SettingError::new(variable, message));
        if self.bodies_in_flight_bytes_max < self.body_bytes_max {
            return at_odds(
                "BRASA_BODIES_IN_FLIGHT_BYTES_MAX",
                format!(
                    "BRASA_BODIES_IN_FLIGHT_BYTES_MAX={} is less than BRASA_BODY_BYTES_MAX={}: the largest body could never be read. Raise the one or lower the other.",
                    self.bodies_in_flight_bytes_max, self.body_bytes_max
                ),
            );
        }
        if self.page_count_default > self.page_count_max {
            return at_odds(
                "BRASA_PAGE_COUNT_DEFAULT",
                format!(
                    "BRASA_PAGE_COUNT_DEFAULT={} is more than BRASA_PAGE_COUNT_MAX={}. Lower the one or raise the other.",
                    self.page_count_default, self.page_count_max
                ),
            );
        }
        if self.transaction_deadline < self.database_deadline {
            return at_odds(
                "BRASA_TRANSACTION_DEADLINE_MS",
                format!(
                    "BRASA_TRANSACTION_DEADLINE_MS={} is less than BRASA_DATABASE_DEADLINE_MS={}, the deadline of one call in it. Raise the one or lower the other.",
                    self.transaction_deadline.as_millis(),
                    self.database_deadline.as_millis()
                ),
            );
        }
        self.validate_mail()?;
        self.validate_accounts()
    }
}

/// Reads one setting after the other from a look-up.
struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl Reader<'_> {
    fn settings(&self, machine: &Machine) -> Result<Settings, SettingError> {
        let read_data_dir = |text: &str| Some(PathBuf::from(text));
        Ok(Settings {
            listen: self.text("BRASA_LISTEN", |text| text.parse().ok())?,
            base_url: self.optional("BRASA_BASE_URL", BaseUrl::parse)?,
            mode: self.text("BRASA_MODE", Mode::parse)?,
            auth: self.text("BRASA_AUTH", Auth::parse)?,
            audit: self.audit()?,
            audit_months_kept: self.optional_number("BRASA_AUDIT_MONTHS_KEPT")?,
            registration: self.text("BRASA_REGISTRATION", Switch::parse)? == Switch::On,
            token_life: Duration::from_secs(self.number("BRASA_TOKEN_SECONDS")?),
            refresh_life: Duration::from_secs(self.number("BRASA_REFRESH_SECONDS")?),
            first_admin: self.first_admin()?,
            outside_issuer: self.outside_issuer()?,
            mail: self.mail()?,
            cors_origins: self.optional("BRASA_CORS_ORIGINS", Origins::parse)?,
            trusted_proxies: self
                .optional("BRASA_TRUSTED_PROXIES", |text| network::list(text, Network::parse))?
                .unwrap_or_default(),
            requests_per_second_max: match self.optional_number("BRASA_REQUESTS_PER_SECOND_MAX")? {
                Some(chosen) => chosen,
                None => self.text("BRASA_MODE", Mode::parse)?.requests_per_second_max(),
            },
            requests_burst_max: self.number("BRASA_REQUESTS_BURST_MAX")?,
            registrations_per_hour_max: self.number("BRASA_REGISTRATIONS_PER_HOUR_MAX")?,
            body_idle: Duration::from_secs(self.number("BRASA_BODY_IDLE_SECONDS")?),
            shutdown: Duration::from_secs(self.number("BRASA_SHUTDOWN_SECONDS")?),
            http_workers: self.optional_number("BRASA_HTTP_WORKERS")?.unwrap_or(machine.cores),
            database_url: self.optional("BRASA_DATABASE_URL", DatabaseUrl::parse)?,
            data_dir: match self.optional("BRASA_DATA_DIR", read_data_dir)? {
                Some(chosen) => chosen,
                None => data_dir_default(machine, self.lookup),
            },
            engine: self.text("BRASA_ENGINE", Engine::parse)?,
            shard_count: self.number("BRASA_SHARD_COUNT")?,
            pool_connections_max: self.number("BRASA_POOL_CONNECTIONS_MAX")?,
            database_deadline: Duration::from_millis(self.number("BRASA_DATABASE_DEADLINE_MS")?),
            transaction_deadline: Duration::from_millis(self.number("BRASA_TRANSACTION_DEADLINE_MS")?),
            body_codec: self.text("BRASA_BODY_CODEC", BodyCodec::parse)?,
            validation: self.text("BRASA_VALIDATION", Validation::parse)?,
            profiles: self.text("BRASA_PROFILES", Profiles::parse)?,
            body_bytes_max: self.number("BRASA_BODY_BYTES_MAX")?,
            bodies_in_flight_bytes_max: self.number("BRASA_BODIES_IN_FLIGHT_BYTES_MAX")?,
            requests_in_flight_max: self.number("BRASA_REQUESTS_IN_FLIGHT_MAX")?,
            bundle_entries_max: self.number("BRASA_BUNDLE_ENTRIES_MAX")?,
            json_depth_max: self.number("BRASA_JSON_DEPTH_MAX")?,
            batch_concurrency: self.number("BRASA_BATCH_CONCURRENCY")?,
            page_count_default: self.number("BRASA_PAGE_COUNT_DEFAULT")?,
            page_count_max: self.number("BRASA_PAGE_COUNT_MAX")?,
            included_max: self.number("BRASA_INCLUDED_MAX")?,
            conditional_deletes_max: self.number("BRASA_CONDITIONAL_DELETES_MAX")?,
            explain: self.text("BRASA_EXPLAIN", Switch::parse)? == Switch::On,
            docs: self.text("BRASA_DOCS", Switch::parse)? == Switch::On,
            full_text: self.text("BRASA_FULL_TEXT", Switch::parse)? == Switch::On,
            log: self.text("BRASA_LOG", read_log_filter)?,
            log_format: self.text("BRASA_LOG_FORMAT", LogFormat::parse)?,
        })
    }

    /// A setting that may be absent.
    fn optional<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, SettingError> {
        self.read(name, |_, text| parse(text))
    }

    /// A setting whose default is a value.
    fn text<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, SettingError> {
        self.optional(name, parse)?.ok_or_else(|| no_default(name))
    }

    /// A number or an amount of bytes, within the bounds of its row.
    fn number<T: TryFrom<u64>>(&self, name: &str) -> Result<T, SettingError> {
        self.optional_number(name)?.ok_or_else(|| no_default(name))
    }

    fn optional_number<T: TryFrom<u64>>(&self, name: &str) -> Result<Option<T>, SettingError> {
        self.read(name, |setting, text| read_number(&setting.accepts, text)?.try_into().ok())
    }

    fn read<T>(&self, name: &str, parse: impl Fn(&Setting, &str) -> Option<T>) -> Result<Option<T>, SettingError> {
        let Some(setting) = table().iter().find(|setting| setting.name == name) else {
            return Err(SettingError::new(name, format!("{name} is read but is not in the table of settings.")));
        };
        let given = (self.lookup)(name).filter(|value| !value.is_empty());
        let value = match (given, setting.default) {
            (Some(value), _) => value,
            (None, Preset::Value(value)) => value.to_owned(),
            (None, Preset::Decided(_)) => return Ok(None),
        };
        match parse(setting, &value) {
            Some(read) => Ok(Some(read)),
            None => Err(not_accepted(setting, &value)),
        }
    }
}

fn no_default(name: &str) -> SettingError {
    SettingError::new(name, format!("{name} has neither a value nor a default."))
}

fn not_accepted(setting: &Setting, value: &str) -> SettingError {
    let name = setting.name;
    // Whatever holds an @ may hold a password before it.
    let shown = if ["BRASA_DATABASE_URL", accounts::PASSWORD, mail::SMTP_URL].contains(&name) || value.contains('@') {
        format!("{name} (its value is not shown, for it may hold a password)")
    } else {
        format!("{name}={value}")
    };
    let default = match setting.default {
        Preset::Value(value) => value,
        Preset::Decided(words) => words,
    };
    let accepted = setting.accepts.describe();
    SettingError::new(name, format!("{shown} is not accepted. It takes {accepted}. Without it: {default}."))
}

fn read_number(accepts: &Accepts, text: &str) -> Option<u64> {
    // Digits only: `parse` alone would take a `+` too.
    let plain = |text: &str| text.parse::<u64>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let (number, min, max) = match accepts {
        Accepts::Number { min, max, .. } => (plain(text)?, *min, *max),
        Accepts::Bytes { min, max } => {
            let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1_u64)];
            let (count, unit) = units.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, *unit)))?;
            (plain(count.trim_end())?.checked_mul(unit)?, *min, *max)
        }
        Accepts::Choice(_) | Accepts::Text(_) => return None,
    };
    (min..=max).contains(&number).then_some(number)
}

fn read_log_filter(text: &str) -> Option<String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    // A lone word that is no level would be taken for a part's name and silence all others: `inof`.
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let directives_are_sound = text.split(',').map(str::trim).all(|part| part.contains(['=', '[']) || is_level(part));
    let is_read = tracing_subscriber::EnvFilter::try_new(text).is_ok();
    (directives_are_sound && is_read).then(|| text.to_owned())
}

fn data_dir_default(machine: &Machine, lookup: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    // The XDG rules say that a relative path is to be ignored.
    let absolute = |name| lookup(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let users = || absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
    let home = if machine.is_root { None } else { users() };
    home.unwrap_or_else(|| Path::new("/var/lib").to_owned()).join("brasa")
}

/// Stops at a `BRASA_*` variable that no one reads: it is most likely a slip of the pen.
fn check_names(variables: &BTreeMap<String, String>) -> Result<(), SettingError> {
    for (name, value) in variables.iter().filter(|(name, _)| name.starts_with("BRASA_")) {
        let is_known = table().iter().any(|setting| setting.name == name);
        if is_known || name.starts_with("BRASA_TEST_") || is_service_link(name, value) {
            continue;
        }
        let nearest = table().iter().min_by_key(|setting| distance(name, setting.name));
        let nearest = nearest.map_or("", |setting| setting.name);
        return Err(SettingError::new(
            name,
            format!(
                "{name} is not a setting of Brasa; the nearest is {nearest}. docs/CONFIGURATION.md lists them all."
            ),
        ));
    }
    Ok(())
}

/// Kubernetes puts such variables into each pod for every Service whose name starts with `brasa`.
fn is_service_link(name: &str, value: &str) -> bool {
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let is_port_part =
        name.split_once("_PORT_").is_some_and(|(_, rest)| rest.bytes().next().is_some_and(|b| b.is_ascii_digit()));
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || is_port_part
        || (name.ends_with("_PORT") && is_address)
}

/// How many letters must be put in, left out or changed to make `a` into `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut next = vec![i + 1];
        for ((to, above_left), above) in b.bytes().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            let changed = above_left + usize::from(from != to);
            next.push(changed.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
