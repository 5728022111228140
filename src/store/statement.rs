//! Every static statement by name. Each is a file under `sql/statements` whose head says its purpose, parameters and plan.

/// A statement and its name, for plans and messages.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    pub name: &'static str,
    pub sql: &'static str,
}

macro_rules! statements {
    ($(#[$of_list:meta])* $list:ident: $($constant:ident = $name:literal;)*) => {
        $(pub const $constant: Statement = Statement {
            name: $name,
            sql: include_str!(concat!("../../sql/statements/", $name, ".sql")),
        };)*

        $(#[$of_list])*
        pub const $list: &[Statement] = &[$($constant),*];
    };
}

statements! {
    /// All that ask distributed tables, so that a test can look at the plan of each.
    ALL:
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
    FIND_MEMBER_HOMES = "find_member_homes";
    ARCHIVE = "archive";
    REPLACE = "replace";
    MOVE_HISTORY = "move_history";
    REMOVE_HISTORY = "remove_history";
    REMOVE_CURRENT = "remove_current";
    SET_HOME = "set_home";
    REMOVE_MEMBER = "remove_member";
    REMOVE_IDENTIFIER = "remove_identifier";
    SET_RECEIPT = "set_receipt";
    REMOVE_TOKENS = "remove_tokens";
    REMOVE_STRINGS = "remove_strings";
    REMOVE_DATES = "remove_dates";
    REMOVE_NUMBERS = "remove_numbers";
    REMOVE_POSITIONS = "remove_positions";
    REMOVE_TEXTS = "remove_texts";
    TYPE_VERSIONS = "type_versions";
    PARAMETER_BODIES = "parameter_bodies";
    LIST_FOR_INDEX = "list_for_index";
    LIST_UNINDEXED = "list_unindexed";
    LOCK_FOR_INDEX = "lock_for_index";
    SET_INDEX = "set_index";
    COUNT_FOR_INDEX = "count_for_index";
    COUNT_UNINDEXED = "count_unindexed";
    EXPUNGE_LIST = "expunge/list";
    EXPUNGE_DELETED = "expunge/deleted";
    EXPUNGE_VERSIONS = "expunge/versions";
    EXPUNGE_REMOVE_VERSION = "expunge/remove_version";
    EXPUNGE_REMOVE_HOME = "expunge/remove_home";
}

statements! {
    /// Those that ask ordinary tables, on Citus of the coordinator.
    ON_COORDINATOR:
    PARAMETER_STATES = "parameter/states";
    PARAMETER_COPIES = "parameter/copies";
    NOTE_PARAMETER = "parameter/note";
    FORGET_PARAMETER = "parameter/forget";
    DOUBT_PARAMETERS = "parameter/doubt";
    ENTER_SERVER = "parameter/enter";
    REPORT_SERVER = "parameter/report";
    LEAVE_SERVER = "parameter/leave";
    SERVERS_BEHIND = "parameter/behind";
    REINDEX_DUE = "reindex/due";
    MAKE_JOB = "reindex/make";
    MAKE_JOB_FOR_PARAMETERS = "reindex/make_for_parameters";
    JOBS = "reindex/jobs";
    START_JOB = "reindex/start";
    NOTE_PLACE = "reindex/note";
    END_JOB = "reindex/end";
    TAKE_TURN = "reindex/turn";
}

/// An INSERT of several rows, whose text depends only on how many.
#[derive(Debug, Clone, Copy)]
pub struct Insert {
    pub table: &'static str,
    pub columns: &'static [&'static str],
    /// So many of the last columns are words with a space between them, kept for full text.
    pub words: usize,
    /// What follows the values.
    pub on_conflict: &'static str,
}

pub const INSERT_RESOURCE: Insert = Insert {
    table: "resource",
    columns: &[
        "compartment",
        "type",
        "id",
        "version_id",
        "last_updated",
        "method",
        "body",
        "key",
        "self",
        "date",
        "date_high",
    ],
    words: 0,
    on_conflict: "",
};
pub const INSERT_HOME: Insert =
    Insert { table: "resource_home", columns: &["id", "type", "compartment"], words: 0, on_conflict: "" };
pub const INSERT_MEMBER: Insert = Insert {
    table: "compartment_member",
    columns: &["compartment", "type", "id", "home"],
    // One may be left of a time when this server had another base address, and another reference was a local one.
    words: 0,
    on_conflict: " ON CONFLICT (compartment, type, id) DO UPDATE SET home = excluded.home",
};
pub const INSERT_IDENTIFIER: Insert =
    Insert { table: "identifier_home", columns: &["key", "system_hash", "type", "id"], words: 0, on_conflict: "" };

pub const INSERT_TOKEN: Insert = Insert {
    table: "search_token",
    columns: &["compartment", "key", "date", "token", "param", "system", "code", "repeated"],
    words: 0,
    on_conflict: "",
};
pub const INSERT_STRING: Insert = Insert {
    table: "search_string",
    columns: &["compartment", "key", "date", "param", "value", "exact", "system"],
    words: 0,
    on_conflict: "",
};
pub const INSERT_DATE: Insert = Insert {
    table: "search_date",
    columns: &["compartment", "key", "date", "param", "low", "high", "system"],
    words: 0,
    on_conflict: "",
};
pub const INSERT_NUMBER: Insert = Insert {
    table: "search_number",
    columns: &[
        "compartment",
        "key",
        "date",
        "param",
        "unit",
        "low",
        "high",
        "raw_low",
        "raw_high",
        "unit_code",
        "unit_text",
        "system",
    ],
    words: 0,
    on_conflict: "",
};
pub const INSERT_POSITION: Insert = Insert {
    table: "search_position",
    columns: &["compartment", "key", "latitude", "longitude"],
    words: 0,
    on_conflict: "",
};

pub const INSERT_TEXT: Insert = Insert {
    table: "search_text",
    columns: &["compartment", "key", "narrative", "content"],
    words: 2,
    on_conflict: "",
};

/// Sent again after a failure it changes nothing.
pub const INSERT_AUDIT: Insert = Insert {
    table: "audit",
    columns: &["compartment", "recorded", "writer", "number", "account", "record"],
    words: 0,
    on_conflict: " ON CONFLICT (compartment, recorded, writer, number) DO NOTHING",
};

pub const INSERTS: &[Insert] = &[
    INSERT_RESOURCE,
    INSERT_HOME,
    INSERT_MEMBER,
    INSERT_IDENTIFIER,
    INSERT_TOKEN,
    INSERT_STRING,
    INSERT_DATE,
    INSERT_NUMBER,
    INSERT_POSITION,
    INSERT_TEXT,
    INSERT_AUDIT,
];

impl Insert {
    /// `VALUES`, not `SELECT FROM unnest`: with rows of one shard Citus runs it there as one task.
    pub fn sql(&self, rows: usize) -> String {
        let mut sql = String::from("INSERT INTO ");
        sql.push_str(self.table);
        sql.push_str(" (");
        sql.push_str(&self.columns.join(", "));
        sql.push_str(") VALUES ");
        let mut number = 0;
        for row in 0..rows {
            sql.push_str(if row > 0 { ", (" } else { "(" });
            for column in 0..self.columns.len() {
                number += 1;
                let is_words = column + self.words >= self.columns.len();
                sql.push_str(if column > 0 { ", " } else { "" });
                sql.push_str(if is_words { "to_tsvector('simple', $" } else { "$" });
                sql.push_str(&number.to_string());
                sql.push_str(if is_words { "::text)" } else { "" });
            }
            sql.push(')');
        }
        sql.push_str(self.on_conflict);
        sql
    }
}
