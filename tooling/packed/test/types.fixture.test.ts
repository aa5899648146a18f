import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PERDURE, pack } from "../pack.ts";

// The declarations of the packed packages hold under every TypeScript that is promised, themselves checked too.

const run = promisify(execFile);
let folder: string;

/** The last patch of each version that is promised. */
const VERSIONS = ["5.4.5", "5.5.4", "5.6.3", "5.7.3", "5.8.3", "5.9.3", "6.0.3"];
const SERVERS = ["world-postgres", "world-redis", "world-mongodb"];

const combinations = VERSIONS.flatMap((version) =>
  ["nodenext", "bundler"].map((moduleResolution) => ({ version, moduleResolution })),
);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "perdure types "));
  const tarballs = await pack([...PERDURE, ...SERVERS], join(folder, "tarballs"));
  const packed = Object.fromEntries(Object.entries(tarballs).map(([name, file]) => [name, `file:${file}`]));
  const { perdure, ...others } = packed;
  const compilers = Object.fromEntries(
    VERSIONS.map((version) => [`ts-${version}`, `npm:typescript@${version}`]),
  );
  const manifest = {
    private: true,
    type: "module",
    dependencies: { perdure, "@types/node": "22.18.0", ...compilers },
    overrides: others,
  };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline"], { cwd: folder });
  await cp(join(import.meta.dirname, "fixtures/types.ts"), join(folder, "types.ts"));
}, 600_000);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

test.each(combinations)(
  "TypeScript $version under $moduleResolution",
  async ({ version, moduleResolution }) => {
    const compilerOptions = {
      module: moduleResolution === "bundler" ? "esnext" : "nodenext",
      moduleResolution,
      target: "es2022",
      lib: ["es2023"],
      types: ["node"],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
    };
    const config = join(folder, `tsconfig.${version}.${moduleResolution}.json`);
    await writeFile(config, JSON.stringify({ compilerOptions, files: ["types.ts"] }));
    const tsc = join(folder, `node_modules/ts-${version}/bin/tsc`);
    const { stdout } = await run(process.execPath, [tsc, "-p", config], { cwd: folder }).catch(
      (error) => error,
    );
    expect(stdout).toBe("");
  },
  120_000,
);
