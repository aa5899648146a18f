import { beforeAll, describe, test } from "vitest";
import type { Framework } from "./fixtures.ts";
import { command, makeProject, moveAway, packAll } from "./project.ts";
import { chargesByForm, followsEdits, survivesKill } from "./scenario.ts";

/** Tests each framework as its users have it: installed from packed packages, built by its own command, killed while it charges. */
export function testEach(frameworks: readonly Framework[]): void {
  let tarballs: ReadonlyMap<string, string>;

  beforeAll(async () => {
    tarballs = await packAll();
  });

  describe.each(frameworks)("$name", (framework) => {
    let project: string;
    /** Where its server starts. */
    let served: string;

    test("builds", { timeout: 600_000 }, async () => {
      project = await makeProject(framework, tarballs);
      for (const line of framework.build ?? []) await command(project, line, framework.env);
      served = framework.moved === undefined ? project : await moveAway(project, framework.moved);
    });

    test("survives a kill", async () => {
      await survivesKill({ ...framework, project: served });
    });

    test.runIf(framework.form)("charges by a server action", async () => {
      await chargesByForm({ ...framework, project: served });
    });

    test.runIf(framework.dev)("follows edits in development", async () => {
      await followsEdits({ project, start: framework.dev ?? [] });
    });

    test.runIf(framework.tests)("runs under test", async () => {
      await command(project, framework.tests ?? [], framework.env);
    });
  });
}
