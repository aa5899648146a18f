import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { bunBinary, killAll, launch, makeProject, run, says } from "./project.ts";

// The same program, as its source under `perdure/register` and as each bundler's output: minified, split, with source maps. One
// process is killed in the middle of a run, and the other ends it, both ways: so the two are one program to the store.

interface Bundler {
  readonly build: readonly string[];
  readonly watch?: readonly string[];
  /** The file to run. Default `dist/main.js`. */
  readonly main?: string;
}

const bundlers: Readonly<Record<string, Bundler>> = {
  esbuild: { build: ["node", "build.mjs"] },
  tsup: { build: ["tsup"], watch: ["tsup", "--watch", "src"] },
  vite: { build: ["vite", "build"], watch: ["vite", "build", "--watch"] },
  rollup: { build: ["rollup", "-c"], watch: ["rollup", "-c", "--watch"] },
  rolldown: { build: ["rolldown", "-c"], watch: ["rolldown", "-c", "--watch"] },
  webpack: { build: ["webpack"], watch: ["webpack", "--watch"], main: "dist/main.mjs" },
  rspack: { build: ["rspack", "build"], watch: ["rspack", "build", "--watch"], main: "dist/main.mjs" },
  rsbuild: { build: ["rsbuild", "build"], watch: ["rsbuild", "build", "--watch"] },
  farm: { build: ["farm", "build"], watch: ["farm", "watch"] },
  bun: { build: [bunBinary(), "build.mjs"] },
};

const source = ["--import", "perdure/register", "src/main.ts"];
const ids = [
  "workflow//./src/orders//order",
  "step//./src/ledger//write",
  "step//./src/orders//order/label",
  "step//./src/orders//Warehouse.pack",
  "step//./src/orders//refuse",
  "step//./src/ledger//entries",
];

describe.each(Object.entries(bundlers))("%s", (name, { build, watch, main = "dist/main.js" }) => {
  test("builds what goes on with a run of the source, and the source with its own", async () => {
    const folder = makeProject("app", name);
    const built = await run(folder, build);
    expect(built.code, built.stdout + built.stderr).toBe(0);
    expect(splits(folder)).toBe(true);
    const output = ["--enable-source-maps", main];
    expect(await killedAndEnded(folder, "a", output, source)).toEqual(ended("orders.ts:42"));
    expect(await killedAndEnded(folder, "b", source, output)).toEqual(ended("orders.ts:42"));
  });

  if (watch)
    test("keeps ids and places when it builds again what has changed", async () => {
      const folder = makeProject("app", name);
      const watcher = launch(folder, watch);
      await vi.waitUntil(() => outputOf(folder).includes("packing"), { timeout: 60_000, interval: 50 });
      const file = join(folder, "src/orders.ts");
      const changed = readFileSync(file, "utf8").replace('"packing"', '"packing again"');
      // Written until it is seen: a tool may begin to watch some time after its first build.
      await vi.waitFor(
        () => {
          if (outputOf(folder).includes("packing again")) return;
          writeFileSync(file, `// One line more.\n${changed}`);
          throw new Error("The change is not in the output.");
        },
        { timeout: 60_000, interval: 1500 },
      );
      killAll(watcher);
      const output = ["--enable-source-maps", main];
      expect(await killedAndEnded(folder, "a", output, output)).toEqual(ended("orders.ts:43"));
    });
});

function ended(refusedAt: string): unknown {
  return { value: { customer: "Ada", label: "parcel of Ada", parcels: 1, refusedAt }, ids };
}

/** Starts a run with one program, kills it in the middle of a step, and ends the run with the other. */
async function killedAndEnded(
  folder: string,
  store: string,
  first: readonly string[],
  second: readonly string[],
): Promise<unknown> {
  const files = [`${store}.db`, `${store}.txt`];
  const child = launch(folder, ["node", ...first, "start", ...files]);
  await says(child, "packing");
  killAll(child);
  writeFileSync(join(folder, `${store}.txt.open`), "");
  const { stdout, stderr } = await run(folder, ["node", ...second, "end", ...files]);
  const line = stdout.split("\n").find((text) => text.startsWith("{"));
  return line === undefined ? stdout + stderr : JSON.parse(line);
}

function outputOf(folder: string): string {
  return filesOf(folder)
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
}

/** Whether the workflow is in a file of its own, as the program's `import()` asks for. */
function splits(folder: string): boolean {
  const has = (text: string): string[] =>
    filesOf(folder).filter((file) => readFileSync(file, "utf8").includes(text));
  return !has("//./src/orders//order").some((file) => has("leaseTtl:1").includes(file));
}

function filesOf(folder: string): string[] {
  const dist = join(folder, "dist");
  try {
    return readdirSync(dist, { recursive: true, encoding: "utf8" })
      .filter((file) => /\.m?js$/.test(file))
      .map((file) => join(dist, file));
  } catch {
    return [];
  }
}
