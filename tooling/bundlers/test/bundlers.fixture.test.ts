import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { ended, killedAndEnded, source } from "./orders.ts";
import { bunBinary, killAll, launch, makeProject, run } from "./project.ts";

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
  loader: { build: ["webpack"], main: "dist/main.mjs" },
  rspack: { build: ["rspack", "build"], watch: ["rspack", "build", "--watch"], main: "dist/main.mjs" },
  rsbuild: { build: ["rsbuild", "build"], watch: ["rsbuild", "build", "--watch"] },
  farm: { build: ["farm", "build"], watch: ["farm", "watch"] },
  bun: { build: [bunBinary(), "build.mjs"] },
};

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
