//! Every static statement by name. Each is a file under `sql/statements` whose head says its purpose, parameters and plan.

/// A statement and its name, for plans and messages.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    pub name: &'static str,
    pub sql: &'static str,
}

macro_rules! statements {
    ($($constant:ident = $name:literal;)*) => {
        $(pub const $constant: Statement = Statement {
            name: $name,
            sql: include_str!(concat!("../../sql/statements/", $name, ".sql")),
        };)*

        /// All of them, so that a test can look at the plan of each.
        pub const ALL: &[Statement] = &[$($constant),*];
    };
}

statements! {
    READ_CURRENT = "read_current";
    LOCK_CURRENT = "lock_current";
    READ_VERSION = "read_version";
    HISTORY_OF_INSTANCE = "history_of_instance";
    COUNT_VERSIONS = "count_versions";
    HISTORY_OF_TYPE_CURRENT = "history_of_type_current";
    HISTORY_OF_TYPE_SUPERSEDED = "history_of_type_superseded";
    HISTORY_OF_SYSTEM_CURRENT = "history_of_system_current";
    HISTORY_OF_SYSTEM_SUPERSEDED = "history_of_system_superseded";
    FIND_HOME = "find_home";
    FIND_IDENTIFIER = "find_identifier";
    FIND_RECEIPT = "find_receipt";
    ARCHIVE = "archive";
    REPLACE = "replace";
    MOVE_HISTORY = "move_history";
    REMOVE_HISTORY = "remove_history";
    REMOVE_CURRENT = "remove_current";
    SET_HOME = "set_home";
    REMOVE_MEMBER = "remove_member";
    REMOVE_IDENTIFIER = "remove_identifier";
    SET_RECEIPT = "set_receipt";
}
