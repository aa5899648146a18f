import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { projectFolder } from "./bin.ts";

// The commands as a shell calls them, on SQLite: exit codes, questions, reload, replay of changed code. What they list is in
// tooling/bench/test/commands.fixture.test.ts, on every World.

const INVOICE = "workflow//./billing//invoice";

/** Starts an invoice and returns the id of its run. */
async function invoice(
  perdure: (...args: string[]) => Promise<{ out: string }>,
  id: string,
): Promise<string> {
  return (await perdure("start", INVOICE, JSON.stringify([id, 900]))).out.trim();
}

test("what cannot be done is exit code 1 and one line", { timeout: 60_000 }, async () => {
  const { folder, perdure } = projectFolder();
  const nothing = await perdure("runs");
  expect(nothing).toMatchObject({ code: 1, out: "" });
  expect(nothing.error).toMatch(
    /^There is no database at .*perdure\.db\. Say where the runs are with --url .*\n$/,
  );
  const away = await perdure("runs", "--url", "redis://app:hush@127.0.0.1:1");
  expect(away).toMatchObject({ code: 1, out: "" });
  expect(away.error).toMatch(
    /^@perdure\/world-redis is not installed in .*\. Run: npm install @perdure\/world-redis\n$/,
  );
  expect(away.error).not.toContain("hush");
  // The scheme is missing, or is that of a file: no file is looked for, or named, whose path has the password in it.
  for (const url of ["app:hush@127.0.0.1/app", "sqlite://app:hush@127.0.0.1"]) {
    const mistaken = await perdure("runs", "--url", url);
    expect(mistaken).toMatchObject({
      code: 1,
      error: expect.stringMatching(/^The URL belongs to no World: /),
    });
    expect(mistaken.error).not.toContain("hush");
  }
  writeFileSync(join(folder, "perdure.config.ts"), "export const world = 1;");
  expect((await perdure("runs")).error).toMatch(/perdure\.config\.ts has no default export\./);
});

test("an act on chosen runs counts them, and does nothing where nobody can be asked", {
  timeout: 90_000,
}, async () => {
  const { folder, perdure } = projectFolder();
  // Through the configuration of the project.
  mkdirSync(join(folder, "data"));
  writeFileSync(
    join(folder, "perdure.config.ts"),
    `import { defineConfig, sqliteWorld } from "perdure/runtime";
     export default defineConfig({ world: () => sqliteWorld({ path: "data/app.db" }) });`,
  );
  const ids = [await invoice(perdure, "in_1"), await invoice(perdure, "in_2")];
  const asked = await perdure("cancel", "--workflow", "invoice");
  expect(asked).toEqual({
    code: 1,
    out: "",
    error: "This will cancel 2 runs. Nothing was done: say --yes where nobody can be asked.\n",
  });
  const done = await perdure("cancel", "--workflow", INVOICE, "--terminate", "--reason", "test", "--yes");
  expect(done.code).toBe(0);
  expect(done.out.split("\n").slice(0, 2).sort()).toEqual(ids.map((id) => `${id} terminated`).sort());
  expect(done.out).toContain("2 runs terminated, 0 not.");
  const partly = await perdure("cancel", ids[0] as string, "wrun_nobody", "--json");
  expect(partly.code).toBe(1);
  const errors = new Map(
    JSON.parse(partly.out).map((one: { runId: string; error: string }) => [one.runId, one.error]),
  );
  expect(errors.get(ids[0])).toContain("has ended (cancelled): it stays as it is.");
  expect(errors.get("wrun_nobody")).toContain('"wrun_nobody"');
  // Nobody is there to execute what is left of them.
  expect(await perdure("health")).toMatchObject({ code: 0 });
  await invoice(perdure, "in_3");
  const health = await perdure("health");
  expect(health.code).toBe(2);
  expect(health.out).toContain(
    "✖ Runs have not ended (1), and no worker has shown itself in the last half minute.",
  );
});

