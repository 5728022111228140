//! What a narrative may hold: the XHTML of `txt-1`, well formed, with something in it (`txt-2`).
//! <https://hl7.org/fhir/R4/narrative.html#xhtml>
//!
//! Read once from left to right, without a tree: the names of open tags are all that is kept.

use crate::fhir::xml::{character, is_character};

const ELEMENTS: [&str; 50] = [
    "a",
    "abbr",
    "acronym",
    "b",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
    // Of the text that the page has beside the list: a map's areas are how an image links.
    "map",
    "area",
];

const ATTRIBUTES: [&str; 59] = [
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "bgcolor",
    "border",
    "cellhalign",
    "cellpadding",
    "cellspacing",
    "cellvalign",
    "char",
    "charoff",
    "charset",
    "cite",
    "class",
    "colspan",
    "compact",
    "coords",
    "dir",
    "frame",
    "headers",
    "height",
    "href",
    "hreflang",
    "hspace",
    "id",
    "lang",
    "longdesc",
    "name",
    "nowrap",
    "rel",
    "rev",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "span",
    "src",
    "start",
    "style",
    "summary",
    "tabindex",
    "title",
    "type",
    "valign",
    "value",
    "vspace",
    "width",
    // Of XML itself.
    "xml:lang",
    "xml:space",
    "xmlns",
    "xml:id",
    // Of an image with a map, and of tables.
    "usemap",
    "ismap",
    "color",
    "size",
    "face",
    "clear",
];

const NAMESPACE: &str = "http://www.w3.org/1999/xhtml";

/// Tags inside each other. No table in a list in a table comes near it.
const NESTED_MAX: usize = 256;

/// The longest name of an entity or number between `&` and `;` (bytes).
const ENTITY_BYTES_MAX: usize = 10;

pub(super) fn is_allowed(text: &str) -> bool {
    let mut reading = Reading::default();
    text.chars().all(is_character) && reading.read(text.trim()) == Some(()) && reading.has_content
}

#[derive(Default)]
struct Reading<'t> {
    open: Vec<&'t str>,
    /// Whether the outermost tag was closed.
    is_over: bool,
    has_content: bool,
}

impl<'t> Reading<'t> {
    /// `None`: it is not allowed.
    fn read(&mut self, text: &'t str) -> Option<()> {
        let mut rest = text;
        while !rest.is_empty() {
            rest = match rest.split_once('<') {
                Some(("", markup)) => self.markup(markup)?,
                Some((words, _)) => {
                    self.words(words)?;
                    rest.get(words.len()..)?
                }
                None => {
                    self.words(rest)?;
                    ""
                }
            };
        }
        self.is_over.then_some(())
    }

    fn words(&mut self, words: &str) -> Option<()> {
        let is_blank = words.trim().is_empty();
        self.has_content |= !is_blank;
        // Words stand inside of the outermost tag.
        (is_blank || !self.open.is_empty()).then_some(())?;
        entities(words)
    }

    /// Behind `<`; gives what is behind the tag or comment.
    fn markup(&mut self, markup: &'t str) -> Option<&'t str> {
        if let Some(comment) = markup.strip_prefix("!--") {
            // Two hyphens end it, and then nothing but the end may follow.
            return comment.split_once("--").and_then(|(_, behind)| behind.strip_prefix('>'));
        }
        if let Some(closing) = markup.strip_prefix('/') {
            let (name, behind) = closing.split_once('>')?;
            (self.open.pop()? == name.trim_end()).then_some(())?;
            self.is_over = self.open.is_empty();
            return Some(behind);
        }
        let end = markup.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(markup.len());
        let (name, rest) = markup.split_at_checked(end)?;
        let is_first = self.open.is_empty();
        let fits = ELEMENTS.contains(&name) && (!is_first || name == "div") && !self.is_over;
        (fits && self.open.len() < NESTED_MAX).then_some(())?;
        let tag = attributes(name, rest)?;
        (!is_first || tag.is_xhtml).then_some(())?;
        self.has_content |= tag.is_image;
        if tag.is_closed {
            self.is_over = is_first;
        } else {
            self.open.push(name);
        }
        Some(tag.behind)
    }
}

struct Tag<'t> {
    is_closed: bool,
    /// Whether it names the namespace.
    is_xhtml: bool,
    /// An image that says where it comes from.
    is_image: bool,
    behind: &'t str,
}

