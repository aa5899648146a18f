import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ended, killedAndEnded, source } from "./orders.ts";
import { makeProject, run } from "./project.ts";

// Compilers that know nothing of the directives, and the hooks of others beside `perdure/register`, in either order.

const maps = "--enable-source-maps";
const perdure = ["--import", "perdure/register"];
const built = [maps, ...perdure, "dist/main.js"];

interface Compiler {
  readonly fixture?: string;
  readonly build?: readonly string[];
  readonly args: readonly string[];
}

const compilers: Readonly<Record<string, Compiler>> = {
  tsc: { fixture: "tsc", build: ["tsc"], args: built },
  swc: { fixture: "swc", build: ["swc", "src", "-d", "dist", "--strip-leading-paths"], args: built },
  "tsx, then perdure": { args: [maps, "--import", "tsx", ...perdure, "src/main.ts"] },
  "perdure, then tsx": { args: [maps, ...perdure, "--import", "tsx", "src/main.ts"] },
  "ts-node, then perdure": {
    fixture: "ts-node",
    args: [maps, "--import", "./ts-node.mjs", ...perdure, "src/main.ts"],
  },
  "perdure, then ts-node": {
    fixture: "ts-node",
    args: [maps, ...perdure, "--import", "./ts-node.mjs", "src/main.ts"],
  },
};

test.each(Object.entries(compilers))(
  "%s: goes on with a run of the source, and the source with its own",
  async (_, { fixture, build, args }) => {
    const folder = makeProject("app", ...(fixture ? [fixture] : []));
    if (build) await succeeds(folder, build);
    expect(await killedAndEnded(folder, "a", args, source)).toEqual(ended("orders.ts:42"));
    expect(await killedAndEnded(folder, "b", source, args)).toEqual(ended("orders.ts:42"));
  },
);

describe("a program with decorators, which Node does not run itself", () => {
  const printed = {
    value: "Ada by card at till 1",
    ids: ["workflow//./src/orders//order", "step//./src/orders//Till.charge"],
    log: ["class till", "call of charge"],
  };

  test.each([
    ["tsc", ["tsc"]],
    ["swc", ["swc", "src", "-d", "dist", "--strip-leading-paths"]],
  ])("runs as %s compiles it", async (_, build) => {
    const folder = makeProject("decorators");
    await succeeds(folder, build);
    for (const hook of ["--import", "--require"]) {
      const { stdout, stderr } = await run(folder, ["node", hook, "perdure/register", "dist/main.js"]);
      expect(stdout, stderr).toBe(`${JSON.stringify(printed)}\n`);
    }
  });

  test("runs under tsx as an ES module, in either order", async () => {
    const folder = makeProject("decorators");
    const manifest = { name: "shop", private: true, type: "module" };
    writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
    const [tsx, register] = [
      ["--import", "tsx"],
      ["--import", "perdure/register"],
    ];
    for (const hooks of [
      [...tsx, ...register],
      [...register, ...tsx],
    ]) {
      const { stdout, stderr } = await run(folder, ["node", ...hooks, "src/main.ts"]);
      expect(stdout, stderr).toBe(`${JSON.stringify(printed)}\n`);
    }
  });

  test("runs under ts-node, in either order", async () => {
    const folder = makeProject("decorators");
    const [tsNode, register] = [
      ["-r", "ts-node/register"],
      ["-r", "perdure/register"],
    ];
    for (const hooks of [
      [...tsNode, ...register],
      [...register, ...tsNode],
    ]) {
      const { stdout, stderr } = await run(folder, ["node", ...hooks, "src/main.ts"]);
      expect(stdout, stderr).toBe(`${JSON.stringify(printed)}\n`);
    }
  });
});

async function succeeds(folder: string, command: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await run(folder, command);
  expect(code, stdout + stderr).toBe(0);
}
