//! What an operator may expect of the settings.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::*;

fn with(pairs: &[(&str, &str)]) -> Result<Settings, SettingError> {
    let find = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
    Settings::from_env(find)
}

fn refusal(pairs: &[(&str, &str)]) -> String {
    with(pairs).expect_err("these settings must be refused").to_string()
}

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn without_any_variable_the_server_starts_for_development_on_loopback() {
    let settings = with(&[]).expect("the defaults go together");
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(settings.mode, Mode::Development);
    assert_eq!(settings.engine, Engine::Auto);
    assert_eq!(settings.body_bytes_max, 104_857_600);
    assert_eq!(settings.bodies_in_flight_bytes_max, 512 * 1024 * 1024);
    assert_eq!(settings.database_deadline, Duration::from_secs(30));
    assert_eq!(settings.database_url, None);
    assert!(settings.http_workers >= 1);
}

#[test]
fn every_setting_of_the_table_is_read_and_no_other() {
    let asked = RefCell::new(BTreeSet::new());
    let lookup = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        None
    };
    Settings::from_env(lookup).expect("the defaults go together");
    let listed = table().iter().map(|setting| setting.name.to_owned()).collect();
    let read: BTreeSet<String> = asked.take().into_iter().filter(|name| name.starts_with("BRASA_")).collect();
    assert_eq!(read, listed);
}

#[test]
fn a_bad_value_stops_the_start_and_names_variable_value_and_what_is_accepted() {
    let text = refusal(&[("BRASA_SHARD_COUNT", "0")]);
    for part in ["BRASA_SHARD_COUNT=0", "shards from 1 to 1024", "Without it: 16"] {
        assert!(text.contains(part), "{text}");
    }
    let text = refusal(&[("BRASA_ENGINE", "mysql")]);
    assert!(text.contains("`auto`, `postgres`, `citus`"), "{text}");
    for (name, value) in [
        ("BRASA_LISTEN", "8000"),
        ("BRASA_LOG", "inof"),
        ("BRASA_LOG", "brasa=loud"),
        ("BRASA_BODY_BYTES_MAX", "100 MB"),
        ("BRASA_BODY_BYTES_MAX", "99999999999GiB"),
        ("BRASA_BODY_BYTES_MAX", "MiB"),
        ("BRASA_PAGE_COUNT_MAX", "+5"),
        ("BRASA_JSON_DEPTH_MAX", "-1"),
        ("BRASA_BASE_URL", "fhir.example.org"),
    ] {
        assert!(refusal(&[(name, value)]).starts_with(&format!("{name}={value} ")));
    }
}

#[test]
fn bytes_may_be_written_plain_or_with_a_unit() {
    for (text, bytes) in [("2097152", 2_097_152), ("2MiB", 2_097_152), ("2 MiB", 2_097_152), ("1GiB", 1 << 30)] {
        let settings = with(&[("BRASA_BODY_BYTES_MAX", text), ("BRASA_BODIES_IN_FLIGHT_BYTES_MAX", "2GiB")]);
        assert_eq!(settings.expect(text).body_bytes_max, bytes, "{text}");
    }
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    let settings = with(&[("BRASA_DATABASE_URL", ""), ("BRASA_SHARD_COUNT", "")]).expect("as by default");
    assert_eq!((settings.database_url, settings.shard_count), (None, 16));
}

#[test]
fn a_database_password_is_never_printed() {
    let settings = with(&[("BRASA_DATABASE_URL", "postgres://ann:s3cret@db/brasa")]).expect("well formed");
    assert!(!format!("{settings:?}").contains("s3cret"));
    for (name, value) in [("BRASA_DATABASE_URL", "mysql://ann:s3cret@db"), ("BRASA_BASE_URL", "https://ann:s3cret@db")]
    {
        assert!(!refusal(&[(name, value)]).contains("s3cret"));
    }
}

#[test]
fn an_unknown_variable_stops_the_start_and_names_the_nearest_one() {
    let error = check_names(&variables(&[("BRASA_LISTN", "x")])).expect_err("a slip of the pen");
    assert_eq!(error.variable, "BRASA_LISTN");
    assert!(error.message.contains("nearest is BRASA_LISTEN."), "{error}");
    check_names(&variables(&[("BRASA_PORT", "8000")])).expect_err("a guess that sets nothing");
}