fn attributes<'t>(element: &str, rest: &'t str) -> Option<Tag<'t>> {
    let mut tag = Tag { is_closed: false, is_xhtml: false, is_image: false, behind: rest };
    let mut seen: Vec<&str> = Vec::new();
    loop {
        let trimmed = tag.behind.trim_start();
        if let Some(behind) = trimmed.strip_prefix('>') {
            return Some(Tag { behind, ..tag });
        }
        if let Some(behind) = trimmed.strip_prefix("/>") {
            return Some(Tag { is_closed: true, behind, ..tag });
        }
        // Space stands before an attribute.
        (trimmed.len() < tag.behind.len()).then_some(())?;
        let (name, value) = trimmed.split_once('=')?;
        let name = name.trim_end();
        let value = value.trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, behind) = value.strip_prefix(quote)?.split_once(quote)?;
        (ATTRIBUTES.contains(&name) && !seen.contains(&name) && !value.contains('<')).then_some(())?;
        entities(value)?;
        (!is_active(name, value)).then_some(())?;
        seen.push(name);
        tag.is_xhtml |= name == "xmlns" && value == NAMESPACE;
        tag.is_image |= element == "img" && name == "src" && !value.trim().is_empty();
        tag.behind = behind;
    }
}

/// Whether an address does something when it is followed: active content is what a narrative never has.
fn is_active(attribute: &str, value: &str) -> bool {
    let is_address = matches!(attribute, "href" | "src" | "cite" | "longdesc");
    if !is_address {
        return false;
    }
    // What a browser reads and skips, whoever writes it might count on.
    let read = Characters { rest: value };
    let plain: String = read.filter(|letter| !letter.is_whitespace() && !letter.is_control()).take(16).collect();
    let plain = plain.to_ascii_lowercase();
    plain.starts_with("javascript:") || plain.starts_with("vbscript:")
}

/// The characters that a text with names and numbers of characters stands for, as far as it can be read.
struct Characters<'t> {
    rest: &'t str,
}

impl Iterator for Characters<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        let behind = self.rest.get(letter.len_utf8()..)?;
        match (letter == '&').then(|| entity(behind)).flatten() {
            Some((letter, behind)) => {
                self.rest = behind;
                Some(letter)
            }
            None => {
                self.rest = behind;
                Some(letter)
            }
        }
    }
}

/// Every `&` begins a name or number of XML that ends with `;`: HTML's names are none.
fn entities(text: &str) -> Option<()> {
    text.split('&').skip(1).try_for_each(|rest| entity(rest).map(|_| ()))
}

/// The character whose name or number stands at the start, and what is behind its `;`.
fn entity(rest: &str) -> Option<(char, &str)> {
    let end = rest.bytes().take(ENTITY_BYTES_MAX).position(|byte| byte == b';')?;
    Some((character(rest.get(..end)?)?, rest.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn div(inner: &str) -> bool {
        is_allowed(&format!("<div xmlns=\"{NAMESPACE}\">{inner}</div>"))
    }

    #[test]
    fn what_the_page_allows_passes() {
        for inner in [
            "a",
            "<p>a &amp; b &#160;&#xA0;&lt;</p><br/><hr />",
            "<a href=\"&#x2e;/a\">x</a>",
            "<table class='grid'><tr><td colspan=\"2\">a</td></tr></table>",
            "<img src=\"#p1\" alt=\"\"/>",
            "<a href=\"https://example.org/?a=1&amp;b=2\">x</a><!-- <script> -->",
            "<p xml:lang = 'es' >año</p >",
        ] {
            assert!(div(inner), "{inner}");
        }
    }

    #[test]
    fn what_it_does_not_allow_is_told() {
        for inner in [
            "",
            "  <p></p> ",
            "<script>alert(1)</script>",
            "<iframe src='x'/>a",
            "<p onclick=\"x()\">a</p>",
            "<a href=\"javascript:x()\">a</a>",
            "<a href=\" java\tscript:x()\">a</a>",
            "<a href=\"&#106;avascript:x()\">a</a>",
            "<p>a",
            "a</p>",
            "<p>a</div></p>",
            "<p>a & b</p>",
            "<p class=x>a</p>",
            "<p class='x' class='y'>a</p>",
            "<p class='x'id='y'>a</p>",
            "<a href=\"java&#115;cript:x()\">a</a>",
            "<a href=\"javascript&#x3a;x()\">a</a>",
            "<p>a&nbsp;b</p>",
            "<p>a&#0;b</p>",
            "<p>a&#xffff;b</p>",
            "<p>a&#+65;b</p>",
            "<p>a\u{1}b</p>",
            "<!-- a -- b -->a",
            "<![CDATA[a]]>",
            "<?x y?>a",
            "a</div><div>b",
        ] {
            assert!(!div(inner), "{inner}");
        }
        for text in
            ["", "a", "<p xmlns=\"http://www.w3.org/1999/xhtml\">a</p>", "<div>a</div>", "<div xmlns=\"x\">a</div>"]
        {
            assert!(!is_allowed(text), "{text}");
        }
        assert!(!div(&format!("{}a{}", "<b>".repeat(300), "</b>".repeat(300))));
    }
}
