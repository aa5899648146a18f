import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { sqliteWorld } from "@perdure/world-sqlite";
import { build } from "esbuild";
import { start } from "perdure/api";
import { configure } from "perdure/runtime";
import { expect, onTestFinished, test } from "vitest";
import { type Place, place, type StartOptions } from "./process.ts";
import { gated, spinning } from "./processes/flows.ts";

// The thread that keeps leases while the event loop is blocked, in real processes.

const LEASE = 1_000;
/** Longer than a busy machine keeps a process from running at all. */
const KEPT_LEASE = 2_500;
const APP = join(import.meta.dirname, "processes/blocked-app.ts");

/** The program keeps its lease beside a worker that would take the run over, and says nothing but its result. */
async function keepsItsLease(here: Place, file: string, options: StartOptions = {}): Promise<void> {
  const other = here.start("worker", KEPT_LEASE);
  await other.line("open");
  const app = here.startFile(file, { ...options, args: [KEPT_LEASE] });
  expect(await app.ended()).toBe(0);
  expect(app.lines).toEqual(["attempt 1", "result 1"]);
  expect(app.errors.replaceAll(/^.*(ExperimentalWarning|--trace-warnings).*\n/gm, "")).toBe("");
  expect(other.lines).toEqual(["open"]);
}

test("the thread runs no preload of the program's, and starts from any directory", async () => {
  const here = place();
  const preloads = ["of a flag", "of NODE_OPTIONS"].map((name) => {
    const file = join(here.directory, `${name.replaceAll(" ", "-")}.mjs`);
    const text = `import { appendFileSync } from "node:fs"; appendFileSync(${JSON.stringify(join(here.directory, "ledger"))}, "preload ${name}\\n");`;
    writeFileSync(file, text);
    return `--import=${pathToFileURL(file)}`;
  });
  const [flag = "", nodeOptions = ""] = preloads;
  await keepsItsLease(here, APP, { flags: [flag], env: { NODE_OPTIONS: nodeOptions } });
  expect([...here.ledger()].sort()).toEqual(["attempt 1", "preload of NODE_OPTIONS", "preload of a flag"]);
}, 60_000);

test.each(["esm", "cjs"] as const)(
  "the thread starts in a bundle of esbuild, format %s",
  async (format) => {
    const here = place();
    const outfile = join(here.directory, `app.${format === "esm" ? "mjs" : "cjs"}`);
    await build({ entryPoints: [APP], outfile, format, bundle: true, platform: "node", logLevel: "error" });
    await keepsItsLease(here, outfile);
  },
  60_000,
);

test("an endless loop loses its leases after the stall timeout, and its worker goes on when it ends", async () => {
  const here = place();
  const world = sqliteWorld({ path: here.database });
  configure({ world, worker: false });
  await world.open();
  onTestFinished(() => world.close());
  const run = await start(spinning);
  const first = here.start("worker", LEASE, 2 * LEASE);
  await first.line("attempt 1");
  const second = here.start("worker", LEASE);
  expect(await run.returnValue).toBe(2);
  expect(first.errors.split("\n").filter((line) => line.startsWith("perdure: "))).toEqual([
    expect.stringMatching(
      `^perdure: the event loop of worker worker_\\S+ has been blocked for 2 s by step "spins" of run ${run.runId} at ` +
        `\\S+(?:flows|place)\\.ts:\\d+:\\d+\\. Its leases are no longer renewed, .*: ${run.runId}\\..*stallTimeout`,
    ),
  ]);
  await second.kill();
  here.open("attempt 1");
  expect(here.ledger()).toEqual(["attempt 1", "attempt 2"]);
  const next = await start(gated);
  expect(await next.returnValue).toBe(1);
  // Its handlers are back: it closes before it ends.
  first.signal("SIGTERM");
  expect(await first.ended()).toBe("SIGTERM");
  for (const { owner } of (await world.listRuns({ limit: 10 })).runs) expect(owner).toBeNull();
}, 60_000);

test("SIGTERM ends a process whose event loop an endless loop blocks", async () => {
  const here = place();
  const world = sqliteWorld({ path: here.database });
  configure({ world, worker: false });
  await world.open();
  onTestFinished(() => world.close());
  await start(spinning);
  const worker = here.start("worker", LEASE);
  await worker.line("attempt 1");
  let over = false;
  const ended = worker.ended().finally(() => {
    over = true;
  });
  while (!over) {
    worker.signal("SIGTERM");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(await ended).toBe("SIGTERM");
  expect(worker.errors).not.toMatch(/debugger/i);
}, 60_000);
