//! The words of the pages in both languages, and what the document says in English in Spanish.

use crate::account::Language;

/// What stands on the pages besides the document's own.
pub struct Words {
    pub language: &'static str,
    pub other_language: &'static str,
    pub other_name: &'static str,
    pub title: &'static str,
    pub told: &'static str,
    pub try_it: &'static str,
    pub read_it: &'static str,
    pub ui_told: &'static str,
    pub group: &'static str,
    pub log_in_told: &'static str,
    pub needs_script: &'static str,
    pub skip: &'static str,
    pub groups: &'static str,
    pub types: &'static str,
    pub operations: &'static str,
    pub elements: &'static str,
    pub element: &'static str,
    pub parameters: &'static str,
    pub name: &'static str,
    pub place: &'static str,
    pub kind: &'static str,
    pub meaning: &'static str,
    pub required: &'static str,
    pub body: &'static str,
    pub example: &'static str,
    pub answers: &'static str,
    pub is_open: &'static str,
    pub in_specification: &'static str,
}

pub const ENGLISH: Words = Words {
    language: "en",
    other_language: "es",
    other_name: "Español",
    title: "Reference of the API",
    told: "Every address of this server, as it is now. FHIR is served under /fhir; what answers GET answers HEAD, too.",
    try_it: "Try the API",
    read_it: "Reference to read",
    ui_told: "Choose a group, open an operation, and execute.",
    group: "Group",
    log_in_told: "With accounts: execute POST /auth/login, which every group has, copy the access_token, and paste it under Authorize as bearer.",
    needs_script: "This page needs scripts; the reference does not.",
    skip: "To the content",
    groups: "The server",
    types: "Resource types",
    operations: "Operations",
    elements: "Elements",
    element: "Element",
    parameters: "Parameters",
    name: "Name",
    place: "Where",
    kind: "Type",
    meaning: "Meaning",
    required: "required",
    body: "Body",
    example: "Example",
    answers: "Answers",
    is_open: "Without logging in.",
    in_specification: "In the specification of R4",
};

pub const SPANISH: Words = Words {
    language: "es",
    other_language: "en",
    other_name: "English",
    title: "Referencia de la API",
    told: "Todas las direcciones de este servidor, tal como está ahora. FHIR se sirve en /fhir; lo que responde a GET responde también a HEAD.",
    try_it: "Probar la API",
    read_it: "Referencia para leer",
    ui_told: "Elija un grupo, abra una operación y ejecute.",
    group: "Grupo",
    log_in_told: "Con cuentas: ejecute POST /auth/login, que está en todos los grupos, copie el access_token y péguelo en Authorize como bearer.",
    needs_script: "Esta página necesita scripts; la referencia no.",
    skip: "Ir al contenido",
    groups: "El servidor",
    types: "Tipos de recurso",
    operations: "Operaciones",
    elements: "Elementos",
    element: "Elemento",
    parameters: "Parámetros",
    name: "Nombre",
    place: "Dónde",
    kind: "Tipo",
    meaning: "Significado",
    required: "obligatorio",
    body: "Cuerpo",
    example: "Ejemplo",
    answers: "Respuestas",
    is_open: "Sin iniciar sesión.",
    in_specification: "En la especificación de R4",
};

pub fn of(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::Spanish => &SPANISH,
    }
}

pub fn code(language: Language) -> &'static str {
    of(language).language
}

/// What is done with a resource type, by the beginning of the operation's id. The longer one first.
const OF_TYPES: &[(&str, &str)] = &[
    ("history-of-one-", "Versiones de un {}"),
    ("history-of-", "Versiones de todos los {}"),
    ("conditional-update-", "Actualizar o crear el {} que se encuentre"),
    ("conditional-delete-", "Borrar el {} que se encuentre"),
    ("conditional-patch-", "Modificar en parte el {} que se encuentre"),
    ("search-compartment-of-", "Buscar en el compartimento de un {}"),
    ("search-", "Buscar recursos {}"),
    ("create-", "Crear un {}"),
    ("update-", "Actualizar un {}, o crearlo con este id"),
    ("delete-", "Borrar un {}"),
    ("patch-", "Modificar en parte un {}"),
    ("vread-", "Leer una versión de un {}"),
    ("read-", "Leer un {}"),
];

