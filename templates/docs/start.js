// Starts Swagger UI on this server's own document.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const dress = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dress();
dark.addEventListener("change", dress);

// One group at a time: of the whole document Swagger UI would make something for minutes.
const groups = document.getElementById("group");
const asked = new URLSearchParams(location.search).get("group");
groups.value = [...groups.options].some((one) => one.value === asked) ? asked : "Patient";
const address = () => new URL(`docs/${groups.value}.json`, document.baseURI).href;

const ui = SwaggerUIBundle({
  url: address(),
  dom_id: "#swagger-ui",
  layout: "BaseLayout",
  presets: [SwaggerUIBundle.presets.apis],
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  defaultModelsExpandDepth: -1,
  defaultModelExpandDepth: 1,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  // A token stays in this page and is gone with it.
  persistAuthorization: false,
  validatorUrl: null,
  oauth2RedirectUrl: new URL("docs/oauth2-redirect.html", location.href).href,
});

// SMART wants to hear which FHIR server is meant.
ui.initOAuth({
  appName: "Brasa",
  scopeSeparator: " ",
  usePkceWithAuthorizationCodeGrant: true,
  additionalQueryStringParams: { aud: document.body.dataset.base },
});

// Whoever is logged in stays so.
groups.addEventListener("change", () => {
  const here = new URL(location.href);
  here.searchParams.set("group", groups.value);
  here.hash = "";
  history.replaceState(null, "", here);
  ui.specActions.updateUrl(address());
  ui.specActions.download(address());
});
