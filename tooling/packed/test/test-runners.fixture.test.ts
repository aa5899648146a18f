import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alone } from "../alone.ts";
import { PERDURE, pack } from "../pack.ts";

// What docs/testing.md shows for node:test and for Jest, on the packed packages.

const run = promisify(execFile);
let page: string;
let project: string;

const CHARGING = `
export async function createCharge(customer: string, cents: number): Promise<{ id: string }> {
  "use step";
  throw new Error(\`a call to the outside: \${customer} \${cents}\`);
}

export async function chargeCustomer(customer: string, cents: number): Promise<string> {
  "use workflow";
  return (await createCharge(customer, cents)).id;
}
`;

const IMPORTS = 'import { chargeCustomer, createCharge } from "./charging.ts";\n';

/** The first block of a language below a heading of the page. */
function shown(heading: string, language: string, n = 0): string {
  const section = page.slice(page.indexOf(`\n## ${heading}\n`));
  const blocks = [...section.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))];
  const block = blocks[n]?.[1];
  if (block === undefined) throw new Error(`docs/testing.md shows no ${language} below "${heading}".`);
  return block;
}

beforeAll(async () => {
  page = await readFile(join(import.meta.dirname, "../../../docs/testing.md"), "utf8");
  project = await mkdtemp(join(tmpdir(), "perdure runners "));
  const tarballs = await pack(PERDURE, join(project, "tarballs"));
  const packed = Object.entries(tarballs).map(([name, file]) => [name, `file:${file}`] as const);
  const { perdure, "@perdure/compiler": compiler, ...overrides } = Object.fromEntries(packed);
  const manifest = {
    name: "scratch",
    private: true,
    type: "module",
    dependencies: { perdure, "@perdure/compiler": compiler, jest: "30.5.2" },
    overrides,
  };
  await writeFile(join(project, "package.json"), JSON.stringify(manifest, null, 2));
  await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline"], { cwd: project });
  await writeFile(join(project, "charging.ts"), CHARGING);
}, 300_000);

afterAll(async () => {
  await rm(project, { recursive: true, force: true });
});

test("node:test", async () => {
  await writeFile(join(project, "charge.node.ts"), IMPORTS + shown("node:test", "ts"));
  const args = ["--import", "perdure/register", "--test", "--test-reporter", "tap", "charge.node.ts"];
  const { NODE_TEST_CONTEXT, ...env } = alone();
  const { stdout } = await run(process.execPath, args, { cwd: project, env });
  expect(stdout).toMatch(/^# pass 1$/m);
  expect(stdout).toMatch(/^# fail 0$/m);
  expect(await readdir(project)).not.toContain(".perdure");
});

test("Jest", async () => {
  await writeFile(join(project, "perdure-transform.mjs"), shown("Jest", "js"));
  await writeFile(join(project, "jest.config.mjs"), shown("Jest", "js", 1));
  const text = shown("node:test", "ts")
    .replace(/^import .* from "node:.*\n/gm, "")
    .replace(/equal\((.*), (".*")\);/, "expect($1).toBe($2);");
  await writeFile(join(project, "charge.test.ts"), IMPORTS + text);
  const jest = join(project, "node_modules/jest/bin/jest.js");
  const { stderr } = await run(process.execPath, ["--experimental-vm-modules", jest], {
    cwd: project,
    env: { ...alone(), NODE_OPTIONS: "" },
  });
  expect(stderr).toMatch(/Tests: +1 passed, 1 total/);
  expect(await readdir(project)).not.toContain(".perdure");
});
