import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { createProject, type ProjectOptions, TEMPLATES, WORLDS } from "../src/index.ts";

const run = promisify(execFile);
const packages = join(import.meta.dirname, "../..");
const cli = join(packages, "create-perdure/bin/create-perdure.js");
const { version } = JSON.parse(readFileSync(join(packages, "create-perdure/package.json"), "utf8"));

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "create-perdure-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A program with this repository's packages in place of an install. */
async function linked(options: Omit<ProjectOptions, "directory">): Promise<string> {
  const { directory } = await createProject({ directory: join(folder(), "My Shop"), ...options });
  mkdirSync(join(directory, "node_modules"));
  symlinkSync(join(packages, "perdure"), join(directory, "node_modules/perdure"));
  return directory;
}

const START = ["--import", "perdure/register", "src/main.ts"];

const combinations = (Object.keys(TEMPLATES) as (keyof typeof TEMPLATES)[]).flatMap((template) =>
  (Object.keys(WORLDS) as (keyof typeof WORLDS)[]).map((world) => ({ template, world })),
);

test.each(combinations)(
  "writes $template on $world, with the versions of this package",
  async ({ template, world }) => {
    const { directory, name } = await createProject({
      directory: join(folder(), "My Shop"),
      template,
      world,
    });
    const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
    expect([name, manifest.name]).toEqual(["my-shop", "my-shop"]);
    expect(manifest.dependencies.perdure).toBe(`^${version}`);
    const worldPackage = WORLDS[world].package;
    expect(Object.keys(manifest.dependencies).filter((each) => each.startsWith("@perdure/"))).toEqual(
      worldPackage === undefined ? [] : [worldPackage],
    );
    const files = readdirSync(directory);
    expect(files).toEqual(expect.arrayContaining([".gitignore", "README.md", "src", "tsconfig.json"]));
    expect(files.filter((file) => file.startsWith("_"))).toEqual([]);
    expect(files.includes(".env")).toBe(world !== "sqlite");
    if (template !== "next")
      expect(manifest.scripts.start.includes("--env-file-if-exists=.env ")).toBe(world !== "sqlite");
    expect(readFileSync(join(directory, "src/perdure.ts"), "utf8")).toContain(`${world}World(`);
  },
);

test("the program charges once, and again gets the same run", async () => {
  const cwd = await linked({ template: "node", world: "sqlite" });
  const first = await run(process.execPath, START, { cwd });
  expect(first.stdout).toMatch(/Receipt for order_1: ch_1\n.*status: 'completed'/s);
  const second = await run(process.execPath, START, { cwd });
  expect(second.stdout.split(" ")[0]).toBe(first.stdout.split(" ")[0]);
  expect(second.stdout).not.toContain("Receipt");
  expect(Object.keys(JSON.parse(readFileSync(join(cwd, "charges.json"), "utf8")))).toHaveLength(1);
});

test("the program goes on after a kill, with one charge", async () => {
  const cwd = await linked({ template: "node", world: "sqlite" });
  const killed = spawn(process.execPath, START, { cwd, stdio: "ignore" });
  await expect.poll(() => readdirSync(cwd), { timeout: 20_000 }).toContain("charges.json");
  killed.kill("SIGKILL");
  await once(killed, "exit");
  const { stdout } = await run(process.execPath, START, { cwd });
  expect(stdout).toContain("Receipt for order_1: ch_1");
  expect(Object.keys(JSON.parse(readFileSync(join(cwd, "charges.json"), "utf8")))).toHaveLength(1);
});

test("a folder with files is refused, and nothing is written", async () => {
  const directory = folder();
  writeFileSync(join(directory, "mine.txt"), "");
  await expect(createProject({ directory, template: "node", world: "sqlite" })).rejects.toThrow(
    /is not empty: it has mine\.txt\. Name a new folder/,
  );
  expect(readdirSync(directory)).toEqual(["mine.txt"]);
});

test("the command takes flags and asks nothing without a terminal", async () => {
  const cwd = folder();
  const { stdout } = await run(
    process.execPath,
    [cli, "shop", "--template", "hono", "--world", "postgres", "--no-install"],
    {
      cwd,
    },
  );
  expect(stdout).toMatch(/cd shop\n {2}npm install\n {2}npm start\n {2}curl/);
  expect(stdout).toContain("in .env, as DATABASE_URL");
  expect(readdirSync(join(cwd, "shop/src")).sort()).toEqual([
    "payments.ts",
    "perdure.ts",
    "server.ts",
    "workflows.ts",
  ]);
});

test.each([
  [["--template", "rails"], /There is no template "rails": use node, hono, next/],
  [["--world", "oracle"], /There is no world "oracle": use sqlite, postgres, redis, mongodb\./],
  [["--colour"], /Unknown option '--colour'.*Usage: npm create perdure/s],
])("%j is refused with one message and exit code 1", async (flags, message) => {
  const cwd = folder();
  const failed = run(process.execPath, [cli, "shop", ...flags, "--no-install"], { cwd });
  await expect(failed).rejects.toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(message) });
  expect(readdirSync(cwd)).toEqual([]);
});
