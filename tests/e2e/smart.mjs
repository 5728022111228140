// A SMART app in a real browser: fhirclient sends a person to the server, who logs in and consents, and reads the record.
//
// Usage: node smart.mjs SERVER CLIENT_ID APP_PORT, where SERVER is the server's root and the client's redirect address is
// http://localhost:APP_PORT/. Prints one line of JSON, what the app has seen. With BRASA_TEST_SCREENSHOTS, a folder, the pages
// are drawn there.
import { createServer, request as forward } from "node:http";
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const [server, clientId, appPort] = process.argv.slice(2);
const password = process.env.BRASA_TEST_PASSWORD;
const browserPath = process.env.BRASA_TEST_CHROMIUM;
const screenshots = process.env.BRASA_TEST_SCREENSHOTS;
const library = await readFile(new URL("./node_modules/fhirclient/build/fhir-client.js", import.meta.url));

const launch = (iss) => `FHIR.oauth2.authorize(${JSON.stringify({
  clientId,
  iss,
  scope: "openid fhirUser launch/patient offline_access patient/Patient.r patient/Observation.rs",
  redirectUri: "./",
  pkceMode: "required",
})});`;

const index = `FHIR.oauth2.ready().then(async (client) => {
  const status = (path) => client.request(path).then(() => 200, (fault) => fault.statusCode ?? String(fault));
  const seen = {
    patient: client.patient.id,
    user: client.user.fhirUser,
    scope: client.state.tokenResponse.scope,
    id: (await client.patient.read()).id,
    other: await status("Patient/p2"),
    observations: await status("Observation?patient=p1"),
  };
  const before = client.state.tokenResponse.access_token;
  await client.refresh();
  seen.refreshed = before !== client.state.tokenResponse.access_token && (await client.patient.read()).id;
  document.body.dataset.seen = JSON.stringify(seen);
}).catch((fault) => { document.body.dataset.seen = JSON.stringify({ fault: String(fault) }); });`;

const page = (script) => `<!doctype html><meta charset="utf-8"><title>App</title><link rel="icon" href="data:,"><script src="/fhir-client.js"></script>
<body><script>${script}</script></body>`;

const listen = (handler, port, host) => new Promise((resolve) => {
  const listening = createServer(handler).listen(port, host, () => resolve(listening));
});

// Pages elsewhere may ask the server, as an operator's proxy would let them. It changes nothing else, the host included, from
// which the server makes its addresses.
const root = new URL(server);
const proxy = await listen((asked, answer) => {
  const allowed = {
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "authorization, content-type, accept, cache-control",
  };
  if (asked.method === "OPTIONS") return answer.writeHead(204, allowed).end();
  const passed = forward(
    { host: root.hostname, port: root.port, path: asked.url, method: asked.method, headers: asked.headers },
    (told) => {
      answer.writeHead(told.statusCode, { ...told.headers, ...allowed });
      told.pipe(answer);
    },
  );
  passed.on("error", () => answer.destroy());
  return asked.pipe(passed);
}, 0, "127.0.0.1");
const iss = `http://127.0.0.1:${proxy.address().port}/fhir`;

const app = await listen((asked, answer) => {
  const path = asked.url.split("?")[0];
  const [type, body] = {
    "/fhir-client.js": ["text/javascript", library],
    "/launch": ["text/html", page(launch(iss))],
    "/": ["text/html", page(index)],
  }[path] ?? ["text/plain", ""];
  answer.writeHead(body ? 200 : 404, { "content-type": type }).end(body);
}, Number(appPort), "localhost");

const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
try {
  const context = await browser.newContext({ locale: "es-CO" });
  const tab = await context.newPage();
  const complaints = [];
  tab.on("console", (line) => line.type() === "error" && complaints.push(line.text()));
  const draw = (name) => screenshots && tab.screenshot({ path: `${screenshots}/${name}.png`, fullPage: true });

  await tab.goto(`http://localhost:${appPort}/launch`);
  await tab.getByLabel("Usuario").waitFor();
  await draw("log-in");
  const styled = await tab.locator("main").evaluate((main) => getComputedStyle(main).borderTopStyle);
  await tab.getByLabel("Usuario").fill("ana");
  await tab.getByLabel("Contraseña").fill(password);
  await tab.getByRole("button", { name: "Iniciar sesión" }).click();
  await tab.getByRole("button", { name: "Permitir", exact: true }).waitFor();
  await draw("consent");
  await tab.getByRole("checkbox", { name: /patient\/Observation\.rs/ }).uncheck();
  const complained = [...complaints];
  await tab.getByRole("button", { name: "Permitir", exact: true }).click();
  await tab.locator("body[data-seen]").waitFor({ state: "attached", timeout: 240_000 });
  const seen = JSON.parse(await tab.locator("body").getAttribute("data-seen"));
  console.log(JSON.stringify({ ...seen, styled, complained, at: new URL(tab.url()).origin }));
} finally {
  await browser.close();
  proxy.close();
  app.close();
  proxy.closeAllConnections();
  app.closeAllConnections();
}
