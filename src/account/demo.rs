//! The four accounts of a demonstration, whose passwords everybody knows: made there, and refused in production.

use super::{Accounts, secret};
use crate::auth::password::Verdict;
use crate::auth::role::Role;
use crate::error::{Error, Result};
use crate::store::NewAccount;

/// The records that they are linked to.
pub const DEMO_PATIENT: &str = "demo-patient";
pub const DEMO_PRACTITIONER: &str = "demo-practitioner";

struct DemoAccount {
    username: &'static str,
    password: &'static str,
    role: Role,
    patient: Option<&'static str>,
    practitioner: Option<&'static str>,
}

const ACCOUNTS: &[DemoAccount] = &[
    DemoAccount { username: "admin", password: "admin123", role: Role::Admin, patient: None, practitioner: None },
    DemoAccount {
        username: "medico",
        password: "medico123",
        role: Role::Practitioner,
        patient: None,
        practitioner: Some(DEMO_PRACTITIONER),
    },
    DemoAccount {
        username: "paciente",
        password: "paciente123",
        role: Role::Patient,
        patient: Some(DEMO_PATIENT),
        practitioner: None,
    },
    DemoAccount { username: "auditor", password: "auditor123", role: Role::Auditor, patient: None, practitioner: None },
];

impl Accounts {
    /// Which accounts are there with the password that everybody knows, disabled ones included.
    async fn known_to_everybody(&self) -> Result<Vec<&'static str>> {
        let mut known = Vec::new();
        for demo in ACCOUNTS {
            let stored = self.tables.by_username(demo.username).await?.and_then(|account| account.password);
            if stored.is_some() && self.passwords.verify(demo.password.to_owned(), stored).await? != Verdict::Wrong {
                known.push(demo.username);
            }
        }
        Ok(known)
    }

    /// Production does not start beside an account that everybody can use.
    pub(super) async fn refuse_demo_accounts(&self) -> Result<()> {
        let known = self.known_to_everybody().await?;
        if known.is_empty() {
            return Ok(());
        }
        let message = format!(
            "BRASA_MODE=production is refused: the passwords of these accounts are those of the demonstration, which \
            everybody knows: {}. Start with BRASA_MODE=development and BRASA_AUTH=on on a loopback address, give each a \
            password of its own (PATCH /auth/users/ID), and start again.",
            known.join(", ")
        );
        Err(Error::invalid(message))
    }

    /// Makes those that are missing. A database with accounts of its own is no place for them.
    pub(super) async fn make_demo_accounts(&self) -> Result<()> {
        let is_new = self.tables.list("", 1).await?.is_empty();
        if !is_new && self.known_to_everybody().await?.is_empty() {
            let message = "BRASA_MODE=demo is refused: this database holds accounts, and none of a demonstration. \
                Accounts whose passwords everybody knows would open it. Take an empty database (BRASA_DATABASE_URL or \
                BRASA_DATA_DIR), or another mode.";
            return Err(Error::invalid(message));
        }
        for demo in ACCOUNTS {
            if self.tables.by_username(demo.username).await?.is_some() {
                continue;
            }
            let hash = self.passwords.hash(demo.password.to_owned()).await?;
            let new = NewAccount {
                id: &secret::id()?,
                username: demo.username,
                password: Some(&hash),
                role: demo.role.as_str(),
                patient: demo.patient,
                practitioner: demo.practitioner,
                email: None,
            };
            self.tables.add(&new).await?;
        }
        Ok(())
    }
}
