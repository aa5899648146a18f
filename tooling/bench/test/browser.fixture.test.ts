import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { startBrowser } from "@perdure/testbed/browser";
import { sqliteWorld } from "@perdure/world-sqlite";
import { getStepMetadata, getWritable, step, workflow } from "perdure";
import { getRun, start } from "perdure/api";
import { configure, createWorker } from "perdure/runtime";
import { expect, onTestFinished, test } from "vitest";

// docs/streams.md in a real browser: an EventSource whose connection breaks again and again gets every chunk once.

/** The page has the draft. */
let showDraft = (): void => {};
const draftShown = new Promise<void>((resolve) => {
  showDraft = resolve;
});

const answer = step(
  "browser//answer",
  async (count: number) => {
    const { attempt } = getStepMetadata();
    const writer = getWritable<string>().getWriter();
    if (attempt === 1) {
      await writer.write("draft");
      await draftShown;
      throw new Error("fails once");
    }
    for (let n = 0; n < count; n++) {
      await writer.write(`token ${n}`);
      await pause(20);
    }
  },
  { backoff: () => 1 },
);
const chat = workflow("browser//chat", async (count: number) => await answer(count));

/** What the page shows: the texts of the last attempt. */
const PAGE = `<!doctype html><pre id="shown"></pre><script>
  const chunks = [];
  const events = new EventSource("/events" + location.search);
  events.onmessage = ({ lastEventId, data }) => {
    const { text, stepId, attempt } = JSON.parse(data);
    const kept = chunks.filter((chunk) => chunk.stepId !== stepId || chunk.attempt >= attempt);
    if (kept.length < chunks.length) document.body.dataset.replaced = "true";
    chunks.splice(0, chunks.length, ...kept, { index: lastEventId, text, stepId, attempt });
    shown.textContent = chunks.map(({ text }) => text).join("\\n");
  };
  events.addEventListener("end", () => {
    events.close();
    document.body.dataset.ended = "true";
  });
</script>`;

/** Serves the page and its events, and cuts each connection after some events. */
function serve(asked: (string | undefined)[]): Server {
  return createServer(async (request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    if (url.pathname !== "/events") {
      response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
      return;
    }
    const last = request.headers["last-event-id"] as string | undefined;
    asked.push(last);
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write("retry: 50\n\n");
    const reading = { startIndex: last === undefined ? 0 : Number(last) + 1, signal: gone.signal };
    let sent = 0;
    for await (const { index, data, stepId, attempt } of getRun(url.searchParams.get("run") ?? "").chunks(
      reading,
    )) {
      response.write(`id: ${index}\ndata: ${JSON.stringify({ text: data, stepId, attempt })}\n\n`);
      if (data === "draft") showDraft();
      if (++sent === 4) setImmediate(() => response.destroy());
    }
    response.end("event: end\ndata: \n\n");
  });
}

test("a browser whose connection breaks shows each token once, and no draft of a failed attempt", async () => {
  const folder = mkdtempSync(join(tmpdir(), "perdure-browser-"));
  const world = sqliteWorld({ path: join(folder, "perdure.db") });
  configure({ world, worker: false });
  const worker = createWorker({ world, logger: "silent" });
  await worker.start();
  const asked: (string | undefined)[] = [];
  const server = serve(asked).listen(0, "127.0.0.1");
  await once(server, "listening");
  const browser = await startBrowser();
  onTestFinished(async () => {
    await browser.close();
    server.closeAllConnections();
    server.close();
    await worker.close();
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const count = 12;
  const run = await start(chat, [count]);
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/?run=${run.runId}`);
  await page.waitForSelector("body[data-ended]", { state: "attached", timeout: 30_000 });
  expect(await page.getAttribute("body", "data-replaced")).toBe("true");
  const shown = await page.textContent("#shown");
  expect(shown?.split("\n")).toEqual(Array.from({ length: count }, (_, n) => `token ${n}`));
  expect(asked.length).toBeGreaterThan(2);
  expect(asked[0]).toBeUndefined();
  expect(asked.slice(1).every((id) => Number(id) >= 0)).toBe(true);
});
