import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRun } from "@perdure/core/api";
import { createDashboard, dashboardNode } from "@perdure/dashboard";
import { type Browser, type BrowserPage, startBrowser } from "@perdure/testbed/browser";
import axe from "axe-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { makeScene, type Scene } from "./page-runs.ts";

// The page in a real browser, before a worker that executes real runs.

const EVENTS = 10_000;
const BASE = "/admin/perdure";

let scene: Scene;
let server: Server;
let readOnlyServer: Server;
let browser: Browser;

beforeAll(async () => {
  [scene, browser] = await Promise.all([makeScene({ events: EVENTS }), startBrowser()]);
  const { world } = scene;
  server = await serve(createDashboard({ world, basePath: BASE, authorize: () => true }));
  readOnlyServer = await serve(createDashboard({ world, authorize: () => true, readOnly: true }));
});

afterAll(async () => {
  await browser.close();
  for (const one of [server, readOnlyServer]) {
    one.closeAllConnections();
    one.close();
  }
  await scene.close();
});

async function serve(dashboard: ReturnType<typeof createDashboard>): Promise<Server> {
  const listening = createServer(dashboardNode(dashboard)).listen(0, "127.0.0.1");
  await once(listening, "listening");
  return listening;
}

function origin(of: Server): string {
  return `http://127.0.0.1:${(of.address() as AddressInfo).port}`;
}

interface Look {
  readonly scheme?: "light" | "dark";
  readonly width?: number;
  readonly on?: string;
}

/** What the browser would tell a developer in its console. */
const complaints: WeakMap<BrowserPage, string[]> = new WeakMap();

/** Opens an address of the dashboard, such as `?page=hooks`. */
async function open(
  address: string,
  { scheme = "light", width = 1280, on }: Look = {},
): Promise<BrowserPage> {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: 800 } });
  onTestFinished(async () => await context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const said: string[] = [];
  complaints.set(page, said);
  page.on("console", (message) => {
    if (message.type() === "error") said.push(message.text());
  });
  page.on("pageerror", (error) => said.push(error.message));
  await page.goto(`${on ?? `${origin(server)}${BASE}/`}${address}`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  return page;
}

async function violations(page: BrowserPage): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations: found } = (await page.evaluate("axe.run()")) as axe.AxeResults;
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
}

/** Waits until the page shows a text. */
async function shows(page: BrowserPage, text: string | RegExp): Promise<void> {
  await page.getByText(text).first().waitFor();
}

/** Each page, and a text that it shows when all of it is there. */
function pages(): readonly (readonly [name: string, address: string, text: string | RegExp])[] {
  const { failed, completed, long, large, diverged, waiting, streaming } = scene;
  return [
    ["runs", "", /^wrun_/],
    ["a search", "?q=region%3Deu", "Back to the list"],
    ["no runs", "?workflow=nobody", "No run fits these filters."],
    ["a failed run", `?run=${failed}`, "CardDeclined"],
    ["a completed run", `?run=${completed}`, "3 attempts"],
    ["a long journal", `?run=${long}&tab=journal`, "run_created"],
    ["a large value", `?run=${large}`, /9,000 items/],
    ["a diverged run", `?run=${diverged}`, "the code asked for"],
    ["a run that waits", `?run=${waiting}`, "approve:1003"],
    ["a stream", `?run=${streaming}&tab=streams`, "Nothing is lost, and nothing is done twice."],
    ["relatives", `?run=${completed}&tab=tree`, "notify"],
    ["hooks", "?page=hooks", "approve:1003"],
    ["locks and keys", "?page=keys", "order:1001"],
    ["workers", "?page=workers", "healthy"],
    ["charts", "?page=charts", "Throughput"],
  ];
}

