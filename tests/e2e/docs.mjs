// The documentation in a real browser: Swagger UI finds a patient, with a token where accounts are on, and the reference is read.
//
// Usage: node docs.mjs SERVER, where SERVER is the server's root; BRASA_TEST_TOKEN: an access token, or nothing where there are no
// accounts. Prints one line of JSON, what was seen. With BRASA_TEST_SCREENSHOTS, a folder, the pages are drawn there.
import { chromium } from "playwright-core";

const [server] = process.argv.slice(2);
const token = process.env.BRASA_TEST_TOKEN;
const screenshots = process.env.BRASA_TEST_SCREENSHOTS;
const patience = { timeout: 240_000 };

const browser = await chromium.launch({ executablePath: process.env.BRASA_TEST_CHROMIUM, args: ["--no-sandbox"] });
try {
  const context = await browser.newContext({ locale: "es-CO", colorScheme: "dark", viewport: { width: 390, height: 844 } });
  const tab = await context.newPage();
  tab.setDefaultTimeout(patience.timeout);
  const complained = [];
  const outside = [];
  tab.on("console", (line) => line.type() === "error" && complained.push(line.text()));
  tab.on("pageerror", (fault) => complained.push(String(fault)));
  // What is asked of anybody else than this server; `data:` asks nobody.
  context.on("request", (asked) => {
    if (!asked.url().startsWith(`${server}/`) && !asked.url().startsWith("data:")) outside.push(asked.url());
  });
  const draw = (name) => screenshots && tab.screenshot({ path: `${screenshots}/${name}.png` });

  await tab.goto(`${server}/docs`, patience);
  await tab.locator(".opblock-tag-section").first().waitFor(patience);
  await draw("docs");
  const seen = { language: await tab.locator("html").getAttribute("lang") };
  seen.dark = await tab.locator("body").evaluate((body) => getComputedStyle(body).backgroundColor);
  seen.groups = await tab.locator("#group option").count();
  seen.wide = await tab.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth + 1);
  if (token) {
    await tab.getByRole("button", { name: "Authorize", exact: true }).first().click();
    const bearer = tab.locator(".auth-container", { hasText: "bearer" }).first();
    await bearer.getByRole("textbox").fill(token);
    await bearer.getByRole("button", { name: "Apply credentials" }).click();
    await bearer.getByRole("button", { name: "Close", exact: true }).click();
  }
  // Another group and back: who is logged in stays so.
  await tab.getByLabel("Grupo").selectOption("Server");
  await tab.locator('[data-tag="Server"]').waitFor(patience);
  await tab.getByLabel("Grupo").selectOption("Patient");
  await tab.locator('[data-tag="Patient"]').waitFor(patience);
  // By keyboard, as whoever has no mouse does.
  await tab.locator('[data-tag="Patient"] button.expand-operation').focus();
  await tab.keyboard.press("Enter");
  const operation = tab.locator('[id$="search-Patient"]');
  await operation.locator(".opblock-summary-control").click(patience);
  await operation.locator("button.execute").click(patience);
  const answer = operation.locator(".responses-table.live-responses-table");
  await answer.locator(".response-col_status").filter({ hasText: "200" }).first().waitFor(patience);
  seen.found = (await answer.locator(".highlight-code").first().innerText()).includes('"searchset"');
  await draw("docs-found");

  await tab.goto(`${server}/redoc`, patience);
  seen.reference = await tab.locator("h1").innerText();
  await tab.getByRole("link", { name: "Patient", exact: true }).press("Enter");
  await tab.locator("details#search-Patient summary").press("Enter");
  seen.described = await tab.locator("details#search-Patient").getByText("birthdate", { exact: true }).isVisible();
  seen.narrow = await tab.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth + 1);
  await draw("reference");
  await tab.getByRole("link", { name: "English" }).click();
  seen.switched = await tab.locator("html").getAttribute("lang");
  console.log(JSON.stringify({ ...seen, complained, outside }));
} finally {
  await browser.close();
}
