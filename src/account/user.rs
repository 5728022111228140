//! Making and changing accounts: by administrators, and by strangers where registration is on.

use super::authenticate::Caller;
use super::letter::Language;
use super::post::Errand;
use super::{Accounts, secret};
use crate::auth::role::Role;
use crate::error::{Error, Result};
use crate::fhir::id::Id;
use crate::mail;
use crate::store::{AccountChange, AccountRow, NewAccount};

/// So many accounts go on one page.
pub const PAGE_MAX: i64 = 200;

/// An account that an administrator makes.
pub struct NewUser {
    pub username: String,
    /// `None`: nobody can log in with one until it is set.
    pub password: Option<String>,
    pub role: String,
    pub patient: Option<String>,
    pub practitioner: Option<String>,
    /// Where its mail goes.
    pub email: Option<String>,
    /// Whether a letter is sent by which the password is set, and in which language first. Needs an address, and no password.
    pub invitation: Option<Language>,
}

/// What an administrator changes; `None` leaves it as it is. Of a link and an address the inner `None` takes it away.
#[derive(Default)]
pub struct UserChange {
    pub role: Option<String>,
    pub disabled: Option<bool>,
    pub patient: Option<Option<String>>,
    pub practitioner: Option<Option<String>>,
    pub email: Option<Option<String>>,
    pub password: Option<String>,
}

impl Accounts {
    /// An account for a stranger: of a patient, and linked to no record until an administrator links it.
    pub async fn register(&self, username: &str, password: String) -> Result<AccountRow> {
        if !self.registration {
            return Err(Error::forbidden("Here nobody registers by themselves. Ask an administrator for an account."));
        }
        let new = NewUser {
            username: username.to_owned(),
            password: Some(password),
            role: Role::Patient.as_str().to_owned(),
            patient: None,
            practitioner: None,
            email: None,
            invitation: None,
        };
        self.add(new).await
    }

    pub async fn make_user(&self, caller: &Caller, new: NewUser) -> Result<AccountRow> {
        caller.grant.demand_administration()?;
        let Some(language) = new.invitation else { return self.add(new).await };
        if new.email.is_none() {
            return Err(Error::invalid("An invitation needs an e-mail address to go to.").at("email"));
        }
        if new.password.is_some() {
            return Err(Error::invalid("Whoever is invited chooses the password: leave it out.").at("password"));
        }
        // The letter's place is taken first: an account whose invitation cannot be sent is not made.
        let full = |_| Error::busy(60).caused_by("too many letters wait to be sent");
        let place = self.post()?.errands.try_reserve().map_err(full)?;
        let made = self.add(new).await?;
        place.send(Errand::Invited { account: made.id.clone(), language });
        Ok(made)
    }

    async fn add(&self, new: NewUser) -> Result<AccountRow> {
        let username = self.check_username(&new.username)?;
        check_role(&new.role)?;
        check_link(new.patient.as_deref(), "patient")?;
        check_link(new.practitioner.as_deref(), "practitioner")?;
        let email = new.email.as_deref().map(check_email).transpose()?;
        let hash = match &new.password {
            Some(password) => Some(self.check_password(password).await?),
            None => None,
        };
        let row = NewAccount {
            id: &secret::id()?,
            username: &username,
            password: hash.as_deref(),
            role: &new.role,
            patient: new.patient.as_deref(),
            practitioner: new.practitioner.as_deref(),
            email: email.as_deref(),
        };
        let taken = || Error::conflict("This user name is taken.").at("username");
        self.tables.add(&row).await?.ok_or_else(taken)
    }

    /// Accounts in the order of their names, a page at a time: those after `after`.
    pub async fn users(&self, caller: &Caller, after: &str) -> Result<Vec<AccountRow>> {
        caller.grant.demand_administration()?;
        self.tables.list(after, PAGE_MAX).await
    }

    /// Whoever is disabled or gets a new password is logged out everywhere.
    pub async fn change_user(&self, caller: &Caller, id: &str, change: UserChange) -> Result<AccountRow> {
        caller.grant.demand_administration()?;
        if let Some(role) = &change.role {
            check_role(role)?;
        }
        check_link(change.patient.as_ref().and_then(Option::as_deref), "patient")?;
        check_link(change.practitioner.as_ref().and_then(Option::as_deref), "practitioner")?;
        let email = match &change.email {
            Some(Some(email)) => Some(Some(check_email(email)?)),
            Some(None) => Some(None),
            None => None,
        };
        let hash = match &change.password {
            Some(password) => Some(self.check_password(password).await?),
            None => None,
        };
        let wanted = AccountChange {
            role: change.role.as_deref(),
            disabled: change.disabled,
            patient: change.patient.as_ref().map(Option::as_deref),
            practitioner: change.practitioner.as_ref().map(Option::as_deref),
            email: email.as_ref().map(Option::as_deref),
            password: hash.as_deref(),
        };
        let changed = self.tables.change(id, &wanted).await?;
        self.live.forget();
        match changed {
            Some(row) => Ok(row),
            None if self.tables.by_id(id).await?.is_some() => {
                Err(Error::conflict("This is the last account that can administer. Make another one first."))
            }
            None => Err(Error::not_found("There is no such account.")),
        }
    }
}

fn check_role(role: &str) -> Result<()> {
    if Role::parse(role).is_some() {
        return Ok(());
    }
    let roles = Role::ALL.map(Role::as_str).join(", ");
    Err(Error::invalid(format!("A role is one of {roles}.")).at("role"))
}

fn check_link(id: Option<&str>, place: &str) -> Result<()> {
    match id.map(Id::parse) {
        Some(Err(invalid)) => Err(Error::from(invalid).at(place)),
        Some(Ok(_)) | None => Ok(()),
    }
}

fn check_email(text: &str) -> Result<String> {
    let wrong = || Error::invalid("This is no e-mail address such as ana@example.org.").at("email");
    mail::address(text).ok_or_else(wrong)
}