test("dev starts the worker again when a file changes; replay names the run that the change would diverge", {
  timeout: 90_000,
}, async () => {
  const { folder, perdure, start } = projectFolder("operate/billing.ts");
  const dev = start("dev", "billing.ts");
  await dev.line((line) => line.includes("executes what is due"));
  const id = await invoice(perdure, "in_41");
  await dev.line("to cus_in_41: receipt of 900 cents");
  const file = join(folder, "billing.ts");
  const source = readFileSync(file, "utf8");
  writeFileSync(
    file,
    source.replace(
      "const { customer } = await lookUp(id);",
      "await mail(id, 'hello');\n  const customer = id;",
    ),
  );
  await dev.line("billing.ts changed: the worker starts again");
  await expect
    .poll(() => dev.lines.filter((line) => line.includes("executes what is due")).length, { timeout: 20_000 })
    .toBe(2);
  await invoice(perdure, "in_50");
  await dev.line("to in_50: hello");
  const at = await dashboardOf(dev);
  const { runs } = (await (await fetch(`${at}api/runs`)).json()) as { runs: { runId: string }[] };
  expect(runs).toHaveLength(2);
  expect(runs[1]?.runId).toBe(id);
  dev.signal("SIGTERM");
  expect(await dev.ended()).toBe(0);

  const replay = await perdure("replay", "--last", "2", "--code", "billing.ts");
  expect(replay.code).toBe(2);
  expect(replay.out).toContain(`✖ ${id}  ${INVOICE}  event 3`);
  expect(replay.out).toMatch(/- the journal has: +step_created "step\/\/\.\/billing\/\/lookUp"/);
  expect(replay.out).toMatch(
    /\+ the code asked for: step_created "step\/\/\.\/billing\/\/mail".* at invoice \(.*billing\.ts:\d+/,
  );
  expect(replay.out).toContain("1 of 2 journals are followed, 1 diverge.");
  writeFileSync(join(folder, "journal.json"), (await perdure("run", id, "--journal", "--json")).out);
  writeFileSync(join(folder, "other.ts"), "export {};\n");
  const elsewhere = await perdure("replay", "journal.json", "--code", "other.ts");
  expect([elsewhere.code, elsewhere.out]).toEqual([
    1,
    expect.stringContaining(`1 could not be replayed: no module here has ${INVOICE}.`),
  ]);
  writeFileSync(file, source);
  expect(await perdure("replay", "journal.json", "--code", "billing.ts")).toMatchObject({ code: 0 });
});

/** Where a command says that its dashboard is. */
async function dashboardOf({ line }: ReturnType<ReturnType<typeof projectFolder>["start"]>): Promise<string> {
  const said = await line((text) => text.includes("The dashboard of"));
  return /http:\S+/.exec(said)?.[0] ?? "";
}

test("the dashboard is for this machine; for others somebody has to say who may look", {
  timeout: 60_000,
}, async () => {
  const { folder, perdure, start } = projectFolder();
  expect(await perdure("dashboard")).toMatchObject({
    code: 1,
    error: expect.stringContaining("no database"),
  });
  const runId = await invoice(perdure, "in_1");
  const server = start("dashboard", "--port", "0", "--read-only");
  const at = await dashboardOf(server);
  expect(((await (await fetch(`${at}api/runs/${runId}`)).json()) as { run: object }).run).toMatchObject({
    runId,
  });
  const act = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
  expect((await fetch(`${at}api/runs/${runId}/cancel`, act)).status).toBe(403);
  expect((await fetch(`${at}api/runs`, { headers: { "x-forwarded-for": "203.0.113.9" } })).status).toBe(403);
  const taken = await perdure("dashboard", "--port", new URL(at).port);
  expect(taken.error).toMatch(/^Port \d+ is in use\. Choose another one with --port\.\n$/);
  server.signal("SIGTERM");
  expect(await server.ended()).toBe(0);

  const open = await perdure("dashboard", "--host", "0.0.0.0");
  expect(open).toMatchObject({ code: 1, error: expect.stringContaining("Who may look?") });
  writeFileSync(
    join(folder, "perdure.config.ts"),
    `import { defineConfig } from "perdure/runtime";
     export default defineConfig({ dashboard: { authorize: (request) => request.headers.get("x-key") === "hush" } });`,
  );
  const guarded = start("dashboard", "--host", "0.0.0.0", "--port", "0");
  const { port } = new URL(await dashboardOf(guarded));
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await fetch(`http://127.0.0.1:${port}/api/info`, { headers })).status;
  expect([await status({}), await status({ "x-key": "hush" })]).toEqual([403, 200]);
  guarded.signal("SIGINT");
  expect(await guarded.ended()).toBe(0);
});