#[test]
fn variables_of_tests_of_others_and_of_kubernetes_are_left_alone() {
    let harmless = [
        ("BRASA_TEST_CITUS", "1"),
        ("PATH", "/bin"),
        ("BRASA_SERVICE_HOST", "10.0.0.1"),
        ("BRASA_SERVICE_PORT_HTTP", "8000"),
        ("BRASA_PORT", "tcp://10.0.0.1:8000"),
        ("BRASA_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("BRASA_COORDINATOR_SERVICE_HOST", "10.0.0.2"),
    ];
    check_names(&variables(&harmless)).expect("none of them is meant for Brasa");
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    for (pairs, named) in [
        ([("BRASA_BODY_BYTES_MAX", "1GiB"), ("BRASA_AUTH", "off")], "BRASA_BODIES_IN_FLIGHT_BYTES_MAX=536870912"),
        ([("BRASA_PAGE_COUNT_DEFAULT", "20"), ("BRASA_PAGE_COUNT_MAX", "10")], "BRASA_PAGE_COUNT_MAX=10"),
        (
            [("BRASA_TRANSACTION_DEADLINE_MS", "200"), ("BRASA_DATABASE_DEADLINE_MS", "300")],
            "BRASA_DATABASE_DEADLINE_MS=300",
        ),
    ] {
        let text = refusal(&pairs);
        assert!(text.contains(named), "{text}");
    }
}

#[test]
fn a_server_without_accounts_starts_only_for_development_and_on_loopback() {
    for mode in ["production", "demo"] {
        let text = refusal(&[("BRASA_MODE", mode)]);
        assert!(text.contains(&format!("BRASA_MODE={mode} is refused with BRASA_AUTH=off")), "{text}");
    }
    assert!(refusal(&[("BRASA_LISTEN", "0.0.0.0:8080")]).contains("127.0.0.1:8080"));
    assert!(refusal(&[("BRASA_LISTEN", "[::]:8080")]).contains("BRASA_AUTH=on"));
    with(&[("BRASA_LISTEN", "[::1]:0")]).expect("loopback too");
}

#[test]
fn a_server_with_accounts_listens_anywhere() {
    let settings = with(&[("BRASA_AUTH", "on"), ("BRASA_LISTEN", "0.0.0.0:8080")]).expect("accounts keep it");
    assert_eq!((settings.auth, settings.registration), (Auth::On, false));
    assert_eq!(settings.token_life, Duration::from_secs(900));
    with(&[("BRASA_AUTH", "on"), ("BRASA_MODE", "demo"), ("BRASA_LISTEN", "[::]:80")]).expect("a demonstration");
}

#[test]
fn production_refuses_what_is_weak_and_names_it() {
    const SOUND: [(&str, &str); 3] =
        [("BRASA_MODE", "production"), ("BRASA_AUTH", "on"), ("BRASA_BASE_URL", "https://fhir.example.org/fhir")];
    with(&SOUND).expect("sound");
    let changed = |name: &str, value: &'static str| {
        SOUND.map(|(known, sound)| if known == name { (known, value) } else { (known, sound) })
    };
    assert!(refusal(&changed("BRASA_AUTH", "off")).contains("BRASA_AUTH=off"));
    assert!(refusal(&changed("BRASA_BASE_URL", "")).contains("BRASA_BASE_URL"));
    assert!(refusal(&changed("BRASA_BASE_URL", "http://fhir.example.org/fhir")).contains("https://"));
    let with_also = |name, value| with(&[SOUND.as_slice(), &[(name, value)]].concat());
    for (name, value) in [("BRASA_CORS_ORIGINS", "*"), ("BRASA_MAIL_DIR", "/tmp/letters")] {
        let text = with_also(name, value).expect_err(name).to_string();
        assert!(text.starts_with(name) && text.contains("production"), "{text}");
    }
    with_also("BRASA_CORS_ORIGINS", "https://app.example.org").expect("an exact origin");
    let admin = |password| {
        let mut pairs = SOUND.to_vec();
        pairs.extend([("BRASA_ADMIN_USERNAME", "Rosario"), ("BRASA_ADMIN_PASSWORD", password)]);
        with(&pairs)
    };
    for password in ["short-12345", "aaaaaaaaaaaaaaaa", "rosario-2026!", "my-password-123", "changemechangeme"] {
        let text = admin(password).expect_err(password).to_string();
        assert!(text.starts_with("BRASA_ADMIN_PASSWORD") && !text.contains(password), "{text}");
    }
    admin("a long walk in the rain").expect("long and not one of the known ones");
}

