import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

// What a user gets: the packages as they are packed, installed by npm under the alias "workflow", running the guide's code.

const run = promisify(execFile);
const root = join(import.meta.dirname, "../../..");
const packages = ["core", "compiler", "http", "transactions", "world-sqlite", "perdure"] as const;
let project: string;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "perdure packed "));
  const tarballs = join(project, "tarballs");
  await mkdir(tarballs);
  for (const folder of packages) {
    await run("pnpm", ["pack", "--pack-destination", tarballs], { cwd: join(root, "packages", folder) });
  }
  const files = await readdir(tarballs);
  const tarball = (name: string): string => {
    const file = files.find((candidate) => new RegExp(`^${name}-\\d`).test(candidate));
    if (file === undefined) throw new Error(`No tarball of ${name} among ${files.join(", ")}`);
    return `file:./tarballs/${file}`;
  };
  const manifest = {
    name: "scratch",
    private: true,
    type: "module",
    dependencies: { workflow: tarball("perdure") },
    overrides: {
      "@perdure/core": tarball("perdure-core"),
      "@perdure/compiler": tarball("perdure-compiler"),
      "@perdure/http": tarball("perdure-http"),
      "@perdure/transactions": tarball("perdure-transactions"),
      "@perdure/world-sqlite": tarball("perdure-world-sqlite"),
    },
  };
  await writeFile(join(project, "package.json"), JSON.stringify(manifest, null, 2));
  await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline"], { cwd: project });

  const guide = await readFile(join(root, "apps/charging/src/workflows/charge-customer.ts"), "utf8");
  await writeFile(join(project, "charge.ts"), guide.replace('from "perdure"', 'from "workflow"'));
  await cp(join(import.meta.dirname, "fixtures/main.ts"), join(project, "main.ts"));
}, 300_000);

afterAll(async () => {
  await rm(project, { recursive: true, force: true });
});

test("the guide's samples run on the packed package, installed as workflow", async () => {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers["idempotency-key"]}`);
    request.resume();
    request.on("end", () => response.end(JSON.stringify({ id: "ch_1" })));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const { stdout } = await run(process.execPath, ["--import", "workflow/register", "main.ts"], {
      cwd: project,
      env: {
        ...process.env,
        // Nothing of this repository may be found from there.
        NODE_PATH: "",
        PATH: (process.env.PATH ?? "")
          .split(delimiter)
          .filter((dir) => !dir.startsWith(root))
          .join(delimiter),
        STRIPE_API_BASE: base,
        RECEIPTS_API_BASE: base,
        STRIPE_SECRET_KEY: "sk_test",
      },
    });
    expect(JSON.parse(stdout)).toEqual({ customerId: "cus_1", chargeId: "ch_1", status: "completed" });
    expect(requests).toEqual([
      expect.stringMatching(/^POST \/v1\/charges step_[\w-]{27}$/),
      expect.stringMatching(/^POST \/receipts step_[\w-]{27}$/),
    ]);
    expect(await readdir(join(project, ".perdure"))).toContain("perdure.db");
  } finally {
    server.close();
  }
}, 120_000);

test("the packed package brings the command", async () => {
  const { stdout } = await run(join(project, "node_modules/.bin/perdure"), ["--version"], { cwd: project });
  const { version } = JSON.parse(await readFile(join(root, "packages/perdure/package.json"), "utf8"));
  expect(stdout).toBe(`${version}\n`);
});

test.each(["typescript", "typescript-5.9"])(
  "the types hold alone under %s, declarations checked too",
  async (compiler) => {
    // @types/node is what a program on Node has; esbuild and Vite are not there.
    const types = join(project, "node_modules/@types/node");
    await symlink(join(root, "node_modules/@types/node"), types).catch(() => undefined);
    for (const module of ["nodenext", "esnext"]) {
      const compilerOptions = {
        module,
        moduleResolution: module === "esnext" ? "bundler" : module,
        target: "es2023",
        lib: ["es2023"],
        types: ["node"],
        strict: true,
        noEmit: true,
        skipLibCheck: false,
      };
      await cp(join(import.meta.dirname, "fixtures/types.ts"), join(project, "types.ts"));
      await writeFile(
        join(project, "tsconfig.json"),
        JSON.stringify({ compilerOptions, files: ["types.ts"] }),
      );
      const tsc = join(root, "node_modules", compiler, "bin/tsc");
      const { stdout } = await run(process.execPath, [tsc, "-p", "."], { cwd: project }).catch(
        (error) => error,
      );
      expect(stdout).toBe("");
    }
  },
  120_000,
);
