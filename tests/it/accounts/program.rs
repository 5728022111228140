//! The real program: what it says at the start, what it logs, and its command for keys.

use super::{PASSWORD, text};
use crate::support::Server;
use crate::support::database::TestDatabase;
use serde_json::json;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

pub fn command(url: &str, extra: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brasa"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("BRASA_DATABASE_URL", url).env("BRASA_LISTEN", "127.0.0.1:0").env("BRASA_AUTH", "on");
    command
        .env("BRASA_HTTP_WORKERS", "1")
        .env("BRASA_SHARD_COUNT", "4")
        .env("BRASA_VALIDATION", "off")
        .envs(extra.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// A server that is listening, the lines that it wrote until then, and its root.
pub async fn serve(url: &str, extra: &[(&str, &str)]) -> (Child, BufReader<ChildStderr>, String, String) {
    listening(command(url, extra).arg("serve").spawn().unwrap()).await
}

/// As [`serve`], of a server that was started.
pub async fn listening(mut child: Child) -> (Child, BufReader<ChildStderr>, String, String) {
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    let wait = async {
        loop {
            let before = said.len();
            assert!(reader.read_line(&mut said).await.unwrap() > 0, "it ended: {said}");
            let line = said.get(before..).unwrap();
            if let Some(rest) = line.split("FHIR R4 at http://").nth(1) {
                return format!("http://{}", rest.split('/').next().unwrap());
            }
        }
    };
    let root = tokio::time::timeout(Duration::from_secs(240), wait).await.expect("it listens");
    (child, reader, said, root)
}

/// Stops the server; the rest of what it wrote.
pub async fn stop(mut child: Child, mut reader: BufReader<ChildStderr>) -> String {
    let kill = format!("kill -TERM {}", child.id().unwrap());
    assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success());
    let mut rest = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut reader, &mut rest).await.unwrap();
    assert!(child.wait().await.unwrap().success(), "{rest}");
    rest
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_an_administrator_says_how_to_make_one() {
    let database = TestDatabase::make().await;
    let url = database.url();
    let (child, reader, said, _) = serve(&url, &[]).await;
    assert!(said.contains("BRASA_ADMIN_USERNAME and BRASA_ADMIN_PASSWORD"), "{said}");
    stop(child, reader).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_password_token_or_key_reaches_the_log() {
    let client = Server::start().await;
    let database = TestDatabase::make().await;
    let url = database.url();
    let folder = tempfile::tempdir().unwrap();
    let admin = [
        ("BRASA_MAIL_DIR", folder.path().to_str().unwrap()),
        ("BRASA_BASE_URL", super::letters::BASE),
        ("BRASA_ADMIN_USERNAME", "rosario"),
        ("BRASA_ADMIN_PASSWORD", PASSWORD),
        ("BRASA_LOG", "trace"),
        ("BRASA_LOG_FORMAT", "json"),
    ];
    let (child, reader, said, root) = serve(&url, &admin).await;
    let json = [("content-type", "application/json")];
    let body = |password: &str| json!({"username": "rosario", "password": password}).to_string();
    let login = format!("{root}/auth/login");
    let tokens = client.send("POST", &login, &json, body(PASSWORD)).await.expect(200).json();
    let (access, refresh) = (text(&tokens["access_token"]), text(&tokens["refresh_token"]));
    let user = client.as_user(&access);
    let key = json!({"name": "laboratory", "scopes": "user/*.rs"});
    let key = text(&user.send("POST", &format!("{root}/auth/keys"), key).await.expect(201).json()["key"]);
    client.as_user(&key).get(&format!("{root}/auth/me")).await.expect(200);
    client.as_user("no.such.token").get(&format!("{root}/fhir/Patient")).await.expect(401);
    let eva = json!({"username": "evangelina", "role": "patient", "email": "evangelina@example.org", "invite": true});
    user.send("POST", &format!("{root}/auth/users"), eva).await.expect(201);
    let link = super::letters::token_in(&super::letters::letters(folder.path(), 1).await[0]);
    let forgotten = json!({"username": "evangelina@example.org"}).to_string();
    client.send("POST", &format!("{root}/auth/password/forgot"), &json, forgotten).await.expect(202);
    client.get(&format!("{root}/auth/password/reset?token={link}")).await.expect(200);
    let set = json!({"token": link, "new_password": "a night by the sea"}).to_string();
    client.send("POST", &format!("{root}/auth/password/reset"), &json, set).await.expect(204);
    let again = json!({"refresh_token": refresh}).to_string();
    client.send("POST", &format!("{root}/auth/refresh"), &json, again).await.expect(200);
    client.send("POST", &login, &json, body("a wrong password")).await.expect(401);
    client.send("POST", &login, &json, body("a wrong password")).await.expect(429);
    client.send("POST", &login, &json, "{\"password\": \"half of").await.expect(400);
    let app =
        json!({"name": "x", "kind": "confidential", "redirect_uris": ["https://app.example.org/"], "scopes": "openid"});
    let app = user.send("POST", &format!("{root}/auth/clients"), app).await.expect(201).json();
    let (id, app_secret) = (text(&app["client_id"]), text(&app["client_secret"]));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let exchange = format!(
        "grant_type=authorization_code&client_id={id}&client_secret={app_secret}&code=a-code&redirect_uri=x&code_verifier=a-verifier"
    );
    client.send("POST", &format!("{root}/auth/token"), &form, exchange).await.expect(400);
    let question =
        format!("response_type=code&client_id={id}&redirect_uri=https%3A%2F%2Fapp.example.org%2F&state=a-state");
    client.get(&format!("{root}/auth/authorize?{question}")).await.expect(303);
    let inspected = format!("client_id={id}&client_secret={app_secret}&token={access}");
    client.send("POST", &format!("{root}/auth/introspect"), &form, inspected).await.expect(200);
    let said = said + &stop(child, reader).await;
    assert!(said.contains("\"interaction\":\"log-in\""), "{said}");
    let of_apps = [app_secret.as_str(), "a-code", "a-verifier", "a-state"];
    let of_people = ["rosario", PASSWORD, &access, &refresh, &key, "a wrong password", "half of", "no.such.token"];
    let of_letters = ["evangelina", &link, "a night by the sea"];
    for secret in of_people.into_iter().chain(of_apps).chain(of_letters) {
        assert!(!said.contains(secret), "{secret} is in the log: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_and_rotated_from_the_command_line() {
    let database = TestDatabase::make().await;
    let url = database.url();
    let (child, reader, ..) = serve(&url, &[]).await;
    let run = async |word: &str| -> Output { command(&url, &[]).args(["keys", word]).output().await.unwrap() };
    let lines = |output: &Output| -> Vec<String> {
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    };
    let before = lines(&run("list").await);
    assert!(before.len() == 1 && before[0].ends_with("signs"), "{before:?}");
    assert!(run("rotate").await.status.success());
    let after = lines(&run("list").await);
    assert!(after.len() == 2 && after[0].ends_with("signs") && after[1].contains("verifies, retired"), "{after:?}");
    let id = |line: &str| line.split(' ').next().unwrap().to_owned();
    assert!(id(&after[1]) == id(&before[0]) && id(&after[0]) != id(&before[0]));
    stop(child, reader).await;
}
