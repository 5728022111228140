//! The one table of settings: from it come the defaults, the bounds, the messages and `docs/CONFIGURATION.md`.

use super::words::{Auth, BodyCodec, Engine, LogFormat, Mode, Profiles, Switch, Validation};

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// One setting, as an operator meets it.
#[derive(Debug)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    pub default: Preset,
    pub accepts: Accepts,
    /// What it does, in one sentence.
    pub sentence: &'static str,
}

/// What holds when the variable is absent or empty.
#[derive(Debug, Clone, Copy)]
pub enum Preset {
    /// This text, read by the same parser as the operator's.
    Value(&'static str),
    /// Decided at the start, in these words.
    Decided(&'static str),
}

/// What a setting takes, with its bounds (both included).
#[derive(Debug)]
pub enum Accepts {
    Number {
        unit: &'static str,
        min: u64,
        max: u64,
    },
    /// Bytes, as a plain number or with KiB, MiB or GiB after it.
    Bytes {
        min: u64,
        max: u64,
    },
    Choice(&'static [&'static str]),
    Text(&'static str),
}

impl Accepts {
    /// The words after "takes".
    pub fn describe(&self) -> String {
        match self {
            Accepts::Number { unit, min, max } => format!("a number of {unit} from {min} to {max}"),
            Accepts::Bytes { min, max } => {
                format!("bytes from {} to {}, such as `1048576` or `1MiB`", short(*min), short(*max))
            }
            Accepts::Choice(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                quoted.join(", ")
            }
            Accepts::Text(words) => (*words).to_owned(),
        }
    }
}

fn short(bytes: u64) -> String {
    match bytes {
        b if b >= GIB && b % GIB == 0 => format!("{}GiB", b / GIB),
        b if b >= MIB && b % MIB == 0 => format!("{}MiB", b / MIB),
        b => format!("{}KiB", b / 1024),
    }
}

impl Setting {
    /// This setting's line in the tables of `docs/CONFIGURATION.md`.
    pub fn markdown_row(&self) -> String {
        let default = match self.default {
            Preset::Value(value) => format!("`{value}`"),
            Preset::Decided(words) => words.to_owned(),
        };
        format!("| `{}` | {default} | {} | {} |", self.name, self.accepts.describe(), self.sentence)
    }
}

/// Every setting, in the order of the page.
pub fn table() -> &'static [Setting] {
    TABLE
}

const fn preset(name: &'static str, value: &'static str, accepts: Accepts, sentence: &'static str) -> Setting {
    Setting { name, default: Preset::Value(value), accepts, sentence }
}

const fn decided(name: &'static str, words: &'static str, accepts: Accepts, sentence: &'static str) -> Setting {
    Setting { name, default: Preset::Decided(words), accepts, sentence }
}

const fn number(unit: &'static str, min: u64, max: u64) -> Accepts {
    Accepts::Number { unit, min, max }
}

#[rustfmt::skip] // One setting per paragraph; the formatter would give each word its own line.
static TABLE: &[Setting] = &[
    preset("BRASA_LISTEN", "127.0.0.1:8000",
        Accepts::Text("an IP address and a port, such as `127.0.0.1:8000` or `[::1]:8000`"),
        "The address and port on which the server answers; port 0 takes a free one."),
    decided("BRASA_BASE_URL", "taken from the request's `Host`",
        Accepts::Text("an absolute http or https address without query or fragment, such as `https://fhir.example.org/fhir`"),
        "The address under which clients reach the FHIR endpoint; absolute links are built from it."),
    preset("BRASA_MODE", "development",
        Accepts::Choice(Mode::WORDS),
        "How careful the server is: `production` refuses what is weak; `demo` makes accounts whose passwords everybody knows, and says so in each answer."),
    preset("BRASA_AUTH", "off",
        Accepts::Choice(Auth::WORDS),
        "Whether a caller must say who it is; `off` works in development mode and on a loopback address only."),
    decided("BRASA_AUDIT", "as `BRASA_AUTH`",
        Accepts::Choice(Switch::WORDS),
        "Whether every access leaves a record, durable before the answer; production insists on it."),
    decided("BRASA_AUDIT_MONTHS_KEPT", "all are kept",
        number("months", 1, 1200),
        "How many months of records are kept besides the one that goes on; older ones are dropped as a whole."),
    preset("BRASA_REGISTRATION", "off",
        Accepts::Choice(Switch::WORDS),
        "Whether strangers may make themselves an account: one of a patient, linked to no record until an administrator links it."),
    // Keys that were replaced verify for as long as the longest token lives: src/account/signing.rs.
    preset("BRASA_TOKEN_SECONDS", "900",
        number("seconds", 30, 3600),
        "How long an access token is valid; a disabled account, a changed role and an ended session act within five seconds all the same."),
    preset("BRASA_REFRESH_SECONDS", "2592000",
        number("seconds", 60, 31_536_000),
        "How long after its log-in a session ends, however often its tokens were refreshed."),
    decided("BRASA_ADMIN_USERNAME", "no account is made",
        Accepts::Text("a user name; needs `BRASA_ADMIN_PASSWORD`"),
        "Who becomes the first administrator, when the server starts with `BRASA_AUTH=on` and there is none."),
    decided("BRASA_ADMIN_PASSWORD", "no account is made",
        Accepts::Text("a password of 8 characters or more, in production 12; needs `BRASA_ADMIN_USERNAME`"),
        "The first administrator's password; it has no effect once that account is there."),
    decided("BRASA_SMTP_URL", "no mail is sent",
        Accepts::Text("`smtps://user:password@host` (encrypted from the start, port 465) or `smtp://user:password@host` (STARTTLS, port 587), without `user:password@` where the server wants none; `?ca=FILE` trusts only the authorities of a PEM file, `?tls=off` is for `smtp://` on a loopback address"),
        "The server that takes mail: links by which passwords are set. Needs `BRASA_MAIL_FROM`, and `BRASA_BASE_URL` for the links."),
    decided("BRASA_MAIL_FROM", "none; with `BRASA_MAIL_DIR` it is `Brasa <brasa@localhost>`",
        Accepts::Text("an address such as `Brasa <noreply@example.org>`"),
        "From whom the mail is."),
    decided("BRASA_MAIL_DIR", "no mail is written",
        Accepts::Text("a folder, made if it is missing; refused in production and beside `BRASA_SMTP_URL`"),
        "Where mail is written instead of being sent, a `.eml` file for each letter."),
    decided("BRASA_OIDC_ISSUER", "none: only this server's own tokens are taken",
        Accepts::Text("the provider's address as its tokens write it, such as `https://login.example.org/realms/hospital`; needs `BRASA_OIDC_AUDIENCE`"),
        "An OpenID Connect provider whose access tokens are taken, beside this server's own."),
    decided("BRASA_OIDC_AUDIENCE", "none",
        Accepts::Text("a name or an address, as the provider writes it into `aud`"),
        "What the provider's access tokens for this server have as their audience; others are refused."),
    preset("BRASA_OIDC_ROLE_CLAIM", "role",
        Accepts::Text("the name of a claim; dots lead into nested ones, such as `realm_access.roles`"),
        "Where the provider's tokens say the role: one word, or a list of which exactly one is a role."),
    decided("BRASA_OIDC_ROLES", "the roles' own words",
        Accepts::Text("pairs such as `clinician=practitioner,patients=patient`"),
        "What the provider calls the roles."),
    preset("BRASA_OIDC_PATIENT_CLAIM", "patient",
        Accepts::Text("the name of a claim"),
        "Where they say the patient's record, as an id or `Patient/ID`."),
    preset("BRASA_OIDC_PRACTITIONER_CLAIM", "practitioner",
        Accepts::Text("the name of a claim"),
        "Where they say the Practitioner, as an id or `Practitioner/ID`."),
    decided("BRASA_CORS_ORIGINS", "no page of another origin",
        Accepts::Text("origins as browsers write them, with commas or spaces between them, such as `https://app.example.org`; `*` for every page, which production refuses"),
        "Web pages of which origins may use this server from a browser (CORS)."),
    decided("BRASA_TRUSTED_PROXIES", "none",
        Accepts::Text("addresses or networks with commas or spaces between them, such as `10.0.0.0/8,::1`"),
        "Proxies whose `X-Forwarded-For` is believed; of all others a client's address is that of its connection."),
    decided("BRASA_REQUESTS_PER_SECOND_MAX", "no bound in development, else 50",
        number("requests", 0, 100_000),
        "How many requests a second one account, one key or, of who shows neither, one address may send to one server on average; 0 is no bound. Beyond it the answer is 429 with `Retry-After`."),
    preset("BRASA_REQUESTS_BURST_MAX", "200",
        number("requests", 1, 1_000_000),
        "How many of these may come at once after a pause."),
    preset("BRASA_REGISTRATIONS_PER_HOUR_MAX", "20",
        number("registrations", 1, 100_000),
        "How many accounts strangers may register from one address in an hour, where registration is on."),
    preset("BRASA_BODY_IDLE_SECONDS", "30",
        number("seconds", 1, 3600),
        "How long a client may send nothing in the middle of a body before it is given up with 408."),
    preset("BRASA_SHUTDOWN_SECONDS", "30",
        number("seconds", 0, 3600),
        "How long requests under way may go on after the server was told to stop."),
    decided("BRASA_HTTP_WORKERS", "one per core",
        number("threads", 1, 1024),
        "How many threads answer requests."),

    decided("BRASA_DATABASE_URL", "a PostgreSQL of its own in the data folder",
        Accepts::Text("`postgres://user:password@host:5432/database` or `host=… user=… dbname=…`; `sslmode` is `disable`, `prefer`, `require` or `verify-full` (with it `sslrootcert=FILE`)"),
        "The PostgreSQL server, or the coordinator of the Citus cluster, that holds the records."),
    decided("BRASA_DATA_DIR", "`/var/lib/brasa` for root, else `$XDG_DATA_HOME/brasa`, else `~/.local/share/brasa`",
        Accepts::Text("a folder, made if it is missing"),
        "Where the server's own PostgreSQL keeps its files."),
    preset("BRASA_ENGINE", "auto",
        Accepts::Choice(Engine::WORDS),
        "Whether the tables are distributed: `auto` does so if the database offers Citus, `citus` insists on it, `postgres` never does."),
    preset("BRASA_SHARD_COUNT", "16",
        number("shards", 1, 1024),
        "Into how many shards the tables are cut when they are first distributed; it has no effect later, nor without Citus."),
    preset("BRASA_POOL_CONNECTIONS_MAX", "16",
        number("connections", 1, 500),
        "At most this many connections are open to each database node."),
    preset("BRASA_DATABASE_DEADLINE_MS", "30000",
        number("milliseconds", 100, 3_600_000),
        "How long one call to the database may take before Brasa has it stopped and, if the database does not say so within a second, gives up on it."),
    preset("BRASA_TRANSACTION_DEADLINE_MS", "300000",
        number("milliseconds", 100, 86_400_000),
        "How long a whole transaction Bundle may take; at least `BRASA_DATABASE_DEADLINE_MS`."),
    preset("BRASA_BODY_CODEC", "zstd",
        Accepts::Choice(BodyCodec::WORDS),
        "How resources are stored from now on: `zstd` is small, `json` can be read with SQL; what is stored already stays readable."),

    preset("BRASA_VALIDATION", "full",
        Accepts::Choice(Validation::WORDS),
        "How closely what is written is looked at: `full` checks all that R4 demands, `structure` leaves out codes and invariants, `off` checks only the shapes that storing and searching need."),
    preset("BRASA_PROFILES", "off",
        Accepts::Choice(Profiles::WORDS),
        "Which profiles writes are held to: `off` none, `claimed` those in `meta.profile` as far as they are stored, `required` those in `meta.profile`, which must be stored."),

    // PostgreSQL takes no value of more than 1 GiB.
    preset("BRASA_BODY_BYTES_MAX", "100MiB",
        Accepts::Bytes { min: 1024, max: GIB },
        "The largest request body, after decompression; beyond it the answer is 413."),
    preset("BRASA_BODIES_IN_FLIGHT_BYTES_MAX", "512MiB",
        Accepts::Bytes { min: 1024, max: 64 * GIB },
        "How much all request bodies held at once may take; at least `BRASA_BODY_BYTES_MAX`."),
    preset("BRASA_REQUESTS_IN_FLIGHT_MAX", "512",
        number("requests", 1, 100_000),
        "At most this many requests are answered at once; beyond it the answer is 503 with `Retry-After`."),
    preset("BRASA_BUNDLE_ENTRIES_MAX", "50000",
        number("entries", 1, 1_000_000),
        "At most this many entries are read from one Bundle; beyond it the answer is 413."),
    // serde_json gives up at a depth of 128; Brasa's own bound, which names itself, must come first.
    preset("BRASA_JSON_DEPTH_MAX", "64",
        number("levels", 8, 120),
        "How deep objects and arrays may nest in a body; beyond it the body is refused."),
    preset("BRASA_BATCH_CONCURRENCY", "8",
        number("entries", 1, 256),
        "How many entries of one batch Bundle are answered at once."),
    preset("BRASA_PAGE_COUNT_DEFAULT", "50",
        number("entries", 1, 10_000),
        "How many entries a page has when the client names no `_count`; at most `BRASA_PAGE_COUNT_MAX`."),
    preset("BRASA_PAGE_COUNT_MAX", "1000",
        number("entries", 1, 10_000),
        "The most entries a page has, whatever `_count` asks for."),
    preset("BRASA_INCLUDED_MAX", "5000",
        number("resources", 0, 100_000),
        "At most this many resources go along with a page by `_include` and `_revinclude`; beyond it the search is refused with 400."),
    preset("BRASA_FULL_TEXT", "off",
        Accepts::Choice(Switch::WORDS),
        "Whether `_text` and `_content` are answered; the words of each resource are then kept for them. What was stored while it was off is found after a reindex."),
    preset("BRASA_CONDITIONAL_DELETES_MAX", "1",
        number("resources", 1, 1000),
        "At most this many resources are deleted by one conditional delete; a condition that finds more is refused with 412."),
    preset("BRASA_EXPLAIN", "off",
        Accepts::Choice(Switch::WORDS),
        "Whether a search with `_explain=true` is answered with its statements and their plans, which show how the database is laid out."),
    preset("BRASA_DOCS", "on",
        Accepts::Choice(Switch::WORDS),
        "Whether `/docs` (Swagger UI), `/redoc` (pages to read) and `/openapi.json` are answered. They tell what the server can do and nothing of what it holds."),

    preset("BRASA_LOG", "info",
        Accepts::Text("`off`, `error`, `warn`, `info`, `debug`, `trace`, or levels by part such as `info,brasa::store=debug`"),
        "What is logged; other libraries are heard from `warn` up, for below it they print what requests hold."),
    preset("BRASA_LOG_FORMAT", "auto",
        Accepts::Choice(LogFormat::WORDS),
        "The shape of the log's lines: `auto` is text on a terminal and JSON otherwise."),
];
