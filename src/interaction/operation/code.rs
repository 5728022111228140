//! The operations by name. Where each is, and what it is given, is in the table (`interaction/operations.rs`).

/// An operation that this server has, besides `$reindex` and `$accesses`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Document,
    Everything,
    Expunge,
    Lastn,
    Meta,
    MetaAdd,
    MetaDelete,
    Stats,
    Summary,
    Validate,
    Versions,
}

impl Code {
    pub const ALL: [Code; 11] = [
        Code::Document,
        Code::Everything,
        Code::Expunge,
        Code::Lastn,
        Code::Meta,
        Code::MetaAdd,
        Code::MetaDelete,
        Code::Stats,
        Code::Summary,
        Code::Validate,
        Code::Versions,
    ];

    /// As in an address: `$everything`.
    pub fn name(self) -> &'static str {
        match self {
            Code::Document => "$document",
            Code::Everything => "$everything",
            Code::Expunge => "$expunge",
            Code::Lastn => "$lastn",
            Code::Meta => "$meta",
            Code::MetaAdd => "$meta-add",
            Code::MetaDelete => "$meta-delete",
            Code::Stats => "$stats",
            Code::Summary => "$summary",
            Code::Validate => "$validate",
            Code::Versions => "$versions",
        }
    }

    /// `code`: without the `$`.
    pub fn parse(code: &str) -> Option<Code> {
        Code::ALL.into_iter().find(|code_of| code_of.name().strip_prefix('$') == Some(code))
    }

    /// Whether everybody may ask for it, as for `metadata`: who cannot log in yet must find out how.
    pub fn is_open(self) -> bool {
        self == Code::Versions
    }
}
