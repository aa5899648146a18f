import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PERDURE, pack } from "../pack.ts";

// What the manifests and the READMEs say of Node's versions: the packed packages on the oldest ones that they promise, and one before.

const run = promisify(execFile);
const VERSIONS = ["20.19.0", "22.13.0", "22.15.0", "22.18.0"];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "perdure engines "));
  const tarballs = await pack([...PERDURE, "create-perdure"], join(folder, "tarballs"));
  const packed = Object.fromEntries(Object.entries(tarballs).map(([name, file]) => [name, `file:${file}`]));
  const { perdure, "create-perdure": create, ...overrides } = packed;
  const cpu = `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const nodes = VERSIONS.map((version) => [`node-${version}`, `npm:node-${cpu}@${version}`]);
  const dependencies = { perdure, "create-perdure": create, ...Object.fromEntries(nodes) };
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({ private: true, type: "module", dependencies, overrides }),
  );
  await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"], {
    cwd: folder,
  });
  await cp(join(import.meta.dirname, "fixtures/install.ts"), join(folder, "app.ts"));
  await writeFile(join(folder, "marked.js"), MARKED);
  await writeFile(join(folder, "plain.js"), PLAIN);
}, 600_000);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const MARKED = `import { start } from "perdure/api";
async function double(n) { "use step"; return 2 * n; }
export async function flow(n) { "use workflow"; return await double(n); }
console.log(await (await start(flow, [21])).returnValue);
`;
const PLAIN = `import { acquireLock, createHook, setState, sleep, step, workflow } from "perdure";
import { listRuns, resumeHook, start } from "perdure/api";
const double = step("double", async (n) => 2 * n);
const flow = workflow("flow", async (n) => {
  const lock = await acquireLock("account");
  const hook = createHook({ token: "t" });
  setState("waits");
  const m = await hook;
  await lock.release();
  await sleep(5);
  return await double(n + m);
});
const run = await start(flow, [20], { idempotencyKey: "one", attributes: { of: "a test" } });
await run.getState({ after: 0 });
while (true) {
  try { await resumeHook("t", 1); break; } catch { await new Promise((done) => setTimeout(done, 20)); }
}
await run.returnValue;
const again = await start(flow, [20], { idempotencyKey: "one" });
const { runs } = await listRuns({ attributes: { of: "a test" } });
console.log(await again.returnValue, runs.length, again.runId === run.runId);
`;

/** What a version of Node prints, and its exit code. */
async function node(version: string, ...args: string[]): Promise<{ out: string; err: string; code: number }> {
  const bin = process.platform === "win32" ? "bin/node.exe" : "bin/node";
  try {
    const { stdout, stderr } = await run(join(folder, `node_modules/node-${version}`, bin), args, {
      cwd: folder,
    });
    return { out: stdout, err: stderr, code: 0 };
  } catch (error) {
    const { stdout, stderr, code } = error as { stdout: string; stderr: string; code: number };
    return { out: stdout, err: stderr, code };
  }
}

const REGISTER = ["--import", "perdure/register"];

test("Node 22.13 runs step(id, fn) and workflow(id, fn); register says what it needs", async () => {
  expect(await node("22.13.0", "plain.js")).toEqual({ out: "42 1 true\n", err: "", code: 0 });
  const refused = await node("22.13.0", ...REGISTER, "marked.js");
  expect(refused.code).toBe(1);
  expect(refused.err).toContain(
    "perdure/register needs Node 22.15 or later, and this is v22.13.0: update Node",
  );
});

test("Node 22.15 compiles the directives of JavaScript", async () => {
  expect(await node("22.15.0", ...REGISTER, "marked.js")).toMatchObject({ out: "42\n", code: 0 });
});

test("Node 22.18 runs TypeScript files as they are", async () => {
  expect(await node("22.18.0", ...REGISTER, "app.ts")).toMatchObject({ out: "cus_1 step_ 1\n", code: 0 });
});

test("create-perdure says in one line which Node it needs", async () => {
  for (const version of ["20.19.0", "22.13.0"]) {
    const { out, err, code } = await node(
      version,
      "node_modules/create-perdure/bin/create-perdure.js",
      "shop",
    );
    expect([out, code]).toEqual(["", 1]);
    expect(err).toMatch(/^create-perdure needs Node 22\.18 or newer, this is \d+\.\d+\.0: .+\.\n$/);
  }
});
