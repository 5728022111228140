//! From where a request comes, and the records of what is refused before anybody looks at it.

use super::State;
use super::told::Told;
use crate::audit::record::{Access, What};
use crate::auth::agent::{Agent, Origin};
use crate::auth::{self, Grant};
use crate::error::Result;
use actix_web::HttpRequest;
use actix_web::http::header::USER_AGENT;

/// Of what a client says of itself, so much is kept (characters).
const CLIENT_CHARS_MAX: usize = 200;

/// Who asks this, from where and by which program.
pub fn origin(state: &State, request: &HttpRequest, told: &Told, mut agent: Agent) -> Origin {
    agent.address = Some(state.limits.address(request).to_canonical().to_string());
    let said = request.headers().get(USER_AGENT).and_then(|client| client.to_str().ok()).unwrap_or_default();
    let said: String = said.chars().filter(|c| !c.is_control()).take(CLIENT_CHARS_MAX).collect();
    agent.client = match (agent.client, said.is_empty()) {
        (Some(client), true) => Some(client),
        (Some(client), false) => Some(format!("{client} ({said})")),
        (None, true) => None,
        (None, false) => Some(said),
    };
    Origin { agent, request: told.id.to_string() }
}

/// Records what was answered with a status and not recorded yet. `grant`: of who asked, where that is known.
pub async fn note(
    state: &State,
    request: &HttpRequest,
    told: &Told,
    grant: Option<Grant>,
    status: u16,
    what: What,
) -> Result<()> {
    let Some(interaction) = told.interaction.filter(|_| state.context.store.has_trail()) else { return Ok(()) };
    let grant = grant.unwrap_or_else(|| auth::of_nobody().asked_by(origin(state, request, told, Agent::default())));
    let access = Access { interaction: interaction.to_owned(), what, patients: Vec::new(), status };
    state.context.store.record(&grant, &[access]).await
}