describe("every page", () => {
  for (const scheme of ["light", "dark"] as const) {
    test(`is there without a violation of accessibility or of the Content-Security-Policy, ${scheme}`, async () => {
      const page = await open("", { scheme });
      for (const [name, address, text] of pages()) {
        await page.goto(`${origin(server)}${BASE}/${address}`);
        await shows(page, text);
        expect([name, await violations(page)]).toEqual([name, []]);
      }
      expect(complaints.get(page)).toEqual([]);
    });
  }

  test("fits a phone, without scrolling sideways", async () => {
    const page = await open("", { width: 390 });
    for (const [name, address, text] of pages()) {
      await page.goto(`${origin(server)}${BASE}/${address}`);
      await shows(page, text);
      expect([name, await page.evaluate("document.documentElement.scrollWidth")]).toEqual([name, 390]);
    }
    expect(await violations(page)).toEqual([]);
  });

  test("works at an address without a slash at its end, and under another path", async () => {
    const page = await open("", { on: `${origin(server)}${BASE}` });
    await page.getByRole("link", { name: "Hooks" }).click();
    await shows(page, "approve:1003");
    expect(new URL(page.url()).pathname).toBe(`${BASE}/`);
    expect(complaints.get(page)).toEqual([]);
    const other = await open("", { on: `${origin(readOnlyServer)}/` });
    await shows(other, "read only");
  });
});

test("dark or light is as the system has it, until the reader chooses, and stays so", async () => {
  const page = await open("?page=hooks", { scheme: "dark" });
  const ground = async (): Promise<unknown> =>
    await page.evaluate("getComputedStyle(document.documentElement).backgroundColor");
  const dark = await ground();
  await page.getByRole("button", { name: /^Colours: as the system/ }).click();
  const light = await ground();
  expect(light).not.toBe(dark);
  await page.reload();
  await page.getByRole("button", { name: /^Colours: light/ }).click();
  expect(await ground()).toBe(dark);
});