#[test]
fn the_first_admins_name_and_password_come_together_and_the_password_is_never_printed() {
    let both = [("BRASA_AUTH", "on"), ("BRASA_ADMIN_USERNAME", "root"), ("BRASA_ADMIN_PASSWORD", "s3cret-of-all")];
    let settings = with(&both).expect("both");
    assert!(!format!("{settings:?}").contains("s3cret"));
    let [auth, username, password] = both;
    assert!(refusal(&[auth, username]).contains("BRASA_ADMIN_PASSWORD"));
    let text = refusal(&[auth, password]);
    assert!(text.contains("BRASA_ADMIN_USERNAME") && !text.contains("s3cret"), "{text}");
    let text = refusal(&[auth, username, ("BRASA_ADMIN_PASSWORD", "s3cret")]);
    assert!(text.contains("8 characters") && !text.contains("s3cret"), "{text}");
}

#[test]
fn mail_needs_a_sender_goes_one_way_and_its_password_is_never_printed() {
    const SMTP: (&str, &str) = ("BRASA_SMTP_URL", "smtps://ann:s3cret@mail.example.org");
    const FROM: (&str, &str) = ("BRASA_MAIL_FROM", "Brasa <no-reply@example.org>");
    let settings = with(&[SMTP, FROM]).expect("both");
    assert!(settings.mail.is_some() && !format!("{settings:?}").contains("s3cret"));
    assert!(refusal(&[SMTP]).starts_with("BRASA_SMTP_URL is set and BRASA_MAIL_FROM is not"));
    assert!(refusal(&[SMTP, FROM, ("BRASA_MAIL_DIR", "/tmp/x")]).contains("leave one out"));
    assert!(refusal(&[SMTP, ("BRASA_MAIL_FROM", "nobody")]).starts_with("BRASA_MAIL_FROM=nobody"));
    for wrong in ["smtp://ann:s3cret@mail?tls=off", "mail.example.org/s3cret"] {
        let text = refusal(&[("BRASA_SMTP_URL", wrong), FROM]);
        assert!(text.starts_with("BRASA_SMTP_URL (its value is not shown") && !text.contains("s3cret"), "{text}");
    }
    assert_eq!(with(&[FROM]).expect("a sender alone sends nothing").mail, None);
}

#[test]
fn how_often_somebody_may_ask_has_a_bound_where_strangers_come() {
    let bound = |pairs: &[(&str, &str)]| with(pairs).expect("well formed").requests_per_second_max;
    assert_eq!(bound(&[]), 0);
    let demo = [("BRASA_AUTH", "on"), ("BRASA_MODE", "demo")];
    assert_eq!(bound(&demo), 50);
    assert_eq!(bound(&[demo[0], demo[1], ("BRASA_REQUESTS_PER_SECOND_MAX", "0")]), 0);
}

#[test]
fn a_field_changed_afterwards_can_be_checked_again() {
    let mut settings = with(&[]).expect("the defaults go together");
    settings.listen = SocketAddr::from(([192, 0, 2, 1], 80));
    settings.validate().expect_err("not a loopback address");
}

#[test]
fn the_data_folder_follows_the_user() {
    let place = |is_root, pairs: &[(&str, &str)]| {
        let find = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
        data_dir_default(&Machine { is_root, cores: 1 }, &find)
    };
    let both = [("XDG_DATA_HOME", "/xdg"), ("HOME", "/home/ann")];
    assert_eq!(place(true, &both), Path::new("/var/lib/brasa"));
    assert_eq!(place(false, &both), Path::new("/xdg/brasa"));
    assert_eq!(place(false, &[("HOME", "/home/ann")]), Path::new("/home/ann/.local/share/brasa"));
    assert_eq!(place(false, &[("XDG_DATA_HOME", "relative"), ("HOME", "/h")]), Path::new("/h/.local/share/brasa"));
    assert_eq!(place(false, &[]), Path::new("/var/lib/brasa"));
    let chosen = with(&[("BRASA_DATA_DIR", "/srv/brasa")]).expect("well formed");
    assert_eq!(chosen.data_dir, Path::new("/srv/brasa"));
}
