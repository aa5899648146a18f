import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

// A project of a user's in a Vitest of its own: directives, mocks, and an environment for each test.

const run = promisify(execFile);
const project = join(import.meta.dirname, "project");
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");

test("a user's tests pass, and leave no database behind", async () => {
  // Vitest tells its own processes apart by these.
  const { VITEST, VITEST_POOL_ID, VITEST_WORKER_ID, NODE_OPTIONS, ...env } = process.env;
  const args = [vitest, "run", "--root", project];
  const { stdout } = await run(process.execPath, args, {
    cwd: project,
    env: { ...env, NO_COLOR: "1" },
  }).catch((error: { stdout: string; stderr: string }) => {
    throw new Error(`${error.stdout}\n${error.stderr}`);
  });
  expect(stdout).toMatch(/Tests +6 passed \(6\)/);
  expect(existsSync(join(project, ".perdure"))).toBe(false);
});
