//! What the pages of log-in and consent say, in English and in Spanish.

use crate::auth::policy::Permission;
use crate::auth::scope::{Level, ResourceScope};

/// The words of one language.
#[derive(Debug)]
pub struct Words {
    pub language: &'static str,
    pub log_in: &'static str,
    pub log_in_for: &'static str,
    pub username: &'static str,
    pub password: &'static str,
    pub cancel: &'static str,
    pub wrong: &'static str,
    /// Before a number of seconds.
    pub wait: &'static str,
    pub stale: &'static str,
    pub no_record: &'static str,
    pub not_yours: &'static str,
    pub consent: &'static str,
    pub wants: &'static str,
    pub may: &'static str,
    pub which_patient: &'static str,
    pub no_patient: &'static str,
    pub own_record: &'static str,
    /// Before a patient's id.
    pub launched: &'static str,
    pub allow: &'static str,
    pub deny: &'static str,
    pub you_are: &'static str,
    pub goes_to: &'static str,
    pub can_end: &'static str,
    pub failed: &'static str,
    pub request: &'static str,
    pub unknown_client: &'static str,
    pub unknown_redirect: &'static str,
    pub unreadable: &'static str,
    pub server_failed: &'static str,
    /// The scopes that are not about resources, and their sentences.
    scopes: &'static [(&'static str, &'static str)],
    permissions: [(Permission, &'static str); 5],
    everything: &'static str,
    of_patient: &'static str,
    of_user: &'static str,
    narrowed: &'static str,
    /// Types that many records hold; the others go by FHIR's names.
    types: &'static [(&'static str, &'static str)],
}

pub const ENGLISH: Words = Words {
    language: "en",
    log_in: "Log in",
    log_in_for: "Log in to go on to",
    username: "User name",
    password: "Password",
    cancel: "Cancel",
    wrong: "The user name or the password is wrong.",
    wait: "Too many attempts for this user name failed. Seconds until the next one:",
    stale: "That took too long, or this browser keeps no cookies. Log in again.",
    no_record: "This account is not linked to a patient's record, which the app asks for. Log in with another account.",
    not_yours: "Somebody else started this app. Log in as that person, or start it yourself.",
    consent: "Give access",
    wants: "asks for access. Untick what it is not to have.",
    may: "It may:",
    which_patient: "Patient (id)",
    no_patient: "Enter the id of a patient whom you may see.",
    own_record: "It is about your own record.",
    launched: "It is about the patient",
    allow: "Allow",
    deny: "Do not allow",
    you_are: "You are logged in as",
    goes_to: "You will go back to",
    can_end: "You can end this access at any time among your sessions.",
    failed: "This does not work",
    request: "Number of this request:",
    unknown_client: "The app is not registered here, or is disabled. Tell whoever runs the app.",
    unknown_redirect: "The app wants you to be sent to an address that is not registered for it. Nothing was sent. Tell whoever runs the app.",
    unreadable: "The request could not be read.",
    server_failed: "The server failed to answer. Try again; if it stays so, tell whoever runs it the number below.",
    scopes: &[
        ("openid", "know that it is you"),
        ("fhirUser", "know which record is yours"),
        ("profile", "know which record is yours"),
        ("launch", "know which patient you have open"),
        ("launch/patient", "know which patient it is about"),
        ("offline_access", "keep this access when you are away"),
        ("online_access", "keep this access for the day"),
    ],
    permissions: [
        (Permission::Create, "create"),
        (Permission::Read, "read"),
        (Permission::Update, "change"),
        (Permission::Delete, "delete"),
        (Permission::Search, "search"),
    ],
    everything: "all kinds of data",
    of_patient: "of the patient",
    of_user: "that you may see",
    narrowed: "only a part",
    types: &[
        ("AllergyIntolerance", "allergies"),
        ("Appointment", "appointments"),
        ("Condition", "conditions and diagnoses"),
        ("DiagnosticReport", "reports"),
        ("Encounter", "visits"),
        ("Immunization", "vaccinations"),
        ("MedicationRequest", "prescriptions"),
        ("Observation", "measurements and results"),
        ("Patient", "name, birth date and other personal details"),
        ("Procedure", "procedures"),
    ],
};

pub const SPANISH: Words = Words {
    language: "es",
    log_in: "Iniciar sesión",
    log_in_for: "Inicie sesión para continuar en",
    username: "Usuario",
    password: "Contraseña",
    cancel: "Cancelar",
    wrong: "El usuario o la contraseña no son correctos.",
    wait: "Demasiados intentos fallidos con este usuario. Segundos hasta el próximo:",
    stale: "Ha pasado demasiado tiempo o este navegador no guarda cookies. Inicie sesión de nuevo.",
    no_record: "Esta cuenta no está vinculada a la historia de un paciente, que la aplicación necesita. Inicie sesión con otra cuenta.",
    not_yours: "Otra persona ha abierto esta aplicación. Inicie sesión como esa persona o ábrala usted.",
    consent: "Dar acceso",
    wants: "pide acceso. Desmarque lo que no deba tener.",
    may: "Podrá:",
    which_patient: "Paciente (id)",
    no_patient: "Escriba el id de un paciente que usted pueda ver.",
    own_record: "Se trata de su propia historia.",
    launched: "Se trata del paciente",
    allow: "Permitir",
    deny: "No permitir",
    you_are: "Ha iniciado sesión como",
    goes_to: "Volverá a",
    can_end: "Puede terminar este acceso en cualquier momento entre sus sesiones.",
    failed: "Esto no funciona",
    request: "Número de esta petición:",
    unknown_client: "La aplicación no está registrada aquí o está desactivada. Avise a quien la ofrece.",
    unknown_redirect: "La aplicación quiere enviarle a una dirección que no tiene registrada. No se ha enviado nada. Avise a quien la ofrece.",
    unreadable: "No se ha podido leer la petición.",
    server_failed: "El servidor no ha podido responder. Inténtelo de nuevo; si sigue así, dé el número de abajo a quien lo mantiene.",
    scopes: &[
        ("openid", "saber que es usted"),
        ("fhirUser", "saber cuál es su ficha"),
        ("profile", "saber cuál es su ficha"),
        ("launch", "saber qué paciente tiene abierto"),
        ("launch/patient", "saber de qué paciente se trata"),
        ("offline_access", "conservar este acceso cuando usted no esté"),
        ("online_access", "conservar este acceso durante el día"),
    ],
    permissions: [
        (Permission::Create, "crear"),
        (Permission::Read, "leer"),
        (Permission::Update, "cambiar"),
        (Permission::Delete, "borrar"),
        (Permission::Search, "buscar"),
    ],
    everything: "todo tipo de datos",
    of_patient: "del paciente",
    of_user: "que usted puede ver",
    narrowed: "solo una parte",
    types: &[
        ("AllergyIntolerance", "alergias"),
        ("Appointment", "citas"),
        ("Condition", "enfermedades y diagnósticos"),
        ("DiagnosticReport", "informes"),
        ("Encounter", "visitas"),
        ("Immunization", "vacunas"),
        ("MedicationRequest", "recetas"),
        ("Observation", "mediciones y resultados"),
        ("Patient", "nombre, fecha de nacimiento y otros datos personales"),
        ("Procedure", "procedimientos"),
    ],
};

impl Words {
    /// The language that a browser prefers of the two; English where it prefers neither.
    /// <https://www.rfc-editor.org/rfc/rfc9110#section-12.5.4>
    pub fn preferred(accept_language: &str) -> &'static Words {
        let weight = |language: &str| {
            let ranges = accept_language.split(',').filter_map(|range| {
                let (name, parameter) = range.split_once(';').unwrap_or((range, ""));
                let is_of = name.trim().split('-').next().is_some_and(|name| name.eq_ignore_ascii_case(language));
                let quality = parameter.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse::<f32>().ok());
                quality.filter(|_| is_of)
            });
            ranges.fold(0.0_f32, f32::max)
        };
        if weight("es") > weight("en") { &SPANISH } else { &ENGLISH }
    }

