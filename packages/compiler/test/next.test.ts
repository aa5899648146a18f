import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { withPerdure } from "../src/next.ts";

// What is added to Next's configuration; tooling/frameworks builds projects with it.

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "perdure-next-"));
  const dependencies = { next: "16", workflow: "npm:perdure", "acme-media": "3", plain: "1" };
  write(".", { dependencies });
  write("node_modules/next", { name: "next", version: "16.4.6" });
  write("node_modules/workflow", { name: "perdure", version: "1.0.0" });
  write("node_modules/plain", { name: "plain", type: "module" }, "export const a = 1;");
  const encode = 'export async function encode() { "use step"; }';
  write("node_modules/acme-media", { name: "acme-media", version: "3.0.0", type: "module" }, encode);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

function write(folder: string, manifest: object, code?: string): void {
  mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, folder, "package.json"), JSON.stringify(manifest));
  if (code !== undefined) writeFileSync(join(root, folder, "index.js"), code);
}

/** What a configuration came to. */
interface Result {
  readonly serverExternalPackages: readonly string[];
  readonly transpilePackages: readonly string[];
  readonly turbopack: { readonly rules: Readonly<Record<string, unknown>> };
  webpack(config: object, context: object): { module: { rules: unknown[] } };
}

const configured = (config: object): Result => withPerdure(config, { root }) as Result;
const use = () => ({
  loader: expect.stringMatching(/[\\/]loader\.js$/),
  options: { root, copies: true },
});

it("keeps what the user has set, and changes no object of theirs", () => {
  const config = Object.freeze({ poweredByHeader: false, transpilePackages: Object.freeze(["ui"]) });
  expect(configured(config)).toMatchObject({
    poweredByHeader: false,
    transpilePackages: ["ui", "acme-media"],
  });
});

it("builds packages in that ship marked functions, and leaves its own outside, by the names that they have here", () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  vi.stubEnv("TURBOPACK", "1");
  const { serverExternalPackages, transpilePackages } = configured({
    serverExternalPackages: ["sharp", "acme-media"],
  });
  expect(serverExternalPackages).toEqual(["sharp", "perdure", "workflow"]);
  expect(transpilePackages).toEqual(["acme-media"]);
  expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(/acme-media .* serverExternalPackages/));
});

it("puts the loader before all others of webpack, for Node alone, and asks the user's own function after", () => {
  const own = vi.fn((config: object) => config);
  const { webpack } = configured({ webpack: own });
  const rules = [{ test: /\.svg$/ }];
  const { module } = webpack({ module: { rules } }, { nextRuntime: "nodejs" });
  expect(module.rules[1]).toMatchObject({ enforce: "pre", use: use() });
  expect(own).toHaveBeenCalledOnce();
  for (const context of [{ nextRuntime: "edge" }, {}]) {
    expect(webpack({ module: { rules: [] } }, context).module.rules).toEqual([]);
  }
});

it("puts the loader beside the user's rules of Turbopack, for Node alone", () => {
  const svg = { loaders: ["@svgr/webpack"], as: "*.js" };
  const own = { loaders: ["own-loader"] };
  const { rules } = configured({ turbopack: { rules: { "*.svg": svg, "*.ts": own } } }).turbopack;
  const ours = { loaders: [use()], condition: { all: expect.arrayContaining(["node"]) } };
  expect(rules).toMatchObject({ "*.svg": svg, "*.ts": [own, ours], "*.tsx": ours, "*.mjs": ours });
});

it("writes Turbopack's rules as Next 15 reads them", () => {
  write("node_modules/next", { name: "next", version: "15.5.29" });
  expect(configured({}).turbopack.rules["*.ts"]).toEqual({ node: { loaders: [use()] } });
});

it("lets the Turbopack of Next 15 build Perdure in: there a server action's module is not awaited", () => {
  write("node_modules/next", { name: "next", version: "15.5.29" });
  const external = () => configured({ serverExternalPackages: ["sharp"] }).serverExternalPackages;
  vi.stubEnv("TURBOPACK", "1");
  expect(external()).toEqual(["sharp"]);
  vi.stubEnv("TURBOPACK", undefined);
  expect(external()).toEqual(["sharp", "perdure", "workflow"]);
});

it("takes a function that gives the configuration", async () => {
  const configure = withPerdure(async (phase: string) => ({ env: { phase } }), { root });
  expect(await configure("phase-production-build")).toMatchObject({
    env: { phase: "phase-production-build" },
    transpilePackages: ["acme-media"],
  });
});
