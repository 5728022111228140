//! Stub.

#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    pub descending: bool,
    pub by: SortBy,
}
#[derive(Debug, Clone, PartialEq)]
pub enum SortBy {
    Id,
    LastUpdated,
    LeadingDate,
    Date(Vec<i64>),
    String(Vec<i64>),
    Token(Vec<i32>),
    Number(Vec<i64>),
}