/// All else, by the operation's id.
const OTHERS: &[(&str, &str)] = &[
    ("capabilities", "Lo que hace este servidor"),
    ("search-system", "Buscar recursos de varios tipos"),
    ("search-system-by-form", "Buscar recursos de varios tipos con un formulario"),
    ("transaction", "Una transacción, que ocurre entera o no ocurre, o un lote"),
    ("history-system", "Versiones de todos los recursos"),
    ("front", "Adónde ir desde aquí"),
    ("health", "Si el proceso vive"),
    ("ready", "Si la base de datos responde y el servidor no se está deteniendo"),
    ("openapi", "Este documento"),
    ("docs", "Este documento en Swagger UI, para probar"),
    ("docs-file", "Un archivo de Swagger UI"),
    ("reference", "Este documento en páginas para leer, una por grupo"),
    ("reference-page", "Una página o un archivo de la referencia"),
    ("log-in", "Iniciar sesión: una ficha de acceso y otra para renovarla"),
    ("refresh", "Fichas nuevas por una de renovación"),
    ("log-out", "Terminar esta sesión"),
    ("me", "Quién soy"),
    ("register", "Abrir una cuenta propia, donde está permitido"),
    ("change-password", "Cambiar la propia contraseña"),
    ("ask-for-link", "La página en la que se pide un enlace"),
    ("forgot-password", "Pedir una carta con un enlace para poner la contraseña"),
    ("choose-password", "La página a la que lleva ese enlace"),
    ("reset-password", "Poner una contraseña con ese enlace"),
    ("sessions", "Las propias sesiones"),
    ("end-session", "Terminar una de ellas"),
    ("keys", "Las propias claves para programas"),
    ("make-key", "Hacer una clave; se muestra esta única vez"),
    ("revoke-key", "Anular una clave"),
    ("users", "Una página de las cuentas (administración)"),
    ("make-user", "Abrir una cuenta (administración)"),
    ("change-user", "Cambiar una cuenta (administración)"),
    ("clients", "Una página de las aplicaciones registradas (administración)"),
    ("make-client", "Registrar una aplicación; su secreto se muestra esta única vez (administración)"),
    ("client", "Una aplicación registrada (administración)"),
    ("change-client", "Cambiar una aplicación registrada (administración)"),
    ("remove-client", "Retirar una aplicación registrada y terminar sus sesiones (administración)"),
    ("launch", "Abrir una aplicación para un paciente: con qué se lanza"),
    ("jwks", "Las claves con las que otros verifican las fichas de este servidor"),
    ("authorize", "Preguntar a una persona qué puede hacer una aplicación"),
    ("authorize-by-form", "La respuesta de la persona, con el formulario de esa página"),
    ("token", "Fichas por un código, una ficha de renovación o una aserción"),
    ("introspect", "Qué vale una ficha"),
    ("revoke", "Terminar la sesión de una ficha"),
    ("style", "La hoja de estilo de las páginas de inicio de sesión y consentimiento"),
];

/// The summary of an operation in Spanish; `None` where there is none, such as of FHIR's operations, whose titles are English.
pub fn in_spanish(id: &str) -> Option<String> {
    if let Some((_, spanish)) = OTHERS.iter().find(|(known, _)| *known == id) {
        return Some((*spanish).to_owned());
    }
    if id.starts_with("configuration-") {
        return Some("Cómo iniciar sesión, y qué hay de SMART".to_owned());
    }
    let (spanish, rest) = OF_TYPES.iter().find_map(|(start, spanish)| Some((spanish, id.strip_prefix(start)?)))?;
    let (name, by_form) = rest.strip_suffix("-by-form").map_or((rest, ""), |name| (name, " con un formulario"));
    Some(format!("{}{by_form}", spanish.replace("{}", name)))
}