    /// What a scope lets an app do.
    pub fn sentence(&self, word: &str) -> String {
        let Some(scope) = ResourceScope::parse(word) else {
            let known = self.scopes.iter().find(|(name, _)| *name == word);
            return known.map_or(word, |(_, sentence)| sentence).to_owned();
        };
        let may = self.permissions.iter().filter(|(one, _)| scope.may.contains(one)).map(|(_, verb)| *verb);
        let may = may.collect::<Vec<_>>().join(", ");
        let what = scope.resource_type.map_or(self.everything, |of| {
            let plain = self.types.iter().find(|(name, _)| *name == of.as_str());
            plain.map_or(of.as_str(), |(_, plain)| plain)
        });
        let whose = if scope.level == Level::Patient { self.of_patient } else { self.of_user };
        let part = if scope.query.is_some() { format!(" ({})", self.narrowed) } else { String::new() };
        format!("{may}: {what} {whose}{part}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_that_the_browser_prefers() {
        for (header, language) in [
            ("", "en"),
            ("fr", "en"),
            ("es", "es"),
            ("es-CO,es;q=0.9,en;q=0.8", "es"),
            ("en-GB,es;q=0.5", "en"),
            ("de, ES-mx;q=0.3, en;q=0.1", "es"),
            ("es;q=0, en;q=0.1", "en"),
        ] {
            assert_eq!(Words::preferred(header).language, language, "{header}");
        }
    }

    #[test]
    fn a_scope_is_told_in_words() {
        assert_eq!(ENGLISH.sentence("patient/Observation.rs"), "read, search: measurements and results of the patient");
        assert_eq!(
            SPANISH.sentence("user/*.cruds"),
            "crear, leer, cambiar, borrar, buscar: todo tipo de datos que usted puede ver"
        );
        assert_eq!(
            ENGLISH.sentence("patient/Goal.r?status=active"),
            "read: Goal of the patient (only a part)",
            "a kind of data without plain words goes by FHIR's name"
        );
        for words in [&ENGLISH, &SPANISH] {
            for scope in crate::auth::smart::wish::WORDS {
                assert_ne!(words.sentence(scope), *scope);
            }
        }
    }
}
