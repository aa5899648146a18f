import { beforeAll, describe, test } from "vitest";
import { frameworks } from "../fixtures.ts";
import { command, makeProject, packAll } from "../project.ts";
import { survivesKill } from "../scenario.ts";

// Each framework as its users have it: installed from packed packages, built by its own command, killed while it charges.

let tarballs: ReadonlyMap<string, string>;

beforeAll(async () => {
  tarballs = await packAll();
});

describe.each(frameworks)("$name", (framework) => {
  let project: string;

  test("builds", { timeout: 600_000 }, async () => {
    project = await makeProject(framework, tarballs);
    for (const line of framework.build ?? []) await command(project, line, framework.env);
  });

  test("survives a kill", async () => {
    await survivesKill({ ...framework, project });
  });

  test.runIf(framework.tests)("runs under test", async () => {
    await command(project, framework.tests ?? [], framework.env);
  });
});
