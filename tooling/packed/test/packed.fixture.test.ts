import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alone } from "../alone.ts";
import { PERDURE, pack } from "../pack.ts";

// What a user gets: the packages as they are packed, installed by npm under the alias "workflow", running the guide's code, and
// workflows in the shapes that the Workflow SDK documents.

const run = promisify(execFile);
const root = join(import.meta.dirname, "../../..");
let project: string;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "perdure packed "));
  const tarballs = await pack(PERDURE, join(project, "tarballs"));
  const packed = Object.entries(tarballs).map(([name, file]) => [name, `file:${file}`] as const);
  const { perdure: workflow, ...overrides } = Object.fromEntries(packed);
  const manifest = {
    name: "scratch",
    private: true,
    type: "module",
    dependencies: { workflow, ai: "7.0.112", "@ai-sdk/workflow": "2.0.43" },
    // It asks for a version of the Workflow SDK.
    overrides: { ...overrides, "@ai-sdk/workflow": { workflow: "$workflow" } },
  };
  await writeFile(join(project, "package.json"), JSON.stringify(manifest, null, 2));
  await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline"], { cwd: project });

  const guide = await readFile(join(root, "apps/charging/src/workflows/charge-customer.ts"), "utf8");
  await writeFile(join(project, "charge.ts"), guide.replace('from "perdure"', 'from "workflow"'));
  await cp(join(import.meta.dirname, "fixtures/main.ts"), join(project, "main.ts"));
  for (const folder of ["sdk", "agent"]) {
    await cp(join(import.meta.dirname, "fixtures", folder), join(project, folder), { recursive: true });
  }
}, 300_000);

afterAll(async () => {
  await rm(project, { recursive: true, force: true });
});

test("the guide's samples run on the packed package, installed as workflow", async () => {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers["idempotency-key"]}`);
    request.resume();
    request.on("end", () => response.end(JSON.stringify({ id: "ch_1" })));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const { stdout } = await run(process.execPath, ["--import", "workflow/register", "main.ts"], {
      cwd: project,
      env: {
        ...alone(),
        STRIPE_API_BASE: base,
        RECEIPTS_API_BASE: base,
        STRIPE_SECRET_KEY: "sk_test",
      },
    });
    expect(JSON.parse(stdout)).toEqual({ customerId: "cus_1", chargeId: "ch_1", status: "completed" });
    expect(requests).toEqual([
      expect.stringMatching(/^POST \/v1\/charges step_[\w-]{27}$/),
      expect.stringMatching(/^POST \/receipts step_[\w-]{27}$/),
    ]);
    expect(await readdir(join(project, ".perdure"))).toContain("perdure.db");
  } finally {
    server.close();
  }
}, 120_000);

// What fixtures/sdk/main.ts has of each workflow of fixtures/sdk/workflows: what the SDK documents, but for what docs/workflow-sdk.md
// says is different.
const documented: Record<string, unknown> = {
  errors: { attempt: 3, fatal: "broken", exhausted: "again" },
  metadata: {
    workflowName: "workflow//./sdk/workflows/orders//metadata",
    same: true,
    started: true,
    url: "https://shop.test",
    features: { encryption: false },
    step: {
      stepName: "step//./sdk/workflows/orders//facts",
      stepId: true,
      attempt: 1,
      stepStartedAt: expect.any(String),
      attemptStartedAt: expect.any(String),
    },
  },
  parallel: { values: [2, 4, 6], winner: 42 },
  pipes: 10,
  saga: ["undone: second", "undone: first"],
  crosses: [
    "undefined",
    "BigInt",
    "Date",
    "Map",
    "RegExp",
    "URL",
    "URLSearchParams",
    "Uint8Array",
    "Float64Array",
    "BigInt64Array",
    "Headers",
    "TypeError",
  ],
  refuses: "SerializationError",
  globals: {
    uuid: 36,
    random: "number",
    now: true,
    digest: 32,
    base64: "eA==",
    clone: { a: [1] },
    env: "yes",
  },
  timers: ["NonDeterminismError", "NonDeterminismError"],
  sleeps: "number",
  parent: { result: 8, status: "completed", inline: 8 },
  chains: "end",
  fetches: { status: 200, body: { hello: "world" } },
  fails: ["USER_ERROR", "RangeError", true, "failed"],
  run: {
    before: [true, "running", "sleepsLong"],
    dates: [true, true, false],
    stoppedCount: 1,
    value: "awake",
    ended: true,
  },
  missing: [false, true],
  cancel: [true, "cancelled"],
  collects: { same: true, metadata: { who: "me" }, values: [1, 2, 3] },
  noHook: "sdk:nobody",
  owns: {
    second: "running",
    conflict: true,
    first: { status: "processed" },
    adopted: { status: "processed" },
  },
  hands: ["a", "b"],
  retains: { first: true, second: false, found: true, resumed: "HookNotFoundError" },
  approves: [true, true],
  listens: [202, { method: "POST", body: { a: 1 } }],
  responds: [201, "got first", "got done", "answered"],
  respondsAtOnce: [200, { ok: true }, '"x"'],
  streams: {
    live: ["one", "two"],
    last: ["two"],
    lines: [{ line: "a line" }],
    tail: 1,
    value: "streamed",
  },
  reads: "a body",
  holder: ["from another run"],
  times: { fatal: true, name: "AbortError", aborted: true },
  signals: [true, "asked"],
  attributes: [true, false],
  byId: [10, "child"],
  world: "function",
  ended: ["completed saga", "failed fails USER_ERROR"],
};

test("workflows in the shapes that the Workflow SDK documents run unchanged", async () => {
  const cwd = join(project, "sdk");
  const { stdout } = await run(process.execPath, ["--import", "workflow/register", "main.ts"], {
    cwd,
    env: { ...alone(), SDK_FIXTURE: "yes" },
  });
  expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toEqual(documented);
}, 120_000);

test("an agent of the AI SDK runs unchanged", async () => {
  const { stdout } = await run(process.execPath, ["--import", "workflow/register", "main.ts"], {
    cwd: join(project, "agent"),
    env: alone(),
  });
  const { answer, streamed, steps } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  expect(answer).toEqual([2, "It is 10"]);
  expect(streamed).toEqual(expect.arrayContaining(["tool-call", "tool-result", "text-delta", "finish"]));
  expect(steps).toEqual(["doStreamStep", "add", "writeToolResults", "doStreamStep", "closeStream"]);
}, 120_000);

test("the packed package brings the command", async () => {
  const { stdout } = await run(join(project, "node_modules/.bin/perdure"), ["--version"], { cwd: project });
  const { version } = JSON.parse(await readFile(join(root, "packages/perdure/package.json"), "utf8"));
  expect(stdout).toBe(`${version}\n`);
});
