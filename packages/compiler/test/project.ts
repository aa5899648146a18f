import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

const packageRoot = join(import.meta.dirname, "..");
const fixture = join(import.meta.dirname, "fixtures/project");

/** What the fixture project must report, whoever compiled it. */
export const expected: unknown = JSON.parse(readFileSync(join(fixture, "expected.json"), "utf8"));

/** How a child process ended. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * A copy of the fixture project, as a user has it: outside of this repository, with this package installed under
 * `node_modules` and a small runtime as `runtimeName`. Removed when the test ends.
 */
export function makeProject(runtimeName = "perdure"): string {
  if (!existsSync(join(packageRoot, "dist/register.js"))) {
    throw new Error("Run `pnpm build` first: a project that has the package installed uses its build.");
  }
  const root = realpathSync(mkdtempSync(join(tmpdir(), "perdure-compiler-")));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  cpSync(fixture, root, { recursive: true });
  cpSync(join(root, "runtime"), join(root, "node_modules", runtimeName), { recursive: true });
  for (const name of ["vitest", "vite", "tsup", "esbuild", "typescript"]) {
    symlinkSync(installed(name), join(root, "node_modules", name));
  }
  cpSync(join(root, "packages/acme-media"), join(root, "node_modules/@acme/media"), { recursive: true });
  mkdirSync(join(root, "node_modules/@perdure"));
  symlinkSync(packageRoot, join(root, "node_modules/@perdure/compiler"));
  return root;
}

/** Runs Node in a folder, without what Vitest put into the environment. */
export function node(cwd: string, ...args: string[]): Promise<Outcome> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^VITEST|^NODE_/.test(key)));
  return new Promise((done) => {
    execFile(process.execPath, args, { cwd, env }, (error, stdout, stderr) => {
      done({ code: typeof error?.code === "number" ? error.code : error ? 1 : 0, stdout, stderr });
    });
  });
}

/** The project's report from what it printed; shows everything it said if there is none. */
export function reportOf({ stdout, stderr }: Outcome): unknown {
  const line = stdout.split("\n").find((text) => text.startsWith("{"));
  return line === undefined ? `${stdout}\n${stderr}` : JSON.parse(line);
}

function installed(name: string): string {
  for (let at = packageRoot; at !== dirname(at); at = dirname(at)) {
    const path = join(at, "node_modules", name);
    if (existsSync(path)) return realpathSync(path);
  }
  throw new Error(`${name} is not installed: run \`pnpm install\`.`);
}
