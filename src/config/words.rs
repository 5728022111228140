//! The types of single settings: the choices, and the two addresses that need care.

use std::fmt;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$word_doc])* $variant),+ }

        impl $name {
            /// The words an operator may write, in the order of the variants.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }

            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some($name::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// Which kind of database the tables are laid out for.
    Engine {
        /// Distributed if the database offers the Citus extension.
        Auto = "auto",
        Postgres = "postgres",
        Citus = "citus",
    }
}

words! {
    /// How careful the server is about what it is started with.
    Mode { Development = "development", Demo = "demo", Production = "production" }
}

words! {
    /// Whether a caller must say who it is.
    Auth { On = "on", Off = "off" }
}

words! {
    /// Whether something is there or not.
    Switch { On = "on", Off = "off" }
}

words! {
    /// The shape of a line of the log.
    LogFormat {
        /// Text on a terminal, JSON otherwise.
        Auto = "auto",
        Text = "text",
        Json = "json",
    }
}

words! {
    /// How closely what is written is looked at.
    Validation { Full = "full", Structure = "structure", Off = "off" }
}

words! {
    /// Which profiles writes are held to.
    Profiles { Off = "off", Claimed = "claimed", Required = "required" }
}

words! {
    /// How resource bodies are stored from now on; what is stored already stays readable.
    BodyCodec { Zstd = "zstd", Json = "json" }
}

/// The address of a PostgreSQL server, as `postgres://…` or `key=value …`. It may hold a password, so
/// printing it shows only the parts that are known to be harmless.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Reads the form only; whether the server exists shows when the pool is opened.
    pub fn parse(text: &str) -> Option<Self> {
        let is_url = url_rest(text).is_some_and(|(_, rest)| !rest.is_empty());
        let is_pairs = !text.contains("://") && text.split_once('=').is_some_and(|(key, _)| is_key(key));
        (is_url || is_pairs).then(|| DatabaseUrl(text.to_owned()))
    }

    /// The whole address with its password: for the database driver and for nothing that prints.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match url_rest(&self.0) {
            Some((scheme, rest)) => shown_place(rest).map(|place| format!("{scheme}{place}")),
            None => shown_pairs(&self.0),
        };
        f.write_str(shown.as_deref().unwrap_or("(an address that is not shown, for it may hold a password)"))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

fn url_rest(text: &str) -> Option<(&'static str, &str)> {
    ["postgres://", "postgresql://"].into_iter().find_map(|scheme| text.strip_prefix(scheme).map(|rest| (scheme, rest)))
}

fn is_key(key: &str) -> bool {
    let key = key.trim();
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// Host, port and database of what follows the scheme; nothing if there is a doubt where a password ends.
fn shown_place(rest: &str) -> Option<String> {
    let (login, place) = match rest.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, rest),
    };
    // A `?` before the last `@` may open the parameters, one of which may be `password`.
    if login.is_some_and(|login| login.contains('?')) {
        return None;
    }
    let place = place.split('?').next()?;
    let hosts = place.split('/').next()?;
    // `user:secret/more` without a host looks like a place; a port that is no number gives it away.
    let ports_are_numbers = hosts.split(',').all(|host| match host.rsplit_once(':') {
        Some((_, port)) => port.bytes().all(|b| b.is_ascii_digit() || b == b']'),
        None => true,
    });
    let mark = if login.is_some() { "…@" } else { "" };
    ports_are_numbers.then(|| format!("{mark}{place}"))
}

/// The pairs whose keys are known to be harmless; nothing if quoting makes it doubtful where a value ends.
fn shown_pairs(text: &str) -> Option<String> {
    if text.contains(['\'', '\\']) {
        return None;
    }
    let mut shown = Vec::new();
    let mut after_equals = false;
    for word in text.split_whitespace() {
        // After `password =` the next word is the password, whatever it looks like.
        let harmless = ["host=", "hostaddr=", "port=", "dbname=", "sslmode="];
        if !after_equals && harmless.iter().any(|key| word.starts_with(key)) {
            shown.push(word);
        }
        after_equals = word.ends_with('=');
    }
    (!shown.is_empty()).then(|| shown.join(" "))
}

/// A password or the like: whatever prints it shows that there is one, and no more.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn parse(text: &str) -> Option<Self> {
        Some(Secret(text.to_owned()))
    }

    /// For the one who checks or stores it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

/// The address under which clients reach the FHIR endpoint: `http` or `https`, no query, no trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('/');
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (place, None),
        };
        let host_is_sound = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b)),
        };
        let port_is_sound = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        let path_is_sound = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~".contains(&b));
        (host_is_sound && port_is_sound && path_is_sound).then(|| BaseUrl(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether what is sent to it is encrypted.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_of_writing_a_database_address_prints_its_password() {
        let addresses = [
            "postgres://ann:s3cret@db:5432/brasa",
            "postgresql://ann:s3cret@db,db2:5433/brasa?sslmode=require",
            "postgres://db/brasa?user=ann&password=s3cret",
            "postgres://db/brasa?user=ann&password=x@s3cret",
            "postgres://ann:a/s3cret@db/brasa",
            "postgres://ann:s3cret/brasa",
            "postgres://ann:a?s3cret@db/brasa",
            "host=db user=ann password=s3cret",
            "host=db password='a host=s3cret'",
            "host=db password= host=s3cret",
            "host=db password = port=s3cret",
            "password=s3cret",
        ];
        for address in addresses {
            let url = DatabaseUrl::parse(address).expect(address);
            assert!(!format!("{url} {url:?}").contains("s3cret"), "{address} is printed as {url}");
            assert_eq!(url.reveal(), address);
        }
    }

    #[test]
    fn a_database_address_prints_where_it_leads() {
        let shown = |text| DatabaseUrl::parse(text).expect("well formed").to_string();
        assert_eq!(shown("postgres://ann:x@db:5432/brasa?sslmode=require"), "postgres://…@db:5432/brasa");
        assert_eq!(shown("host=db port=5433 user=ann password=x dbname=brasa"), "host=db port=5433 dbname=brasa");
    }

    #[test]
    fn what_is_no_database_address_is_refused() {
        for text in ["mysql://db/brasa", "postgres://", "db:5432", "just words", "=x", "http://a=b"] {
            assert_eq!(DatabaseUrl::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_base_url_is_absolute_and_loses_its_trailing_slash() {
        let read = |text| BaseUrl::parse(text).map(|url| url.to_string());
        assert_eq!(read("https://fhir.example.org/fhir/").as_deref(), Some("https://fhir.example.org/fhir"));
        assert_eq!(read("http://[::1]:8000").as_deref(), Some("http://[::1]:8000"));
        for text in [
            "fhir.example.org",
            "ftp://a/b",
            "https://",
            "https:///fhir",
            "https://a/fhir?x=1",
            "https://a/fhir#x",
            "https://ann:pw@a/fhir",
            "https://a:0/",
            "https://a:99999/",
            "https://a b/",
            "https://a/<script>",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
