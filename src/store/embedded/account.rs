//! The account that PostgreSQL runs under: our own, or another one when we are root, which it refuses.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::fault::StartError;

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

/// The effective user of this process. Asked from `id`, which every Unix has, because the standard library cannot say.
pub(super) fn own_uid() -> Result<u32, StartError> {
    let output = Command::new("id").arg("-u").stderr(Stdio::null()).output();
    let output = output.map_err(|error| StartError::program(Path::new("id"), &error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let unknown = || StartError::new("`id -u` did not say which user this is", "Check that `id` on PATH works");
    text.trim().parse().map_err(|_| unknown())
}

/// Whom PostgreSQL runs as when it cannot be ourselves: whoever owns `cluster`, else `postgres`, else `nobody`.
/// `None` when we are not root, and it runs as we do.
pub(super) fn choose(own_uid: u32, cluster: &Path) -> Result<Option<Account>, StartError> {
    if own_uid != 0 {
        return Ok(None);
    }
    match std::fs::metadata(cluster) {
        Ok(folder) if folder.uid() == 0 => Err(StartError::new(
            format!("The database in {} belongs to root, and PostgreSQL refuses to run as root", cluster.display()),
            format!("Give it to another user, such as with `chown -R postgres {}`", cluster.display()),
        )),
        Ok(folder) => {
            let (uid, gid) = (folder.uid(), folder.gid());
            let unnamed = Account { name: format!("user {uid}"), uid, gid };
            Ok(Some(look_up(&uid.to_string()).unwrap_or(unnamed)))
        }
        Err(_) => match look_up("postgres").or_else(|| look_up("nobody")) {
            Some(account) => Ok(Some(account)),
            None => Err(StartError::new(
                "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it as",
                "Start brasa as another user, or create the user `postgres`",
            )),
        },
    }
}

/// Finds a user by name or number. `getent` also knows users of a directory service; the file is for systems without it.
fn look_up(key: &str) -> Option<Account> {
    let asked = Command::new("getent").args(["passwd", key]).stderr(Stdio::null()).output();
    if let Ok(output) = asked
        && let Some(account) = find_in(&String::from_utf8_lossy(&output.stdout), key)
    {
        return Some(account);
    }
    find_in(&std::fs::read_to_string("/etc/passwd").ok()?, key)
}

/// Finds a user by name or number in text of the form of `/etc/passwd`.
fn find_in(passwd: &str, key: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        let (uid, gid) = (fields.next()?, fields.next()?);
        let account = Account { name: name.to_owned(), uid: uid.parse().ok()?, gid: gid.parse().ok()? };
        (name == key || uid == key).then_some(account)
    })
}

/// Refuses a folder that `account` cannot reach, naming the first folder on the way that it may not enter.
pub(super) fn check_reach(account: &Account, folder: &Path) -> Result<(), StartError> {
    let mut way: Vec<&Path> = folder.ancestors().collect();
    way.reverse();
    for step in way {
        let entry = std::fs::metadata(step).map_err(|error| StartError::file("look at", step, &error))?;
        if !may_enter(account, entry.uid(), entry.gid(), entry.mode()) {
            let (name, step, mode) = (&account.name, step.display(), entry.mode() & 0o7777);
            return Err(StartError::new(
                format!(
                    "PostgreSQL refuses to run as root and so runs as {name}, who may not enter {step} (mode {mode:04o})"
                ),
                format!("Choose a folder elsewhere with --data-dir, such as /var/lib/brasa, or `chmod a+x {step}`"),
            ));
        }
    }
    Ok(())
}

/// Whether the execute bit that counts for this account is set. Access lists beyond the mode are not looked at.
fn may_enter(account: &Account, owner: u32, group: u32, mode: u32) -> bool {
    let bit = if account.uid == owner {
        0o100
    } else if account.gid == group {
        0o010
    } else {
        0o001
    };
    mode & bit != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:104:admin,,,:/var/lib/postgresql:/bin/bash\n";

    #[test]
    fn a_user_is_found_by_name_and_by_number() {
        let postgres = Account { name: "postgres".to_owned(), uid: 101, gid: 104 };
        assert_eq!(find_in(PASSWD, "postgres"), Some(postgres.clone()));
        assert_eq!(find_in(PASSWD, "101"), Some(postgres));
        assert_eq!(find_in(PASSWD, "nobody"), None);
    }

    #[test]
    fn a_private_folder_of_another_user_cannot_be_entered() {
        let account = Account { name: "postgres".to_owned(), uid: 101, gid: 104 };
        assert!(!may_enter(&account, 0, 0, 0o700));
        assert!(may_enter(&account, 0, 0, 0o711));
        assert!(may_enter(&account, 0, 104, 0o710));
        assert!(!may_enter(&account, 101, 0, 0o011));
    }

    #[test]
    fn the_folder_that_bars_the_way_is_named() {
        let closed = std::env::temp_dir().join(format!("brasa-closed-{}", std::process::id()));
        std::fs::create_dir(&closed).unwrap();
        std::fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let stranger = Account { name: "stranger".to_owned(), uid: 4_000_000, gid: 4_000_000 };
        let refusal = check_reach(&stranger, &closed).unwrap_err().to_string();
        std::fs::remove_dir(&closed).unwrap();
        let named = format!("stranger, who may not enter {} (mode 0700)", closed.display());
        assert!(refusal.contains(&named) && refusal.contains("--data-dir"), "{refusal}");
    }
}