describe("the list of runs", () => {
  test("keeps its filters in the address", async () => {
    const page = await open("");
    await page.getByRole("button", { name: /^failed/ }).click();
    await page.getByPlaceholder("attribute=value").fill("customer=cus_1002");
    await page.keyboard.press("Enter");
    await page.getByLabel("Created", { exact: true }).selectOption("24h");
    await page.getByRole("link", { name: scene.failed }).waitFor();
    const query = new URL(page.url()).searchParams;
    expect(Object.fromEntries(query)).toEqual({
      status: "failed",
      attribute: "customer=cus_1002",
      span: "24h",
    });
    await page.reload();
    await page.getByRole("link", { name: scene.failed }).waitFor();
    expect(await page.getByRole("table").getAttribute("aria-rowcount")).toBe("2");
    await page.getByRole("button", { name: "Take out all filters" }).click();
    expect(new URL(page.url()).search).toBe("");
  });

  test("finds a run by its id, its key, an attribute, and a token", async () => {
    const page = await open("");
    const found = async (text: string, runId: string, by: string): Promise<void> => {
      await page.getByLabel("Search runs").fill(text);
      await shows(page, /1 run found/);
      await page.getByRole("row").filter({ hasText: runId }).getByText(by, { exact: true }).waitFor();
    };
    await found(scene.failed, scene.failed, "id");
    await found("order:1001", scene.completed, "key");
    await found("customer=cus_1002", scene.failed, "attribute");
    await found("approve:1003", scene.waiting, "token");
    expect(new URL(page.url()).searchParams.get("q")).toBe("approve:1003");
  });

  test("shows a new run, and how it goes on, without being asked", async () => {
    const page = await open("");
    await shows(page, "Live");
    const runId = await scene.order("1101", "visa");
    const row = page.getByRole("row").filter({ hasText: runId });
    await row.waitFor();
    await row.getByText("completed").waitFor();
  });

  test("is gone through with the keyboard", async () => {
    const page = await open("");
    await page.getByRole("link", { name: /wrun_/ }).first().waitFor();
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Skip to the content");
    await page.keyboard.press("/");
    expect(await page.evaluate("document.activeElement.type")).toBe("search");
    await page.getByRole("link", { name: /wrun_/ }).first().focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    const chosen = await page.evaluate("document.activeElement.querySelector('.row-id').textContent");
    await page.keyboard.press("Enter");
    await page.getByRole("navigation", { name: "Views of the run" }).waitFor();
    expect(new URL(page.url()).searchParams.get("run")).toBe(chosen);
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
    await page.goBack();
    await page.getByRole("heading", { level: 1, name: "Runs" }).waitFor();
  });

  test("acts on all that fit, after it said how many they are", async () => {
    const ids = [await scene.order("1201", "declined"), await scene.order("1202", "declined")];
    await Promise.all(ids.map(async (id) => await getRun(id).returnValue.catch(() => {})));
    const page = await open("?attribute=customer%3Dcus_1201");
    await page.getByRole("link", { name: ids[0] ?? "" }).waitFor();
    await page.getByRole("button", { name: "Act on all of these …" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel(/^Delete/).check();
    await dialog.getByText(/1 run fits/).waitFor();
    expect(await violations(page)).toEqual([]);
    await dialog.getByRole("button", { name: "Delete them" }).click();
    await shows(page, "Deleted 1 run.");
    await shows(page, "No run fits these filters.");
    expect(await getRun(ids[0] ?? "").exists).toBe(false);
    expect(await getRun(ids[1] ?? "").exists).toBe(true);
  });
});

describe("a run", () => {
  test("shows 10,000 events of which few are in the document, to the last", async () => {
    const page = await open(`?run=${scene.long}&tab=journal`);
    await shows(page, "run_started");
    const rows = page.getByRole("table", { name: /^Journal of 10,003 events/ }).getByRole("row");
    await page.evaluate("scrollTo(0, document.body.scrollHeight)");
    await shows(page, "run_completed");
    expect(await rows.count()).toBeLessThan(100);
    await page.getByRole("button", { name: "run_completed" }).click();
    await page.getByRole("complementary", { name: "Details of run_completed" }).waitFor();
  });

  test("shows a timeline of thousands of steps, and what one of them was given and gave", async () => {
    const page = await open(`?run=${scene.long}`);
    const list = page.getByRole("list", { name: /^What the run asked for/ });
    await list.getByRole("button", { name: /poll/ }).nth(2).click();
    const details = page.getByRole("complementary", { name: "Details of poll" });
    await details.getByText("0: 2").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("complementary", { name: "Values of the run" }).waitFor();
    expect(await page.evaluate("document.activeElement.getAttribute('aria-pressed')")).toBe("false");
  });

  test("opens a value of 1 MB where it is of interest", async () => {
    const page = await open(`?run=${scene.large}`);
    const result = page.getByRole("list", { name: "the result" });
    await result.getByRole("button", { name: /9,000 items/ }).click();
    await result.getByText("the item with the number").first().waitFor();
    await result.press("End");
    const more = result.getByRole("button", { name: /more.*load/ }).first();
    const before = (await more.textContent()) ?? "";
    await more.click();
    await result.getByRole("button", { name: before }).waitFor({ state: "detached" });
    await result.press("End");
    await more.waitFor();
    expect(await more.textContent()).not.toBe(before);
    expect(await result.getByRole("listitem").count()).toBeLessThan(80);
  });

  test("names the user's own source, and the difference of a diverged run", async () => {
    const page = await open(`?run=${scene.failed}`);
    await shows(page, /page-runs\.ts:\d+:\d+/);
    await page.goto(`${origin(server)}${BASE}/?run=${scene.diverged}`);
    const difference = page.getByRole("region", { name: "Difference between code and journal" });
    await difference.getByRole("row", { name: /the journal has.*poll/ }).waitFor();
    await difference.getByRole("row", { name: /the code asked for.*reserve/ }).waitFor();
  });

  test("shows its stream while it is written", async () => {
    const runId = await scene.speech(40);
    const page = await open(`?run=${runId}&tab=streams`);
    const chunks = page.getByText(/^\d+ chunks, live$/);
    await chunks.waitFor();
    await shows(page, "40 chunks, ended");
    await page.getByRole("region", { name: "The stream as one text" }).getByText("word 1 word 2").waitFor();
    await page.getByRole("button", { name: "As one text" }).click();
    await page.getByRole("list", { name: "Chunks of the stream" }).getByText('"word 1 "').waitFor();
  });

  test("is cancelled after a question, which Escape answers with no, and says so", async () => {
    const page = await open(`?run=${scene.sleeping}`);
    const cancel = page.getByRole("button", { name: "Cancel", exact: true });
    await cancel.click();
    await page.getByRole("dialog", { name: "Cancel patient?" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Cancel");
    expect(await getRun(scene.sleeping).status).toBe("running");
    await page.keyboard.press("Enter");
    await page.getByLabel("Reason").fill("not needed");
    await page.getByRole("button", { name: "Cancel the run" }).click();
    await page
      .getByRole("status")
      .getByText(/cancel|end/i)
      .waitFor();
    await page.getByRole("heading", { level: 1 }).getByText("cancelled").waitFor();
    await shows(page, "not needed");
  });

  test("gets a payload for its hook, and what was wrong with it is said in the dialog", async () => {
    const page = await open(`?run=${scene.waiting}`);
    await page.getByRole("button", { name: "Deliver …" }).click();
    await page.getByLabel("Payload").fill("{ not JSON");
    await page.getByRole("button", { name: "Deliver", exact: true }).click();
    await page.getByRole("alert").getByText("The payload is not JSON").waitFor();
    await page.getByLabel("Payload").fill('{ "ok": true }');
    await page.getByRole("button", { name: "Deliver", exact: true }).click();
    await page.getByRole("heading", { level: 1 }).getByText("completed").waitFor();
    await page.getByRole("list", { name: "the result" }).getByText("ok: true").waitFor();
  });

  test("is forked from a step, started again, retried and deleted", async () => {
    const page = await open(`?run=${scene.failed}`);
    const follow = async (): Promise<string> => {
      await page.getByRole("status").getByRole("link", { name: "Open it" }).first().click();
      await page.getByRole("heading", { level: 1 }).getByText("failed").waitFor();
      await page.getByRole("button", { name: "Close the notice" }).first().click();
      return new URL(page.url()).searchParams.get("run") ?? "";
    };
    await page.getByRole("button", { name: /chargeCard/ }).click();
    await page.getByRole("button", { name: "Fork from this step …" }).click();
    await page.getByRole("button", { name: "Fork", exact: true }).click();
    const forked = await follow();
    await page.getByRole("button", { name: "Start like this" }).click();
    await page.getByRole("textbox", { name: "Arguments" }).fill('["1002b", "declined"]');
    await page.getByRole("button", { name: "Start", exact: true }).click();
    const again = await follow();
    await page.getByRole("button", { name: "Retry" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Retry" }).click();
    const retried = await follow();
    expect(new Set([scene.failed, forked, again, retried]).size).toBe(4);
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("button", { name: "Delete the run" }).click();
    await page.getByRole("heading", { level: 1, name: "Runs" }).waitFor();
    expect(await getRun(retried).exists).toBe(false);
  });

  test("has no acts where the dashboard is for reading only", async () => {
    const page = await open(`?run=${scene.diverged}`, { on: `${origin(readOnlyServer)}/` });
    await shows(page, "the code asked for");
    expect(await page.getByRole("button", { name: /Retry|Cancel|Terminate/ }).count()).toBe(0);
  });

  test("that is not there is said to be so, with words", async () => {
    const context = await browser.newContext();
    onTestFinished(async () => await context.close());
    const page = await context.newPage();
    await page.goto(`${origin(server)}${BASE}/?run=wrun_none`);
    await page
      .getByRole("alert")
      .getByText(/wrun_none/)
      .waitFor();
  });
});
