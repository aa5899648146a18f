import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as esbuild from "esbuild";
import { describe, expect, it, onTestFinished } from "vitest";
import perdure from "../src/esbuild.ts";
import { transform } from "../src/index.ts";
import { makeProject, node, reportOf } from "./project.ts";

// Packages that ship marked functions.

const ids = [
  "step//@acme/media@3/dist/lib/encode//encode",
  "workflow//@acme/media@3/dist/workflows//transcode",
];
const compiled = { ids, results: ["<a>", "<b>"] };
const hook = ["--import", "@perdure/compiler/register"];

/** Lists the package as one that stays as it is. */
function exclude(root: string): void {
  const path = join(root, "package.json");
  const manifest = JSON.parse(readFileSync(path, "utf8")) as object;
  writeFileSync(path, JSON.stringify({ ...manifest, perdure: { exclude: ["@acme/media"] } }));
}

/** Puts the package where pnpm puts it. */
function moveToStore(root: string): void {
  const store = join(root, "node_modules/.pnpm/@acme+media@3.1.4/node_modules/@acme");
  mkdirSync(store, { recursive: true });
  renameSync(join(root, "node_modules/@acme/media"), join(store, "media"));
  symlinkSync(join(store, "media"), join(root, "node_modules/@acme/media"));
}

describe("the Node hook", () => {
  it("compiles them, under ids that name package, major version and file", async () => {
    const root = makeProject();
    expect(reportOf(await node(root, ...hook, "src/installed.ts"))).toEqual(compiled);
    moveToStore(root);
    expect(reportOf(await node(root, ...hook, "src/installed.ts"))).toEqual(compiled);
  });

  it("leaves out those that the project excludes", async () => {
    const root = makeProject();
    exclude(root);
    expect(reportOf(await node(root, ...hook, "src/installed.ts"))).toEqual({ ...compiled, ids: [] });
  });

  it("compiles CommonJS too", async () => {
    const root = makeProject();
    const folder = join(root, "node_modules/old");
    mkdirSync(folder);
    writeFileSync(join(folder, "package.json"), '{ "name": "old", "version": "1.0.0" }');
    writeFileSync(join(folder, "index.js"), 'exports.pay = async function pay() { "use step"; return 1; };');
    writeFileSync(
      join(root, "src/old.ts"),
      'import { pay } from "old"; import { marked } from "perdure/compiled"; console.log(await pay(), marked);',
    );
    const { stdout, stderr } = await node(root, ...hook, "src/old.ts");
    expect(stdout, stderr).toContain("1 [ 'step//old@1/index//pay' ]");
  });
});

describe("esbuild", () => {
  const build = (root: string, options: esbuild.BuildOptions): Promise<esbuild.BuildResult> =>
    esbuild.build({
      absWorkingDir: root,
      entryPoints: ["src/installed.ts"],
      outdir: "dist",
      bundle: true,
      platform: "node",
      format: "esm",
      logLevel: "silent",
      plugins: [perdure()],
      ...options,
    });

  it("compiles what it bundles", async () => {
    const root = makeProject();
    const { warnings } = await build(root, {});
    expect(warnings).toEqual([]);
    expect(reportOf(await node(root, "dist/installed.js"))).toEqual(compiled);
  });

  it("warns of what is external, unless it is excluded", async () => {
    const root = makeProject();
    const { warnings } = await build(root, { packages: "external" });
    expect(warnings).toMatchObject([{ text: expect.stringContaining("The package @acme/media ships") }]);
    const quiet = await build(root, {
      packages: "external",
      plugins: [perdure({ exclude: ["@acme/media"] })],
    });
    expect(quiet.warnings).toEqual([]);
  });
});

describe("Vite", () => {
  it("compiles them in a build for the server, which would leave them to Node", async () => {
    const root = makeProject();
    const args = ["build", "--ssr", "src/installed.ts", "--config", "vitest.config.ts"];
    const built = await node(root, "node_modules/vite/bin/vite.js", ...args);
    expect(built.code, built.stdout + built.stderr).toBe(0);
    expect(reportOf(await node(root, "dist/installed.js"))).toEqual(compiled);
  });
});

it("complains about no slip in a package, and names the package where it cannot be compiled", () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "perdure-installed-")));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const filename = join(root, "node_modules/pkg/index.js");
  expect(transform('export async function a() { "use steps"; }', { filename, root })).toBeNull();
  expect(transform('export const a = "use step";', { filename, root })).toBeNull();
  const broken = transform('export async function a() { "use workflow"; await fetch("/"); }', {
    filename,
    root,
  });
  expect(broken?.diagnostics).toMatchObject([
    {
      severity: "error",
      code: "nondeterministic-call",
      fix: expect.stringContaining('add "pkg" to `exclude`'),
    },
  ]);
  expect(
    transform('export async function a() { "use step"; }', { filename, root, exclude: ["pkg"] }),
  ).toBeNull();
});
