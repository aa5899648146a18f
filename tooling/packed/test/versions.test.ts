import { execFile } from "node:child_process";
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { published } from "../pack.ts";

// What the release does to versions: changesets make one version and a changelog of what is in .changeset, for every published package.

const run = promisify(execFile);
const root = join(import.meta.dirname, "../../..");

test("the changesets that are there make one version of every published package, each with a changelog", async () => {
  const copy = mkdtempSync(join(tmpdir(), "perdure-versions-"));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  const manifests = globSync(["package.json", "{packages,apps,tooling}/*/package.json"], { cwd: root });
  for (const file of [...manifests, "pnpm-workspace.yaml", "pnpm-lock.yaml", ".changeset"]) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(root, file), join(copy, file), { recursive: true });
  }
  const git = (...args: string[]) =>
    run("git", ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false", ...args], {
      cwd: copy,
    });
  await git("init", "-q", "-b", "main");
  await git("add", "-A");
  await git("commit", "-qm", "before");

  const changeset = JSON.parse(readFileSync(join(root, "node_modules/@changesets/cli/package.json"), "utf8"));
  const bin = typeof changeset.bin === "string" ? changeset.bin : changeset.bin.changeset;
  await run(process.execPath, [join(root, "node_modules/@changesets/cli", bin), "version"], { cwd: copy });

  const versions = published().map(({ folder, name }) => {
    const { version } = JSON.parse(readFileSync(join(copy, "packages", folder, "package.json"), "utf8"));
    const changelog = existsSync(join(copy, "packages", folder, "CHANGELOG.md"));
    return { name, version, changelog };
  });
  expect(new Set(versions.map(({ version }) => version))).toEqual(new Set([versions[0]?.version]));
  expect(versions[0]?.version).not.toBe(
    JSON.parse(readFileSync(join(root, "packages/perdure/package.json"), "utf8")).version,
  );
  expect(versions.filter(({ changelog }) => !changelog)).toEqual([]);
});

test("the release's workflow has the action that belongs to the changesets of this repository, with its inputs", () => {
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const workflow = readFileSync(join(root, ".github/workflows/release.yml"), "utf8");
  const [, major = "", step = ""] = /changesets\/action@v(\d+)\n(.*)/s.exec(workflow) ?? [];
  expect([devDependencies["@changesets/cli"], major]).toEqual([expect.stringMatching(/^3\./), "2"]);
  expect([...step.matchAll(/^ {10}([\w-]+): pnpm /gm)].map(([, input]) => input)).toEqual([
    "version-script",
    "publish-script",
  ]);
});

test("a package that is published says what it needs: a licence, engines, public access, and what it consists of", () => {
  for (const { folder, name } of published()) {
    const dir = join(root, "packages", folder);
    const manifest = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
    expect(manifest, name).toMatchObject({
      license: "Apache-2.0",
      type: "module",
      engines: { node: expect.stringMatching(/^>=22\.1[3-9]/) },
      publishConfig: { access: "public" },
      files: expect.arrayContaining(["dist"]),
    });
    for (const file of ["LICENSE", "README.md"])
      expect(existsSync(join(dir, file)), `${name}: ${file}`).toBe(true);
  }
});
