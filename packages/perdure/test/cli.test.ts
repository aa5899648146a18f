import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { sharedPostgres } from "@perdure/testbed/postgres";
import { postgresWorld } from "@perdure/world-postgres";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";

// The command as it is built and linked, in processes of its own, on a real Postgres.

const home = join(import.meta.dirname, "..");

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs `perdure` in a folder, this package's by default: `@perdure/world-postgres` is installed there. */
async function perdure(
  args: readonly string[],
  { cwd = home, databaseUrl }: { cwd?: string; databaseUrl?: string } = {},
): Promise<Ended> {
  // Through NODE_PATH, which pnpm sets, a folder outside of this repository would find its packages.
  const env = { ...process.env, NODE_PATH: "", DATABASE_URL: databaseUrl ?? "" };
  const child = spawn(process.execPath, [join(home, "bin/perdure.js"), ...args], { cwd, env });
  const [out, error, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { code, out, error };
}

function failed(error: string): Ended {
  return { code: 1, out: "", error: `${error}\n` };
}

async function newSchema(): Promise<{ url: string; schema: string }> {
  const { url } = await sharedPostgres();
  return { url, schema: `cli_${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}` };
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

test("migrate makes a new schema, which workers that may not migrate then open; again it finds it", async () => {
  const { url, schema } = await newSchema();
  expect(await perdure(["migrate", "--url", url, "--schema", schema])).toEqual({
    code: 0,
    out: `Schema ${schema} went from version 0 to 1.\n`,
    error: "",
  });
  const world = postgresWorld({ url, schema, migrate: false });
  await world.open();
  await world.close();
  expect(await perdure(["migrate", "--schema", schema], { databaseUrl: url })).toEqual({
    code: 0,
    out: `Schema ${schema} is at version 1 already.\n`,
    error: "",
  });
});

test("--url goes before DATABASE_URL; a namespace has tables of its own", async () => {
  const { url, schema } = await newSchema();
  const args = ["migrate", "--url", url, "--schema", schema, "--namespace", "billing"];
  const { out } = await perdure(args, { databaseUrl: "postgres://127.0.0.1:1/none" });
  expect(out).toBe(`Schema ${schema}, namespace billing, went from version 0 to 1.\n`);
  const world = postgresWorld({ url, schema, migrate: false });
  await expect(world.open()).rejects.toThrow(/has schema version 0/);
});

test("of processes at once, one migrates and the others wait for it", async () => {
  const { url, schema } = await newSchema();
  const [client, observer] = [await connected(url), await connected(url)];
  // The one that has the lock to migrate waits for this transaction, and the others for the lock.
  await client.query(`BEGIN; CREATE SCHEMA ${schema}`);
  const named = new URL(url);
  named.searchParams.set("application_name", schema);
  const args = ["migrate", "--url", named.href, "--schema", schema];
  const processes = Promise.all([perdure(args), perdure(args), perdure(args)]);
  const waiting = `SELECT FROM pg_stat_activity WHERE application_name = '${schema}' AND wait_event_type = 'Lock'`;
  while ((await observer.query(waiting)).rowCount !== 3) await delay(20);
  await client.query("ROLLBACK");

  const ended = await processes;
  expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
  const found = `Schema ${schema} is at version 1 already.\n`;
  expect(ended.map(({ out }) => out).sort()).toEqual([
    found,
    found,
    `Schema ${schema} went from version 0 to 1.\n`,
  ]);
});

test("a database that does not exist: one line, without the password", async () => {
  const url = new URL((await sharedPostgres()).url);
  url.pathname = "/nowhere";
  const password = decodeURIComponent(url.password);
  const { code, out, error } = await perdure(["migrate", "--url", url.href]);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(error).toMatch(/^The Postgres World at .*\/nowhere, schema perdure has no such database\..*\n$/);
  if (password !== "") expect(error).not.toContain(`:${password}@`);
});

test("a server that does not answer", async () => {
  const { code, error } = await perdure(["migrate", "--url", "postgres://app:hush@127.0.0.1:1/none"]);
  expect(code).toBe(1);
  expect(error).toMatch(
    /^The Postgres World at 127\.0\.0\.1:1\/none, .* cannot be reached\. Check the URL.*\n$/,
  );
  expect(error).not.toContain("hush");
}, 60_000);

test("a URL with a password that should have been encoded", async () => {
  for (const password of ["hu#sh", "12/hush", "12/hu@sh"]) {
    const { code, error } = await perdure(["migrate", "--url", `postgres://app:${password}@localhost/app`]);
    expect(code).toBe(1);
    expect(error).toMatch(/^(The URL|url) cannot be read[.:] .*\n$/);
    expect(error).not.toContain("hush");
  }
});

test("a project without the World's package is told how to install it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "perdure-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { code, out, error } = await perdure(["migrate", "--url", "postgres://localhost/app"], {
    cwd: folder,
  });
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(error).toMatch(
    /^@perdure\/world-postgres is not installed in .*\. Run: npm install @perdure\/world-postgres\n$/,
  );
});

test("no URL", async () => {
  expect(await perdure(["migrate"])).toEqual(
    failed("There is no URL: give --url postgres://…, or set DATABASE_URL."),
  );
});

test("a World that has nothing to migrate, and a URL of none", async () => {
  const selfKept = (title: string): Ended =>
    failed(`The ${title} World keeps its own schema up to date when it opens: nothing to migrate.`);
  const migrate = (url: string): Promise<Ended> => perdure(["migrate", "--url", url]);
  expect(await migrate("file:./app.db")).toEqual(selfKept("SQLite"));
  expect(await migrate(".perdure/perdure.db")).toEqual(selfKept("SQLite"));
  expect((await migrate("postgres://app@127.0.0.1:x/app.db")).error).toMatch(/^url cannot be read: /);
  expect(await migrate("mongodb+srv://app:hush@localhost/app")).toEqual(selfKept("MongoDB"));
  expect(await migrate("rediss://:hush@localhost")).toEqual(selfKept("Redis"));
  expect(await migrate("mysql://app:hush@localhost/app")).toEqual(
    failed("The URL belongs to no World that has migrations: give one like postgres://user@host/database."),
  );
});

test("what is typed wrong is repeated without the password", async () => {
  const forgotten = await perdure(["migrate", "postgres://app:hush@localhost/app"]);
  expect(forgotten.code).toBe(1);
  expect(forgotten.error).toContain("too many arguments for 'migrate'");
  const mistyped = await perdure(["migrate", "--ulr=postgres://localhost/app?password=hush"]);
  expect(mistyped.code).toBe(1);
  expect(mistyped.error).toContain("unknown option '--ulr=");
  expect(forgotten.error + mistyped.error).not.toContain("hush");
});

test("help and version", async () => {
  const help = await perdure(["--help"]);
  expect(help.code).toBe(0);
  expect(help.out).toContain("migrate [options]");
  const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  expect(await perdure(["--version"])).toEqual({ code: 0, out: `${version}\n`, error: "" });
});
