import { join } from "node:path";
import * as esbuild from "esbuild";
import { describe, expect, it } from "vitest";
import perdure from "../src/esbuild.ts";
import { expected, makeProject, node, reportOf } from "./project.ts";

describe("esbuild", () => {
  const build = (root: string, entry: string): Promise<esbuild.BuildResult> =>
    esbuild.build({
      absWorkingDir: root,
      entryPoints: [entry],
      outdir: "dist",
      bundle: true,
      platform: "node",
      format: "esm",
      sourcemap: true,
      logLevel: "silent",
      plugins: [perdure()],
    });

  it("builds a project that runs", async () => {
    const root = makeProject();
    await build(root, "src/main.ts");
    expect(reportOf(await node(root, "--enable-source-maps", "dist/main.js"))).toEqual(expected);
  });

  it("stops at errors, with the place of the first and all in the text", async () => {
    const root = makeProject();
    const failure = await build(root, "src/broken.ts").catch((error: esbuild.BuildFailure) => error.errors);
    expect(failure).toHaveLength(1);
    expect(failure).toMatchObject([
      {
        location: { line: 2, column: 2 },
        text: expect.stringContaining("broken.ts:2:3 error misspelled-directive"),
      },
    ]);
    expect(failure).toMatchObject([
      { text: expect.stringContaining("broken.ts:4:60 error nondeterministic-call") },
    ]);
  });

  it("reports warnings and goes on", async () => {
    const root = makeProject();
    const { warnings } = await build(root, "src/warned.ts");
    expect(warnings).toMatchObject([{ location: { line: 3 }, text: expect.stringContaining("process-env") }]);
  });
});

describe("tsup", () => {
  it("builds a project that runs", async () => {
    const root = makeProject();
    const built = await node(root, "node_modules/tsup/dist/cli-default.js");
    expect(built.code, built.stdout + built.stderr).toBe(0);
    expect(reportOf(await node(root, "--enable-source-maps", "dist/main.js"))).toEqual(expected);
  });
});

describe("vite", () => {
  const vite = "node_modules/vite/bin/vite.js";

  it("builds a project that runs", async () => {
    const root = makeProject();
    const built = await node(
      root,
      vite,
      "build",
      "--ssr",
      "src/main.ts",
      "--sourcemap",
      "--config",
      "vitest.config.ts",
    );
    expect(built.code, built.stdout + built.stderr).toBe(0);
    expect(reportOf(await node(root, "--enable-source-maps", "dist/main.js"))).toEqual(expected);
  });

  it("stops at errors", async () => {
    const root = makeProject();
    const built = await node(root, vite, "build", "--ssr", "src/broken.ts", "--config", "vitest.config.ts");
    expect(built.code).toBe(1);
    expect(built.stderr).toContain(`${join(root, "src/broken.ts")}:2:3 error misspelled-directive`);
    expect(built.stderr).toContain("broken.ts:4:60 error nondeterministic-call");
  });

  it("runs the project's tests in Vitest", async () => {
    const root = makeProject();
    const { code, stdout, stderr } = await node(root, "node_modules/vitest/vitest.mjs", "run");
    expect(code, stdout + stderr).toBe(0);
  });
});
