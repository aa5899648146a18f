import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alone } from "../alone.ts";
import { PERDURE, pack } from "../pack.ts";

// `npm create perdure` as a user has it: the packed command writes a program, npm installs it, and it makes its first charge.

const run = promisify(execFile);
let folder: string;
let tarballs: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "perdure create "));
  tarballs = await pack([...PERDURE, "create-perdure"], join(folder, "tarballs"));
  const dependencies = { "create-perdure": `file:${tarballs["create-perdure"]}` };
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, dependencies }));
  await install(folder);
}, 300_000);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Makes the first charge of the program in this folder, and gives what the program says of it. */
type FirstCharge = (cwd: string) => Promise<string>;

const templates: { template: string; firstCharge: FirstCharge }[] = [
  {
    template: "node",
    firstCharge: async (cwd) => (await run("npm", ["start"], { cwd, env: alone() })).stdout,
  },
  {
    template: "hono",
    firstCharge: async (cwd) => await served(cwd, ["start"]),
  },
  {
    template: "next",
    firstCharge: async (cwd) => await served(cwd, ["run", "dev"]),
  },
];

test.each(templates)(
  "$template: from nothing to the first charge",
  async ({ template, firstCharge }) => {
    const began = performance.now();
    const command = join(folder, "node_modules/.bin/create-perdure");
    await run(command, [template, "--template", template, "--yes", "--no-install"], {
      cwd: folder,
      env: alone(),
    });
    const cwd = join(folder, template);
    await usePacked(cwd);
    await install(cwd);
    expect(await firstCharge(cwd)).toContain("completed");
    const charges = Object.keys(JSON.parse(await readFile(join(cwd, "charges.json"), "utf8")));
    expect(charges).toEqual([expect.stringMatching(/^step_/)]);
    console.log(
      `${template}: ${((performance.now() - began) / 1000).toFixed(0)} s from nothing to the first charge`,
    );

    const { stdout } = await run("npm", ["run", "types"], { cwd, env: alone() }).catch((error) => error);
    expect(stdout).not.toMatch(/error TS/);
  },
  300_000,
);

async function install(cwd: string): Promise<void> {
  await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline"], { cwd, env: alone() });
}

/** The manifest asks the registry for our packages, which are not there before the release: it gets the packed ones. */
async function usePacked(cwd: string): Promise<void> {
  const file = join(cwd, "package.json");
  const manifest = JSON.parse(await readFile(file, "utf8"));
  const { perdure, ...others } = Object.fromEntries(
    Object.entries(tarballs).map(([name, tarball]) => [name, `file:${tarball}`]),
  );
  manifest.dependencies.perdure = perdure;
  await writeFile(file, JSON.stringify({ ...manifest, overrides: others }));
}

/** Starts a server, posts a charge, asks for its run until it has ended, and ends the server. */
async function served(cwd: string, args: readonly string[]): Promise<string> {
  const port = await freePort();
  const server = spawn("npm", args, {
    cwd,
    env: { ...alone(), PORT: String(port) },
    stdio: "inherit",
    detached: true,
  });
  try {
    const base = `http://localhost:${port}`;
    let runId = "";
    await expect
      .poll(
        async () => {
          const response = await fetch(`${base}/charges/order_1`, { method: "POST" }).catch(() => null);
          if (response?.ok) ({ runId } = (await response.json()) as { runId: string });
          return runId;
        },
        { timeout: 120_000, interval: 200 },
      )
      .toMatch(/^wrun_/);
    let said = "";
    await expect
      .poll(async () => (said = await (await fetch(`${base}/runs/${runId}`)).text()), {
        timeout: 60_000,
        interval: 200,
      })
      .toContain('"completed"');
    return said;
  } finally {
    process.kill(-(server.pid as number), "SIGTERM");
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await new Promise((listening) => server.once("listening", listening));
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}
